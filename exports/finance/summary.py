"""The Summary sheet: margin by service, usage lines by service, and the checks, as live formulas.

Every formula carries the result that `figures` computed exactly, for readers that do not calculate.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from xlsxwriter.utility import xl_col_to_name
from xlsxwriter.worksheet import Worksheet

from exports.finance.figures import REASONS, Figures
from exports.finance.sheet import MONEY_FORMAT, Formats, WrittenSheet, print_setup

_FIRST_TABLE_ROW = 5
_LAST_COLUMN = 7
_NO_ROWS = "no rows"


@dataclass(frozen=True)
class Sheets:
    """The data sheets the formulas read."""

    lines: WrittenSheet
    margin: WrittenSheet
    reconciliation: WrittenSheet
    conservation: WrittenSheet


@dataclass(frozen=True)
class _Check:
    text: str
    formula: str
    result: Decimal | int | None
    number_format: str
    help: str


def _formula(
    sheet: Worksheet,
    at: tuple[int, int],
    formula: str,
    f: Formats,
    shown: str,
    result: object,
    *,
    total: bool = False,
) -> None:
    value = float(result) if isinstance(result, Decimal | int) else result
    sheet.write_formula(*at, f"={formula}", f.cell(shown, total=total), value)


def _header(sheet: Worksheet, row: int, title: str, headings: list[str], f: Formats) -> int:
    """Writes a table's title and header; returns the row its body starts in."""
    sheet.write_string(row, 0, title, f.get(bold=True, font_size=11, font_color="#1F3864"))
    for at, heading in enumerate(headings):
        sheet.write_string(row + 1, at, heading, f.header("right" if at else "left"))
    sheet.set_row(row + 1, 26)
    return row + 2


def _totals(
    sheet: Worksheet, row: int, body: int, cells: dict[int, tuple[str, object]], f: Formats
) -> None:
    """The row under a table that adds up its columns; `cells` are column → (format, result)."""
    sheet.write_string(row, 0, "Total", f.total_label)
    for at, (shown, result) in cells.items():
        letter = xl_col_to_name(at)
        formula = f"SUM({letter}{body + 1}:{letter}{row})"
        _formula(sheet, (row, at), formula, f, shown, result, total=True)


def _percent(margin: Decimal, revenue: Decimal) -> object:
    return margin / revenue if revenue > 0 else ""


def _label(service: str) -> str:
    return service or "No service"


def _mine(service: str, row: int) -> str:
    """What a SUMIFS looks for: the service named in column A of the row, or an empty cell."""
    return f"$A{row + 1}" if service else '"="'


def _margin_table(
    sheet: Worksheet, row: int, found: Figures, margin: WrittenSheet, f: Formats
) -> int:
    """Margin by service; returns the row of its totals."""
    headings = ["Service", "Usage revenue", "Base revenue", "Revenue", "COGS", "Margin", "Margin %"]
    body = _header(sheet, row, "Margin by service", headings, f)

    def rest(at: int, figures: tuple[Decimal, Decimal, Decimal], *, total: bool) -> None:
        revenue, gain = figures[0], figures[2]
        if not total:
            _formula(sheet, (at, 3), f"B{at + 1}+C{at + 1}", f, MONEY_FORMAT, revenue)
            _formula(sheet, (at, 5), f"D{at + 1}-E{at + 1}", f, MONEY_FORMAT, gain)
        formula = f'IF(D{at + 1}>0,F{at + 1}/D{at + 1},"")'
        _formula(sheet, (at, 6), formula, f, "0.0%", _percent(gain, revenue), total=total)

    for at, s in enumerate(found.services, body):
        sheet.write_string(at, 0, _label(s.service), f.text)
        inputs = {1: ("usage_revenue", s.usage_revenue), 2: ("base_revenue", s.base_revenue)}
        for column, (name, result) in {**inputs, 4: ("cogs", s.cogs)}.items():
            mine = f"{margin['service_code']},{_mine(s.service, at)}"
            formula = f"ROUND(SUMIFS({margin[name]},{mine}),2)"
            _formula(sheet, (at, column), formula, f, MONEY_FORMAT, result)
        rest(at, (s.revenue, s.cogs, s.margin), total=False)
    totals = body + len(found.services)
    revenue, cogs = found.revenue, found.cogs
    sums = [found.usage_revenue, revenue - found.usage_revenue, revenue, cogs, revenue - cogs]
    _totals(sheet, totals, body, {at: (MONEY_FORMAT, v) for at, v in enumerate(sums, 1)}, f)
    rest(totals, (revenue, cogs, revenue - cogs), total=True)
    return totals


def _lines_table(
    sheet: Worksheet,
    row: int,
    found: Figures,
    lines: WrittenSheet,
    currency: str,
    f: Formats,
) -> int:
    """Billed lines by service and reason, set against what is rated; returns the totals' row."""
    headings = [
        "Service",
        "Lines",
        "Billed on time",
        "Late usage",
        "Corrections",
        "All lines",
        "Rated",
        "Lines less rated",
    ]
    body = _header(sheet, row, "Usage lines by service", headings, f)
    same = f'{lines["currency"]},"{currency}"'
    for offset, s in enumerate(found.services):
        at = body + offset
        mine = f"{lines['service_code']},{_mine(s.service, at)},{same}"
        sheet.write_string(at, 0, _label(s.service), f.text)
        _formula(sheet, (at, 1), f"COUNTIFS({mine})", f, "#,##0", s.lines)
        for column, reason in enumerate(REASONS, 2):
            formula = f'ROUND(SUMIFS({lines["amount"]},{mine},{lines["reason"]},"{reason}"),2)'
            _formula(sheet, (at, column), formula, f, MONEY_FORMAT, s.by_reason[reason])
        formula = f"ROUND(SUMIFS({lines['amount']},{mine}),2)"
        _formula(sheet, (at, 5), formula, f, MONEY_FORMAT, s.lines_amount)
        sheet.write_number(at, 6, float(s.rated), f.cell(MONEY_FORMAT))
        gap = f"ROUND(F{at + 1}-G{at + 1},2)"
        _formula(sheet, (at, 7), gap, f, MONEY_FORMAT, s.lines_amount - s.rated)
    totals = body + len(found.services)
    cells: dict[int, tuple[str, object]] = {1: ("#,##0", sum(s.lines for s in found.services))}
    for column, reason in enumerate(REASONS, 2):
        cells[column] = (MONEY_FORMAT, sum(s.by_reason[reason] for s in found.services))
    cells[5] = (MONEY_FORMAT, found.lines_amount)
    cells[6] = (MONEY_FORMAT, found.rated)
    cells[7] = (MONEY_FORMAT, found.footing_difference)
    _totals(sheet, totals, body, cells, f)
    return totals


def _checks(
    found: Figures, sheets: Sheets, currency: str, margin_totals: int, lines_totals: int
) -> list[_Check]:
    lines, margin = sheets.lines, sheets.margin
    conservation, reconciliation = sheets.conservation, sheets.reconciliation
    top = margin_totals + 1

    def largest(name: str) -> str:
        cells = conservation[name]
        return f'IF(COUNT({cells})=0,"{_NO_ROWS}",MAX(MAX({cells}),-MIN({cells})))'

    status, reason = reconciliation["status"], reconciliation["reason"]
    usage, base, revenue, cogs, gain = (
        f"SUM({margin[name]})"
        for name in ("usage_revenue", "base_revenue", "revenue", "cogs", "margin")
    )
    in_currency = f'SUMIFS({lines["amount"]},{lines["currency"]},"{currency}")'
    return [
        _Check(
            f"Sum of Lines less rated, {currency}",
            f"ROUND({in_currency}-G{lines_totals + 1},2)",
            found.footing_difference,
            MONEY_FORMAT,
            "What should be billed of the periods that end in the month is billed.",
        ),
        _Check(
            "Conservation: largest difference in counters",
            largest("counters_difference"),
            found.counters_difference,
            "#,##0",
            "Every counter that came in stands in exactly one bucket.",
        ),
        _Check(
            "Conservation: largest difference in quantity",
            largest("quantity_difference"),
            found.quantity_difference,
            "General",
            "The buckets of each metric add up to what came in.",
        ),
        _Check(
            "Unexplained differences",
            f'IF(COUNTA({status})=0,"{_NO_ROWS}",'
            f'COUNTIFS({status},"difference",{reason},"unexplained"))',
            found.unexplained,
            "#,##0",
            "App, platform and Odoo agree, or the difference has a named reason.",
        ),
        _Check(
            f"Lines in another currency than {currency}",
            f'COUNTA({lines["currency"]})-COUNTIF({lines["currency"]},"{currency}")',
            found.foreign_lines,
            "#,##0",
            "Such lines are listed, but stand in no sum of this sheet.",
        ),
        _Check(
            "Margin sheet: usage + base less revenue",
            f"ROUND({usage}+{base}-{revenue},2)",
            found.margin_revenue_gap,
            MONEY_FORMAT,
            "The Margin sheet foots across.",
        ),
        _Check(
            "Margin sheet: revenue less COGS less margin",
            f"ROUND({revenue}-{cogs}-{gain},2)",
            found.margin_gap,
            MONEY_FORMAT,
            "The Margin sheet foots across.",
        ),
        _Check(
            "Margin sheet's revenue less the table above",
            f"ROUND({revenue}-D{top},2)",
            found.uncovered_revenue,
            MONEY_FORMAT,
            "No service is missing above.",
        ),
    ]


def _checks_table(sheet: Worksheet, row: int, checks: list[_Check], f: Formats) -> int:
    """The checks with their verdict; returns the row after the last."""
    body = _header(sheet, row, "Checks", ["Check", "Value", "Verdict", "What it says"], f)
    sheet.write_string(row + 1, 2, "Verdict", f.header("center"))
    sheet.write_string(row + 1, 3, "What it says", f.header())
    for at in range(4, _LAST_COLUMN + 1):
        sheet.write_blank(row + 1, at, None, f.header())
    for at, check in enumerate(checks, body):
        result: object = _NO_ROWS if check.result is None else check.result
        sheet.write_string(at, 0, check.text, f.text)
        _formula(sheet, (at, 1), check.formula, f, check.number_format, result)
        verdict = "OK" if check.result == 0 else "CHECK"
        sheet.write_formula(
            at,
            2,
            f'=IF(B{at + 1}=0,"OK","CHECK")',
            f.get(font_size=9, align="center", bold=True),
            verdict,
        )
        sheet.write_string(at, 3, check.help, f.get(font_size=9, font_color="#595959", indent=1))
    after = body + len(checks)
    for text, style in (("OK", f.good), ("CHECK", f.bad)):
        sheet.conditional_format(
            body,
            2,
            after - 1,
            2,
            {"type": "cell", "criteria": "==", "value": f'"{text}"', "format": style},
        )
    return after


def write_summary(
    sheet: Worksheet,
    title: str,
    notes: list[str],
    found: Figures,
    sheets: Sheets,
    company_currency: str,
    f: Formats,
) -> None:
    """Fills the Summary sheet. `notes` are the lines of the title block under `title`."""
    sheet.hide_gridlines(2)
    sheet.set_column(0, 0, 46)
    sheet.set_column(1, _LAST_COLUMN, 15)
    sheet.write_string(0, 0, title, f.title)
    for row, note in enumerate(notes, 1):
        sheet.write_string(row, 0, note, f.note)
    margin_totals = _margin_table(sheet, _FIRST_TABLE_ROW, found, sheets.margin, f)
    lines_totals = _lines_table(sheet, margin_totals + 2, found, sheets.lines, company_currency, f)
    checks = _checks(found, sheets, company_currency, margin_totals, lines_totals)
    after = _checks_table(sheet, lines_totals + 2, checks, f)
    written = (sheets.lines, sheets.margin, sheets.reconciliation, sheets.conservation)
    as_text, rounded = sum(s.as_text for s in written), sum(s.rounded for s in written)
    exactness = (
        f"Excel computes with 15 digits. Longer numbers in this file: {as_text} written as text, "
        f"{rounded} rounded to 15 digits because a formula reads them. "
        "The Parquet files hold every digit."
    )
    sheet.write_string(after + 1, 0, exactness, f.note)
    sheet.freeze_panes(len(notes) + 1, 0)
    print_setup(sheet, header_row=0, last_column=_LAST_COLUMN, last_row=after + 1)
