"""The tables of a month as finance sees them: which columns, what kind, under which heading."""

from __future__ import annotations

from dataclasses import replace

from exports.finance.tables import Column, Kind, Mart, Table

NO_SERVICE = "(no service)"
NO_ACCOUNT = "(no account)"
TREND_MONTHS = 12


def _money(name: str, heading: str, *, about: str = "") -> Column:
    return Column(name, heading, Kind.MONEY, 14, read=True, about=about)


def _number(name: str, heading: str, *, read: bool = False) -> Column:
    return Column(name, heading, Kind.NUMBER, 15, read=read)


def _integer(name: str, heading: str, width: int = 11, *, read: bool = False) -> Column:
    return Column(name, heading, Kind.INTEGER, width, read=read)


def _ratio(name: str, heading: str, part: str, whole: str) -> Column:
    return Column(name, heading, Kind.RATIO, 10, ratio=(part, whole))


_SERVICE = Column("service_code", "Service", width=14)
_ACCOUNT = Column("account_key", "Account", width=24)
_SUBSCRIPTION = Column("subscription_key", "Subscription", width=26)
_PLAN = Column("plan_code", "Plan", width=15)
_METRIC = Column("metric_code", "Metric", width=15)
_CHARGE = Column("charge_key", "Charge", width=26)
_PERIOD = (
    Column("period_start", "Period start", Kind.DATE, 12),
    Column("period_end", "Period end (exclusive)", Kind.DATE, 12),
)
_CURRENCY = Column("currency", "Currency", width=9)
_MONTH = Column("month", "Month", Kind.DATE, 12)

LINES = Mart(
    Table(
        sheet="Invoice lines",
        mart="fct_billed_lines",
        question="What was billed for usage: every ledger line whose period ends in the month.",
        printed="reason",
        columns=(
            Column("line_key", "Line key", width=52),
            _SERVICE,
            _ACCOUNT,
            _SUBSCRIPTION,
            _PLAN,
            _METRIC,
            _CHARGE,
            *_PERIOD,
            _integer("tier", "Tier", 6),
            _number("quantity_used", "Quantity used"),
            _number("quantity_included", "Quantity included"),
            _number("quantity_billed", "Quantity billed"),
            _number("unit_price", "Unit price"),
            _money("amount", "Amount"),
            _CURRENCY,
            Column("reason", "Reason", width=12),
            # From here on for whoever follows a line up; not printed.
            _integer("adjustment_no", "Adjustment no.", 12),
            Column("push_state", "Push state", width=11),
            Column("odoo_invoice_name", "Odoo invoice", width=18),
            Column("odoo_invoice_state", "Invoice state", width=12),
            Column("odoo_payment_state", "Payment state", width=13),
            _money("odoo_subtotal", "On the order"),
            _money("odoo_invoiced", "Invoiced"),
            Column("odoo_tax", "Odoo tax", Kind.MONEY, 14),
            _number("amount_precise", "Amount before rounding"),
            Column("push_problem", "Push problem", width=18),
            Column("push_reason", "Push reason", width=40),
            Column("rated_line_key", "Rated line key", width=52),
            _integer("run_id", "Billing run"),
            Column("billed_at", "Billed at (UTC)", Kind.TIMESTAMP, 19),
            _integer("odoo_order_id", "Odoo order id"),
            _integer("odoo_line_id", "Odoo order line id"),
            _integer("odoo_invoice_id", "Odoo invoice id"),
        ),
    ),
    day="period_end - 1",
    order_by='line_key collate "C"',
)

ADJUSTMENTS = replace(
    LINES.table,
    sheet="Adjustments",
    question="What changed after it was billed: late usage, corrections, what was taken back.",
)

_MARGIN = (
    _money("usage_revenue", "Usage revenue"),
    _money("base_revenue", "Base revenue"),
    _money("revenue", "Revenue"),
    _money("cogs", "COGS"),
    _money("margin", "Margin"),
    _ratio("margin_pct", "Margin %", "margin", "revenue"),
    _money("invoiced_usage", "Invoiced usage"),
    _money("invoiced_base", "Invoiced base"),
    _money("invoiced_revenue", "Invoiced revenue"),
    _money("invoiced_margin", "Invoiced margin"),
    _ratio("invoiced_margin_pct", "Invoiced margin %", "invoiced_margin", "invoiced_revenue"),
)
SUMMED = tuple(column.name for column in _MARGIN if column.kind is Kind.MONEY)
_SERVICE_OR_NONE = replace(_SERVICE, none=NO_SERVICE)
_ACCOUNT_OR_NONE = replace(_ACCOUNT, none=NO_ACCOUNT)

# As fine as it is kept: for Parquet, and for the equations.
MARGIN = Mart(
    Table(
        sheet="Margin",
        mart="fct_margin_monthly",
        question="What each account, plan and metric brought in and cost.",
        columns=(_MONTH, _SERVICE, _ACCOUNT, _PLAN, _METRIC, *_MARGIN, _CURRENCY),
    ),
    day="month",
    order_by='margin_key collate "C"',
)

# The month before it in the last columns; the trend on the page has the year.
SERVICES = Mart(
    Table(
        sheet="Margin by service",
        mart="rpt_margin_by_service",
        question="What each service brought in, accrued and invoiced, and what it cost us.",
        columns=(
            _MONTH,
            _SERVICE_OR_NONE,
            _integer("accounts", "Accounts", 10),
            *_MARGIN,
            Column("previous_revenue", "Revenue, month before", Kind.MONEY, 14),
            Column("revenue_change", "Change of revenue", Kind.MONEY, 14),
            Column("previous_margin", "Margin, month before", Kind.MONEY, 14),
            Column("margin_change", "Change of margin", Kind.MONEY, 14),
            _CURRENCY,
        ),
    ),
    day="month",
    order_by='month, service_code collate "C" nulls last',
    months=TREND_MONTHS,
)

ACCOUNTS = Mart(
    Table(
        sheet="Margin by account",
        mart="rpt_margin_by_account",
        question="What each account brought in, accrued and invoiced, and what it cost us.",
        columns=(
            _MONTH,
            _SERVICE_OR_NONE,
            _ACCOUNT_OR_NONE,
            Column("partner_name", "Customer", width=26),
            *_MARGIN,
            _CURRENCY,
        ),
    ),
    day="month",
    order_by='service_code collate "C" nulls last, account_key collate "C" nulls last',
)

MARGIN_EXCEPTIONS = Mart(
    Table(
        sheet="Margin exceptions",
        mart="rpt_margin_exceptions",
        question="Which accounts earn too little, cost without revenue, or earn without cost?",
        columns=(
            _MONTH,
            Column("kind", "Kind", width=22),
            _SERVICE,
            _ACCOUNT,
            Column("partner_name", "Customer", width=26),
            _money("revenue", "Revenue"),
            _money("cogs", "COGS"),
            _money("margin", "Margin"),
            Column("margin_pct", "Margin %", Kind.NUMBER, 10),
            Column("margin_floor_pct", "Floor %", Kind.NUMBER, 10),
        ),
    ),
    day="month",
    order_by='exception_key collate "C"',
)

UNALLOCATED = Mart(
    Table(
        sheet="Unallocated cost",
        mart="fct_cogs_daily",
        question="Which cost can nobody be told to have caused?",
        columns=(
            Column("day", "Day", Kind.DATE, 12),
            _SERVICE,
            _METRIC,
            Column("provider", "Provider", width=14),
            Column("sku", "SKU", width=18),
            Column("allocation_reason", "Reason", width=14),
            _money("amount_company", "Amount"),
        ),
    ),
    day="case when allocation = 'unallocated' then day end",
    order_by='cogs_key collate "C"',
)

RECONCILIATION = Mart(
    Table(
        sheet="Reconciliation",
        mart="fct_reconciliation",
        question="Do app, platform and Odoo agree, and if not, why? Differences come first.",
        printed="detail",
        columns=(
            Column("status", "Status", width=14),
            Column("reason", "Reason", width=22),
            _SERVICE,
            _ACCOUNT,
            _SUBSCRIPTION,
            Column("item_type", "Item", width=10),
            _METRIC,
            _CHARGE,
            *_PERIOD,
            Column("phase", "Phase", width=10),
            _CURRENCY,
            _number("app_quantity", "App quantity"),
            _number("platform_quantity", "Platform quantity"),
            _number("odoo_quantity", "Odoo quantity"),
            _money("app_amount", "App amount"),
            _money("platform_amount", "Platform amount"),
            _money("odoo_amount", "Odoo amount"),
            _money("app_delta", "App less platform"),
            _money("odoo_delta", "Odoo less platform"),
            Column("detail", "Detail", width=48),
            Column("reconciliation_key", "Reconciliation key", width=52),
        ),
    ),
    day="coalesce(period_end - 1, period_start)",
    order_by=(
        "case status when 'difference' then 0 when 'not_compared' then 1 else 2 end,"
        ' reason collate "C" nulls last, reconciliation_key collate "C"'
    ),
)

EXCEPTIONS = Table(
    sheet="Exceptions",
    question="What should somebody look at before, or after, the month is closed?",
    columns=(
        Column("kind", "Kind", width=24, about="What it is; docs/finance.md says what to do."),
        Column(
            "service_code", "Service", width=14, about="The service; empty where none is known."
        ),
        Column("subject", "What", width=52, about="The account, line, metric or cost it is about."),
        Column("count", "Count", Kind.INTEGER, 10, read=True, about="Counters; 1 for the rest."),
        _money("amount", "Amount", about="Margin, cost, amount of the line, or the difference."),
        Column("quantity", "Quantity", Kind.NUMBER, 15, about="Usage that is not billed."),
        Column("detail", "Detail", width=70, about="In a sentence."),
    ),
)

CONSERVATION = Mart(
    Table(
        sheet="Conservation",
        mart="fct_usage_conservation",
        question="Where every counter went: the buckets of a metric add up to what came in.",
        columns=(
            _MONTH,
            _SERVICE,
            _METRIC,
            Column("bucket", "Bucket", width=18),
            _integer("counters", "Counters", 12, read=True),
            _number("quantity", "Quantity", read=True),
            _integer("raw_counters", "Raw counters", 12),
            _number("raw_quantity", "Raw quantity"),
            _integer("counters_difference", "Counters difference", 12, read=True),
            _number("quantity_difference", "Quantity difference", read=True),
        ),
    ),
    day="month",
    order_by='service_code collate "C", metric_code collate "C", bucket collate "C"',
)

MARTS = (
    LINES,
    MARGIN,
    SERVICES,
    ACCOUNTS,
    MARGIN_EXCEPTIONS,
    UNALLOCATED,
    RECONCILIATION,
    CONSERVATION,
)
# The sheets with rows, in the workbook's order.
SHEETS = (
    LINES.table,
    ADJUSTMENTS,
    SERVICES.table,
    ACCOUNTS.table,
    RECONCILIATION.table,
    EXCEPTIONS,
    CONSERVATION.table,
)
