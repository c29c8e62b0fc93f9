"""One table of the Summary: a title, a header, rows of live formulas, and a row of totals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from xlsxwriter.utility import xl_col_to_name
from xlsxwriter.worksheet import Worksheet

from exports.finance.sheet import MONEY_FORMAT, Formats, WrittenSheet

COUNT_FORMAT = "#,##0"
RATIO_FORMAT = "0.0%"


@dataclass(frozen=True)
class Sheets:
    """The data sheets the formulas read."""

    lines: WrittenSheet
    adjustments: WrittenSheet
    services: WrittenSheet
    accounts: WrittenSheet
    reconciliation: WrittenSheet
    exceptions: WrittenSheet
    conservation: WrittenSheet

    @property
    def all(self) -> tuple[WrittenSheet, ...]:
        return (
            self.lines,
            self.services,
            self.accounts,
            self.reconciliation,
            self.exceptions,
            self.conservation,
        )


@dataclass(frozen=True)
class Cell:
    """`formula` by the cell's Excel row number, with `result` as what it gives; without a formula
    the result is written as it is, in a row of totals as the sum of the column."""

    formula: Callable[[int], str] | None
    result: Decimal | int | str | None
    shown: str = MONEY_FORMAT


@dataclass(frozen=True)
class Line:
    label: str
    cells: tuple[Cell, ...]
    help: str = ""
    is_total: bool = False


@dataclass(frozen=True)
class Block:
    """`lines` below a title and `headings`. `total` holds the totals where the table has a row of
    them: sums, but for the cells that bring a formula of their own."""

    title: str
    headings: tuple[str, ...]
    lines: tuple[Line, ...]
    total: tuple[Cell, ...] = ()


@dataclass(frozen=True)
class Written:
    """Rows as Excel counts them: of the first line, of the totals, and the free one after."""

    first: int
    total: int
    after: int


def _write_cell(
    sheet: Worksheet, at: tuple[int, int], cell: Cell, f: Formats, *, total: bool
) -> None:
    style = f.cell(cell.shown, total=total)
    result = cell.result
    value = float(result) if isinstance(result, Decimal | int) else (result or "")
    if cell.formula is not None:
        sheet.write_formula(*at, f"={cell.formula(at[0] + 1)}", style, value)
    elif isinstance(value, float):
        sheet.write_number(*at, value, style)
    else:
        sheet.write_string(*at, value, style)


def _same(formula: str) -> Callable[[int], str]:
    """One formula whatever the row."""
    return lambda _: formula


def write_block(sheet: Worksheet, row: int, block: Block, f: Formats) -> Written:
    """Writes the table from `row` (from 0) on."""
    sheet.write_string(row, 0, block.title, f.get(bold=True, font_size=11, font_color="#1F3864"))
    for at, heading in enumerate(block.headings):
        sheet.write_string(row + 1, at, heading, f.header("right" if at else "left"))
    sheet.set_row(row + 1, 26)
    body = row + 2
    for number, line in enumerate(block.lines, body):
        label = f.total_label if line.is_total else f.text
        sheet.write_string(number, 0, line.label, label)
        for at, cell in enumerate(line.cells, 1):
            _write_cell(sheet, (number, at), cell, f, total=line.is_total)
        if line.help:
            style = f.get(font_size=9, font_color="#595959", indent=1)
            sheet.write_string(number, len(line.cells) + 1, line.help, style)
    totals = body + len(block.lines)
    if not block.total:
        return Written(body + 1, totals, totals + 1)
    sheet.write_string(totals, 0, "Total", f.total_label)
    for at, cell in enumerate(block.total, 1):
        letter = xl_col_to_name(at)
        formula = cell.formula or _same(f"SUM({letter}{body + 1}:{letter}{totals})")
        _write_cell(sheet, (totals, at), Cell(formula, cell.result, cell.shown), f, total=True)
    return Written(body + 1, totals + 1, totals + 2)
