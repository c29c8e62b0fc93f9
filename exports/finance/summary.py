"""The Summary sheet: what the month brought in and cost, from usage to invoice, and the checks.

All of it live formulas over the other sheets, but for what no sheet holds (rated lines, and what
the checks asked of the warehouse). Each has the exact result, for readers that do not calculate.
"""

from __future__ import annotations

from collections.abc import Callable

from xlsxwriter.worksheet import Worksheet

from exports.finance.block import (
    COUNT_FORMAT,
    RATIO_FORMAT,
    Block,
    Cell,
    Line,
    Sheets,
    Written,
    write_block,
)
from exports.finance.checks_block import checks_block, colour_verdicts
from exports.finance.figures import AGREED, REASONS, ZERO, Earned, Figures, added
from exports.finance.judged import Check
from exports.finance.sheet import Formats, WrittenSheet, print_setup, ratio_formula

_FIRST_TABLE_ROW = 5
_LAST_COLUMN = 8


def _summed(cells: str, where: str) -> Callable[[int], str]:
    return lambda row: f"ROUND(SUMIFS({cells},{where.format(row=row)}),2)"


def _earned_cells(earned: Earned, accounts: WrittenSheet | None) -> tuple[Cell, ...]:
    """A line of the margin: of a service by formulas over its accounts; the totals without."""

    def of(name: str) -> Callable[[int], str] | None:
        if accounts is None:
            return None
        return _summed(accounts[name], accounts["service_code"] + ",$A{row}")

    def own(formula: Callable[[int], str]) -> Callable[[int], str] | None:
        return None if accounts is None else formula

    return (
        Cell(of("usage_revenue"), earned.usage_revenue),
        Cell(of("base_revenue"), earned.base_revenue),
        Cell(own(lambda row: f"B{row}+C{row}"), earned.revenue),
        Cell(of("cogs"), earned.cogs),
        Cell(own(lambda row: f"D{row}-E{row}"), earned.margin),
        Cell(lambda row: ratio_formula(f"F{row}", f"D{row}"), earned.margin_ratio, RATIO_FORMAT),
        Cell(of("invoiced_revenue"), earned.invoiced_revenue),
        Cell(own(lambda row: f"H{row}-D{row}"), earned.invoiced_revenue - earned.revenue),
    )


def _margin_block(found: Figures, sheets: Sheets) -> Block:
    return Block(
        "Margin by service",
        (
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
        tuple(Line(name, _earned_cells(e, sheets.accounts)) for name, e in found.services),
        _earned_cells(added([e for _, e in found.services]), None),
    )


def _lines_block(found: Figures, sheets: Sheets) -> Block:
    lines = sheets.lines
    mine = lines["service_code"] + ",$A{row}," + f'{lines["currency"]},"{found.currency}"'

    def because(reasons: tuple[str, ...]) -> Callable[[int], str]:
        def formula(row: int) -> str:
            parts = (
                f'SUMIFS({lines["amount"]},{mine.format(row=row)},{lines["reason"]},"{reason}")'
                for reason in reasons
            )
            return f"ROUND({'+'.join(parts)},2)"

        return formula

    rows = tuple(
        Line(
            billed.service,
            (
                Cell(lambda row: f"COUNTIFS({mine.format(row=row)})", billed.lines, COUNT_FORMAT),
                *(Cell(because(of), billed.by_reason[name]) for name, of in REASONS.items()),
                Cell(_summed(lines["amount"], mine), billed.amount),
                Cell(None, billed.rated),
                Cell(lambda row: f"ROUND(F{row}-G{row},2)", billed.not_billed),
            ),
        )
        for billed in found.billed
    )
    return Block(
        "Usage lines by service",
        ("Service", "Lines", *REASONS, "Billed", "Rated", "Billed less rated"),
        rows,
        (
            Cell(None, sum(b.lines for b in found.billed), COUNT_FORMAT),
            *(Cell(None, sum((b.by_reason[name] for b in found.billed), ZERO)) for name in REASONS),
            Cell(None, sum((b.amount for b in found.billed), ZERO)),
            Cell(None, sum((b.rated for b in found.billed), ZERO)),
            Cell(None, sum((b.not_billed for b in found.billed), ZERO)),
        ),
    )


def _flow_block(found: Figures, sheets: Sheets) -> Block:
    """Its lines stand in this order, so that a formula can name its neighbours by distance."""
    lines, flow = sheets.lines, found.flow
    ours = f'{lines["currency"]},"{found.currency}"'
    posted = f'{ours},{lines["odoo_invoiced"]},"<>"'  # not empty

    def because(name: str) -> Callable[[int], str]:
        parts = (
            f'SUMIFS({lines["amount"]},{ours},{lines["reason"]},"{reason}")'
            for reason in REASONS[name]
        )
        text = f"ROUND({'+'.join(parts)},2)"
        return lambda _: text

    on_time, late, corrections = REASONS
    not_invoiced = f"ROUND(SUMIFS({lines['amount']},{posted})-SUMIFS({lines['amount']},{ours}),2)"
    differs = f"ROUND(SUMIFS({lines['odoo_invoiced']},{ours})-SUMIFS({lines['amount']},{posted}),2)"
    return Block(
        "From usage to invoice",
        ("Step", "Amount"),
        (
            Line("Usage at its prices", (Cell(lambda row: f"B{row + 2}-B{row + 1}", flow.usage),)),
            Line(
                "Included in plans",
                (Cell(None, -flow.included),),
                "What quotas took, at the price of the line they stand on.",
            ),
            Line("Billed on time", (Cell(because(on_time), flow.on_time),), is_total=True),
            Line("Late usage", (Cell(because(late), flow.late),)),
            Line("Corrections", (Cell(because(corrections), flow.corrections),)),
            Line(
                "Billed",
                (Cell(lambda row: f"SUM(B{row - 3}:B{row - 1})", flow.billed),),
                is_total=True,
            ),
            Line(
                "Not on a posted invoice",
                (Cell(lambda _: not_invoiced, -flow.not_invoiced),),
                "Not invoiced yet, or of a service that Odoo does not bill yet.",
            ),
            Line(
                "Differs in Odoo",
                (Cell(lambda _: differs, flow.differs),),
                "Posted invoices less posted credit notes less billed, of lines on any of them.",
            ),
            Line(
                "Invoiced",
                (Cell(lambda row: f"SUM(B{row - 3}:B{row - 1})", flow.invoiced),),
                is_total=True,
            ),
        ),
    )


def _reconciliation_block(found: Figures, sheets: Sheets) -> Block:
    cells = sheets.reconciliation

    def of(name: str) -> str:
        column = cells["status"] if name in AGREED else cells["reason"]
        return f"{column},$A{{row}}"

    def counted(name: str) -> Callable[[int], str]:
        return lambda row: f"COUNTIFS({of(name).format(row=row)})"

    def summed(delta: str, name: str) -> Callable[[int], str]:
        return _summed(cells[delta], f'{of(name)},{cells["currency"]},"{found.currency}"')

    return Block(
        "Reconciliation by reason",
        ("Reason", "Rows", "App less platform", "Odoo less platform"),
        tuple(
            Line(
                outcome.name,
                (
                    Cell(counted(outcome.name), outcome.count, COUNT_FORMAT),
                    Cell(summed("app_delta", outcome.name), outcome.first),
                    Cell(summed("odoo_delta", outcome.name), outcome.second),
                ),
            )
            for outcome in found.outcomes
        ),
        (
            Cell(None, sum(o.count for o in found.outcomes), COUNT_FORMAT),
            Cell(None, sum((o.first for o in found.outcomes), ZERO)),
            Cell(None, sum((o.second for o in found.outcomes), ZERO)),
        ),
    )


def _exceptions_block(found: Figures, sheets: Sheets) -> Block:
    cells = sheets.exceptions
    mine = cells["kind"] + ",$A{row}"
    return Block(
        "Exceptions by kind",
        ("Kind", "Rows", "Amount"),
        tuple(
            Line(
                kind.name,
                (
                    Cell(lambda row: f"COUNTIFS({mine.format(row=row)})", kind.count, COUNT_FORMAT),
                    Cell(_summed(cells["amount"], mine), kind.first),
                ),
            )
            for kind in found.exception_kinds
        ),
        (Cell(None, sum(k.count for k in found.exception_kinds), COUNT_FORMAT),),
    )


def write_summary(
    sheet: Worksheet,
    title: str,
    notes: list[str],
    found: Figures,
    judged: list[Check],
    sheets: Sheets,
    f: Formats,
) -> None:
    """Fills the Summary sheet. `notes` are the lines of the title block under `title`."""
    sheet.hide_gridlines(2)
    sheet.set_column(0, 0, 46)
    sheet.set_column(1, _LAST_COLUMN, 15)
    sheet.write_string(0, 0, title, f.title)
    for row, note in enumerate(notes, 1):
        sheet.write_string(row, 0, note, f.note)
    written: list[Written] = []
    row = _FIRST_TABLE_ROW
    for block in (
        _margin_block(found, sheets),
        _lines_block(found, sheets),
        _flow_block(found, sheets),
        _reconciliation_block(found, sheets),
        _exceptions_block(found, sheets),
    ):
        written.append(write_block(sheet, row, block, f))
        row = written[-1].after + 1
    verdicts = write_block(sheet, row, checks_block(judged, sheets, found, written[1]), f)
    colour_verdicts(sheet, verdicts, len(judged), f)
    as_text = sum(s.as_text for s in sheets.all)
    rounded = sum(s.rounded for s in sheets.all)
    exactness = (
        f"Excel computes with 15 digits. Longer numbers in this file: {as_text} written as text, "
        f"{rounded} rounded to 15 digits because a formula reads them. "
        "The Parquet files hold every digit."
    )
    sheet.write_string(verdicts.after + 1, 0, exactness, f.note)
    sheet.freeze_panes(len(notes) + 1, 0)
    print_setup(sheet, header_row=0, last_column=_LAST_COLUMN, last_row=verdicts.after + 1)
