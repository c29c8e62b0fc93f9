"""The page's tables, each from the report that the workbook is written from."""

from __future__ import annotations

from decimal import Decimal

from exports.finance.columns import (
    ACCOUNTS,
    ADJUSTMENTS,
    CONSERVATION,
    EXCEPTIONS,
    LINES,
    RECONCILIATION,
)
from exports.finance.figures import AGREED, REASONS, ZERO, Earned, amount_of
from exports.finance.page_html import (
    HtmlTable,
    Td,
    amount,
    ratio,
    rows_table,
    table,
    text,
    whole,
)
from exports.finance.plain import shown
from exports.finance.report import Report
from exports.finance.tables import Column, Table

# What a page can carry and a reader will read; the workbook has every row.
LARGEST_LINES, MOST_ROWS = 50, 100

_LINE = (
    "account_key",
    "service_code",
    "plan_code",
    "metric_code",
    "period_start",
    "period_end",
    "quantity_used",
    "quantity_billed",
    "unit_price",
    "amount",
    "currency",
    "reason",
    "odoo_invoice_name",
    "line_key",
)
_DIFFERENCE = (
    "reason",
    "account_key",
    "item_type",
    "metric_code",
    "period_start",
    "app_amount",
    "platform_amount",
    "odoo_amount",
    "app_delta",
    "odoo_delta",
    "currency",
    "phase",
    "detail",
)
_ACCOUNT = (
    "account_key",
    "partner_name",
    "service_code",
    "usage_revenue",
    "base_revenue",
    "revenue",
    "cogs",
    "margin",
    "margin_pct",
    "invoiced_revenue",
)
_EXCEPTION = ("subject", "service_code", "count", "amount", "quantity", "detail")
_BUCKET = (
    "metric_code",
    "service_code",
    "bucket",
    "counters",
    "quantity",
    "raw_counters",
    "raw_quantity",
    "counters_difference",
    "quantity_difference",
)


def _columns(of: Table, names: tuple[str, ...]) -> list[Column]:
    by_name = {column.name: column for column in of.columns}
    return [by_name[name] for name in names]


def _headings(*names: str) -> tuple[tuple[str, bool], ...]:
    """The first is of text, the rest of figures."""
    return tuple((name, at > 0) for at, name in enumerate(names))


def _earned(name: str, earned: Earned) -> list[Td]:
    return [
        text(name),
        amount(earned.usage_revenue),
        amount(earned.base_revenue),
        amount(earned.revenue),
        amount(earned.cogs),
        amount(earned.margin),
        ratio(earned.margin_ratio),
        amount(earned.invoiced_revenue),
        amount(earned.invoiced_revenue - earned.revenue),
    ]


def margin_table(report: Report) -> str:
    found = report.figures
    return table(
        HtmlTable(
            f"Margin by service, {found.currency}",
            _headings(
                "Service",
                "Usage revenue",
                "Base revenue",
                "Revenue",
                "COGS",
                "Margin",
                "Margin %",
                "Invoiced revenue",
                "Invoiced less accrued",
            ),
            [_earned(name, earned) for name, earned in found.services],
            _earned("Total", found.total),
            note="Revenue is accrued: usage by the days it happened on, base fees by the days they "
            "are for. Invoiced revenue goes by invoice date, credit notes taken off.",
        )
    )


def flow_table(report: Report) -> str:
    flow = report.figures.flow
    steps = (
        ("Usage at its prices", flow.usage, False),
        ("Included in plans", -flow.included, False),
        ("Billed on time", flow.on_time, True),
        ("Late usage", flow.late, False),
        ("Corrections", flow.corrections, False),
        ("Billed", flow.billed, True),
        ("Not on a posted invoice", -flow.not_invoiced, False),
        ("Differs in Odoo", flow.differs, False),
        ("Invoiced", flow.invoiced, True),
    )
    return table(
        HtmlTable(
            f"Step by step, {report.figures.currency}",
            _headings("Step", "Amount"),
            [[text(name), amount(value)] for name, value, _ in steps],
            strong=frozenset(at for at, (_, _, is_sum) in enumerate(steps) if is_sum),
        )
    )


def lines_by_service_table(report: Report) -> str:
    billed = report.figures.billed

    def added(values: list[Decimal]) -> Td:
        return amount(sum(values, ZERO))

    return table(
        HtmlTable(
            f"Usage lines by service, {report.figures.currency}",
            _headings("Service", "Lines", *REASONS, "Billed", "Rated", "Billed less rated"),
            [
                [
                    text(b.service),
                    whole(b.lines),
                    *(amount(b.by_reason[name]) for name in REASONS),
                    amount(b.amount),
                    amount(b.rated),
                    amount(b.not_billed),
                ]
                for b in billed
            ],
            [
                text("Total"),
                whole(sum(b.lines for b in billed)),
                *(added([b.by_reason[name] for b in billed]) for name in REASONS),
                added([b.amount for b in billed]),
                added([b.rated for b in billed]),
                added([b.not_billed for b in billed]),
            ],
        )
    )


def outcomes_table(report: Report) -> str:
    outcomes = report.figures.outcomes
    return table(
        HtmlTable(
            f"Reconciliation by reason, {report.figures.currency}",
            _headings("Reason", "Rows", "App less platform", "Odoo less platform"),
            [[text(o.name), whole(o.count), amount(o.first), amount(o.second)] for o in outcomes],
            [
                text("Total"),
                whole(sum(o.count for o in outcomes)),
                amount(sum((o.first for o in outcomes), ZERO)),
                amount(sum((o.second for o in outcomes), ZERO)),
            ],
            note="match: all sides agree. not_compared: the app's invoices were not imported, or "
            "the period is still open.",
        )
    )


def differences_table(report: Report) -> str:
    rows = [r for r in report.data.reconciliation.rows if r["status"] not in AGREED]
    columns = _columns(RECONCILIATION.table, _DIFFERENCE)
    return rows_table("Differences", columns, rows, limit=MOST_ROWS)


def exceptions_tables(report: Report) -> list[str]:
    """One table a kind, each with a limit of its own: many of one must not hide another."""
    found = report.figures
    columns = _columns(EXCEPTIONS, _EXCEPTION)
    kinds = table(
        HtmlTable(
            "Exceptions by kind",
            _headings("Kind", "Rows", "Amount"),
            [[text(k.name), whole(k.count), amount(k.first)] for k in found.exception_kinds],
        )
    )
    return [
        kinds,
        *(
            rows_table(
                kind.name,
                columns,
                [row for row in found.exceptions if row["kind"] == kind.name],
                limit=LARGEST_LINES,
            )
            for kind in found.exception_kinds
        ),
    ]


def checks_table(report: Report) -> str:
    return table(
        HtmlTable(
            "Checks",
            (("Check", False), ("Value", True), ("Verdict", False), ("What it says", False)),
            [
                [
                    text(check.text),
                    Td(
                        "no rows" if check.value is None else shown(check.value, check.kind),
                        "num",
                    ),
                    Td("OK", "ok") if check.holds else Td("CHECK", "check"),
                    Td(check.says, "long"),
                ]
                for check in report.checks
            ],
        )
    )


def accounts_table(report: Report) -> str:
    rows = sorted(
        report.data.accounts.rows,
        key=lambda r: (-amount_of(r, "revenue"), str(r["service_code"]), str(r["account_key"])),
    )
    columns = _columns(ACCOUNTS.table, _ACCOUNT)
    caption = f"Accounts, the largest revenue first, {report.figures.currency}"
    return rows_table(caption, columns, rows, limit=MOST_ROWS)


def adjustments_table(report: Report) -> str:
    rows = next(t.rows for t in report.tables if t.table is ADJUSTMENTS)
    return rows_table("Adjustments", _columns(ADJUSTMENTS, _LINE), rows, limit=MOST_ROWS)


def lines_table(report: Report) -> str:
    rows = sorted(
        report.data.lines.rows, key=lambda r: (-abs(amount_of(r, "amount")), str(r["line_key"]))
    )
    columns = _columns(LINES.table, _LINE)
    return rows_table("Invoice lines, the largest first", columns, rows, limit=LARGEST_LINES)


def conservation_table(report: Report) -> str:
    columns = _columns(CONSERVATION.table, _BUCKET)
    rows = report.data.conservation.rows
    return rows_table("Buckets of each metric", columns, rows, limit=3 * MOST_ROWS)


def definitions_table(report: Report) -> str:
    return table(
        HtmlTable(
            "Columns",
            tuple((h, False) for h in ("Column", "Sheet", "What it is", "Mart", "In the mart")),
            [
                [text(d.heading), text(d.sheet), Td(d.text, "long"), text(d.mart), text(d.column)]
                for d in report.definitions
            ],
        )
    )


def provenance_tables(report: Report) -> list[str]:
    return [
        table(
            HtmlTable(
                part.title,
                tuple((heading, False) for heading in part.headings),
                [[text(value) for value in row] for row in part.rows],
            )
        )
        for part in report.provenance
    ]
