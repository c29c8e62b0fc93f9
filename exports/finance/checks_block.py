"""The Summary's checks with their verdicts; live where a sheet holds what they look at."""

from __future__ import annotations

from xlsxwriter.worksheet import Worksheet

from exports.finance.block import COUNT_FORMAT, Block, Cell, Line, Sheets, Written
from exports.finance.figures import Figures
from exports.finance.judged import Check
from exports.finance.sheet import MONEY_FORMAT, Formats
from exports.finance.tables import Kind

NO_ROWS = "no rows"
_SHOWN = {Kind.MONEY: MONEY_FORMAT, Kind.INTEGER: COUNT_FORMAT, Kind.NUMBER: "General"}


def _formulas(sheets: Sheets, found: Figures, lines_table: Written) -> dict[str, str]:
    """The checks that the workbook itself can repeat, by name."""
    lines, accounts = sheets.lines, sheets.accounts
    status, reason = sheets.reconciliation["status"], sheets.reconciliation["reason"]
    ours = f'{lines["currency"]},"{found.currency}"'

    def largest(name: str) -> str:
        cells = sheets.conservation[name]
        return f'IF(COUNT({cells})=0,"{NO_ROWS}",MAX(MAX({cells}),-MIN({cells})))'

    def gap(*terms: str) -> str:
        """Rows in which the first two terms do not add up to the third."""
        first, second, third = (
            f"{term[0]}{accounts[term[1:]]}" if term[0] in "+-" else accounts[term]
            for term in terms
        )
        return f"(ROUND({first}{second}-{third},2)<>0)"

    across = (
        gap("usage_revenue", "+base_revenue", "revenue"),
        gap("revenue", "-cogs", "margin"),
        gap("invoiced_usage", "+invoiced_base", "invoiced_revenue"),
        gap("invoiced_revenue", "-cogs", "invoiced_margin"),
    )
    return {
        "billed": f"ROUND(SUMIFS({lines['amount']},{ours})-G{lines_table.total},2)",
        "foreign": f"COUNTA({lines['currency']})-COUNTIF({ours})",
        "conservation_counters": largest("counters_difference"),
        "conservation_quantity": largest("quantity_difference"),
        "unexplained": f'IF(COUNTA({status})=0,"{NO_ROWS}",'
        f'COUNTIFS({status},"difference",{reason},"unexplained")'
        f'+COUNTIFS({status},"difference",{reason},""))',
        "margin_across": f"SUMPRODUCT(--({'+'.join(across)}>0))",
    }


def checks_block(
    judged: list[Check], sheets: Sheets, found: Figures, lines_table: Written
) -> Block:
    """The table of the checks. `lines_table` is where the usage lines by service stand."""
    formulas = _formulas(sheets, found, lines_table)

    def line(check: Check) -> Line:
        formula = formulas.get(check.name)
        return Line(
            check.text,
            (
                Cell(
                    None if formula is None else lambda _: formula,
                    NO_ROWS if check.value is None else check.value,
                    _SHOWN[check.kind],
                ),
                Cell(
                    lambda row: f'IF(B{row}=0,"OK","CHECK")',
                    "OK" if check.holds else "CHECK",
                    "General",
                ),
            ),
            check.says + ("" if formula else " Asked of the warehouse when the file was made."),
        )

    return Block(
        "Checks", ("Check", "Value", "Verdict", "What it says"), tuple(line(c) for c in judged)
    )


def colour_verdicts(sheet: Worksheet, at: Written, count: int, f: Formats) -> None:
    for text, style in (("OK", f.good), ("CHECK", f.bad)):
        sheet.conditional_format(
            at.first - 1,
            2,
            at.first - 2 + count,
            2,
            {"type": "cell", "criteria": "==", "value": f'"{text}"', "format": style},
        )
