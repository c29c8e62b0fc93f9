"""The four marts of a month as finance sees them: which columns, what kind, under which heading."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    """What a column holds; decides its type in Arrow and Parquet and its format in Excel."""

    TEXT = "text"
    INTEGER = "bigint"
    DATE = "date"
    TIMESTAMP = "timestamptz"
    MONEY = "money"  # numeric, shown with two decimals, kept with all
    NUMBER = "number"  # numeric, as many decimals as the value has
    RATIO = "ratio"  # numeric in the mart; on the sheet a formula of its own

    @property
    def is_numeric(self) -> bool:
        return self in (Kind.MONEY, Kind.NUMBER, Kind.RATIO)


@dataclass(frozen=True)
class Column:
    """`name` in the mart, `heading` and `width` (characters) on the sheet.

    A column that formulas read (`read`) is a number in every cell: text would drop out of a sum.
    """

    name: str
    heading: str
    kind: Kind = Kind.TEXT
    width: int = 14
    read: bool = False


@dataclass(frozen=True)
class Mart:
    """One mart of a month: `day` (SQL) is the day that places a row in a month, `order_by` a total
    order in SQL."""

    name: str
    sheet: str
    day: str
    order_by: str
    columns: tuple[Column, ...]
    question: str  # what the sheet answers, in one sentence
    printed: str = ""  # the last column that is printed; all of them where empty


def _money(name: str, heading: str) -> Column:
    return Column(name, heading, Kind.MONEY, 14, read=True)


def _number(name: str, heading: str, *, read: bool = False) -> Column:
    return Column(name, heading, Kind.NUMBER, 15, read=read)


def _integer(name: str, heading: str, width: int = 11, *, read: bool = False) -> Column:
    return Column(name, heading, Kind.INTEGER, width, read=read)


_SERVICE = Column("service_code", "Service", width=12)
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

LINES = Mart(
    name="fct_billed_lines",
    sheet="Lines",
    day="period_end - 1",
    order_by='line_key collate "C"',
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
        Column("odoo_subtotal", "Odoo subtotal", Kind.MONEY, 14),
        Column("odoo_tax", "Odoo tax", Kind.MONEY, 14),
        _number("amount_precise", "Amount before rounding"),
        Column("push_reason", "Push reason", width=40),
        Column("rated_line_key", "Rated line key", width=52),
        _integer("run_id", "Billing run"),
        Column("billed_at", "Billed at (UTC)", Kind.TIMESTAMP, 19),
        _integer("odoo_order_id", "Odoo order id"),
        _integer("odoo_line_id", "Odoo order line id"),
        _integer("odoo_invoice_id", "Odoo invoice id"),
    ),
)

MARGIN = Mart(
    name="fct_margin_monthly",
    sheet="Margin",
    day="month",
    order_by=(
        'service_code collate "C" nulls last, account_key collate "C" nulls last,'
        ' plan_code collate "C" nulls last, metric_code collate "C" nulls last'
    ),
    question="What each account brought in, by plan and metric, and what its usage cost us.",
    columns=(
        Column("month", "Month", Kind.DATE, 12),
        _SERVICE,
        _ACCOUNT,
        _PLAN,
        _METRIC,
        _money("usage_revenue", "Usage revenue"),
        _money("base_revenue", "Base revenue"),
        _money("revenue", "Revenue"),
        _money("cogs", "COGS"),
        _money("margin", "Margin"),
        Column("margin_pct", "Margin %", Kind.RATIO, 10),
        _money("invoiced_usage", "Invoiced usage"),
        _money("invoiced_base", "Invoiced base"),
        _money("invoiced_revenue", "Invoiced revenue"),
        _money("invoiced_margin", "Invoiced margin"),
        _CURRENCY,
    ),
)

RECONCILIATION = Mart(
    name="fct_reconciliation",
    sheet="Reconciliation",
    day="coalesce(period_end - 1, period_start)",
    order_by=(
        "case status when 'difference' then 0 when 'not_compared' then 1 else 2 end,"
        ' reason collate "C" nulls last, reconciliation_key collate "C"'
    ),
    question="Do the app, the platform and Odoo agree, and if not, why? Differences come first.",
    printed="detail",
    columns=(
        Column("status", "Status", width=14),
        Column("reason", "Reason", width=22),
        _SERVICE,
        _ACCOUNT,
        _SUBSCRIPTION,
        _METRIC,
        _CHARGE,
        *_PERIOD,
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
)

CONSERVATION = Mart(
    name="fct_usage_conservation",
    sheet="Conservation",
    day="month",
    order_by='service_code collate "C", metric_code collate "C", bucket collate "C"',
    question="Where every accepted counter went: the buckets of a metric add up to what came in.",
    columns=(
        Column("month", "Month", Kind.DATE, 12),
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
)

MARTS = (LINES, MARGIN, RECONCILIATION, CONSERVATION)
