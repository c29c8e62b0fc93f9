"""One table as one Excel sheet: title block, totals of the rows shown, header, filter, rows.

Excel computes in doubles, which hold 15 decimal digits. A longer number is written as text, exact
but out of any sum; in a column that formulas read it stays a number, rounded to the double nearest
to it. The Parquet files hold every digit of both.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from xlsxwriter import Workbook
from xlsxwriter.format import Format
from xlsxwriter.utility import xl_col_to_name, xl_range_abs, xl_rowcol_to_cell
from xlsxwriter.worksheet import Worksheet

from exports.canonical import decimal_text
from exports.finance.errors import FinanceExportError
from exports.finance.marts import TableRows
from exports.finance.tables import Column, Kind, Row, Value

EXACT_DIGITS = 15
MAX_TEXT = 32_767
MAX_ROWS = 1_048_576
MONEY_FORMAT = "#,##0.00;[Red]-#,##0.00"
TOTALS_ROW, HEADER_ROW, FIRST_ROW = 2, 3, 4
LETTER, TABLOID = 1, 3
_MIN_WIDTH = 8
# A cell's formula by its Excel row number; the value of the row is its stored result.
Formulas = Mapping[str, Callable[[int], str]]


class Formats:
    """The workbook's cell formats, each made once."""

    def __init__(self, workbook: Workbook) -> None:
        self._workbook = workbook
        self._made: dict[tuple[tuple[str, object], ...], Format] = {}

    def get(self, **properties: object) -> Format:
        key = tuple(sorted(properties.items()))
        if key not in self._made:
            self._made[key] = self._workbook.add_format({"font_name": "Arial", **dict(key)})
        return self._made[key]

    @property
    def title(self) -> Format:
        return self.get(bold=True, font_size=14, font_color="#1F3864")

    @property
    def note(self) -> Format:
        return self.get(font_size=9, font_color="#595959")

    def header(self, align: str = "left") -> Format:
        return self.get(
            font_size=9,
            bold=True,
            font_color="#FFFFFF",
            bg_color="#1F3864",
            text_wrap=True,
            valign="vcenter",
            align=align,
            indent=1 if align == "left" else 0,
        )

    def cell(self, number_format: str = "General", *, total: bool = False) -> Format:
        if total:
            return self.get(
                font_size=9, num_format=number_format, bold=True, top=1, bg_color="#F2F2F2"
            )
        return self.get(font_size=9, num_format=number_format)

    @property
    def total_label(self) -> Format:
        return self.get(font_size=9, bold=True, top=1, bg_color="#F2F2F2", align="left", indent=1)

    @property
    def text(self) -> Format:
        return self.get(font_size=9, align="left", indent=1)

    def date(self, number_format: str) -> Format:
        return self.get(font_size=9, align="left", indent=1, num_format=number_format)

    @property
    def text_number(self) -> Format:
        return self.get(font_size=9, align="right", num_format="@")

    @property
    def good(self) -> Format:
        return self.get(bg_color="#E2EFDA", font_color="#375623")

    @property
    def bad(self) -> Format:
        return self.get(bg_color="#F8CBAD", font_color="#9C0006")

    @property
    def noted(self) -> Format:
        return self.get(bg_color="#FFF2CC")


@dataclass(frozen=True)
class WrittenSheet:
    """Where a table's columns stand, and how many of its numbers a double does not hold."""

    name: str
    columns: dict[str, str]  # column name → absolute range of its rows, with the sheet's name
    as_text: int
    rounded: int

    def __getitem__(self, column: str) -> str:
        return self.columns[column]


def significant_digits(value: Decimal) -> int:
    """Digits from the first that is not zero to the last: 1200 has 2, 0.0023 has 2, 10.01 has 4."""
    return len(decimal_text(value).lstrip("-").replace(".", "").strip("0"))


def number_format(value: Decimal, kind: Kind) -> str:
    """Money has two decimals; any other number exactly the decimals it has."""
    if kind is Kind.MONEY:
        return MONEY_FORMAT
    decimals = len(decimal_text(value).partition(".")[2])
    return "#,##0" + ("." + "0" * decimals if decimals else "")


def write_value(
    sheet: Worksheet, at: tuple[int, int], column: Column, value: Value, f: Formats
) -> None:
    """Writes a cell as its kind asks; `column.none` stands for null."""
    if value is None and not column.none:
        sheet.write_blank(*at, None, f.cell())
    elif isinstance(value, Decimal):
        if significant_digits(value) > EXACT_DIGITS and not column.read:
            sheet.write_string(*at, decimal_text(value), f.text_number)
        else:
            sheet.write_number(*at, float(value), f.cell(number_format(value, column.kind)))
    elif isinstance(value, int):
        sheet.write_number(*at, value, f.cell("#,##0" if column.read else "0"))
    elif isinstance(value, dt.datetime):
        utc = value.astimezone(dt.UTC).replace(tzinfo=None)
        sheet.write_datetime(*at, utc, f.date("yyyy-mm-dd hh:mm:ss"))
    elif isinstance(value, dt.date):
        sheet.write_datetime(*at, value, f.date("yyyy-mm-dd"))
    else:
        # write_string, never write: an account named "=…" is a name, not a formula.
        text = value or column.none
        text = text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + "…"
        sheet.write_string(*at, text, f.text)


def ratio_formula(part: str, whole: str) -> str:
    """part ÷ whole of two cells; empty without a whole, or with less than none, as in the marts."""
    return f'IF({whole}<=0,"",{part}/{whole})'


def _write_ratio(
    sheet: Worksheet,
    at: tuple[int, int],
    row: Row,
    ratio: tuple[str, str],
    names: list[str],
    f: Formats,
) -> None:
    part, whole = (row[name] for name in ratio)
    cells = [xl_rowcol_to_cell(at[0], names.index(name)) for name in ratio]
    result: float | str = ""
    if isinstance(part, Decimal) and isinstance(whole, Decimal) and whole > 0:
        result = float(part / whole)
    sheet.write_formula(*at, f"={ratio_formula(*cells)}", f.cell("0.0%"), result)


def _width(column: Column, rows: list[Row]) -> int:
    """As wide as the longest text, between a minimum and the column's own width."""
    if column.kind is not Kind.TEXT:
        return column.width
    longest = max((len(str(row[column.name])) for row in rows if row[column.name]), default=0)
    words = max(len(word) for word in column.heading.split())
    return min(column.width, max(longest, words, _MIN_WIDTH)) + 2


def print_setup(sheet: Worksheet, *, header_row: int, last_column: int, last_row: int) -> None:
    """Landscape, one page wide, the header on each page, page numbers at the foot."""
    sheet.set_landscape()
    sheet.set_paper(TABLOID if last_column > 11 else LETTER)
    sheet.fit_to_pages(1, 0)
    sheet.repeat_rows(header_row)
    sheet.print_area(0, 0, last_row, last_column)
    sheet.set_margins(left=0.4, right=0.4, top=0.6, bottom=0.6)
    sheet.set_footer("&L&8&F&C&8&A&R&8&P / &N")


def _totals(
    sheet: Worksheet, table_columns: tuple[Column, ...], rows: list[Row], last: int, f: Formats
) -> None:
    """Above each column of money the total of the rows shown: it follows the filter."""
    style = f.get(font_size=9, bold=True, num_format=MONEY_FORMAT)
    summed = [c for c in table_columns if c.read and c.kind is Kind.MONEY]
    if summed:
        sheet.write_string(TOTALS_ROW, 0, "Total of the rows shown", f.get(font_size=9, bold=True))
    for column in summed:
        at = table_columns.index(column)
        letter = xl_col_to_name(at)
        numbers = [v for row in rows if isinstance(v := row[column.name], Decimal)]
        formula = f"=SUBTOTAL(109,{letter}{FIRST_ROW + 1}:{letter}{last + 1})"
        sheet.write_formula(TOTALS_ROW, at, formula, style, float(sum(numbers, Decimal(0))))


def _long_numbers(columns: tuple[Column, ...], rows: list[Row]) -> tuple[int, int]:
    """How many numbers a double does not hold: written as text, and rounded."""
    counts = {False: 0, True: 0}
    for column in columns:
        if column.kind is not Kind.RATIO:
            values = (row[column.name] for row in rows)
            counts[column.read] += sum(
                isinstance(value, Decimal) and significant_digits(value) > EXACT_DIGITS
                for value in values
            )
    return counts[False], counts[True]


def write_sheet(
    sheet: Worksheet,
    source: TableRows,
    subtitle: str,
    f: Formats,
    formulas: Formulas | None = None,
) -> WrittenSheet:
    """Fills `sheet` with the table's rows in order. FinanceExportError where they do not fit."""
    table, rows = source.table, source.rows
    columns, names = table.columns, [column.name for column in table.columns]
    if len(rows) > MAX_ROWS - FIRST_ROW:
        raise FinanceExportError(
            f"{len(rows)} rows do not fit on the sheet {table.sheet} (Excel holds {MAX_ROWS:,}). "
            f"Query marts.{table.mart} for it."
        )
    last = max(FIRST_ROW + len(rows) - 1, FIRST_ROW)
    sheet.write_string(0, 0, f"{table.sheet}: {table.question}", f.title)
    sheet.write_string(1, 0, subtitle, f.note)
    _totals(sheet, columns, rows, last, f)
    ranges = {}
    for at, column in enumerate(columns):
        heading = f.header("right" if column.kind.is_right else "left")
        sheet.write_string(HEADER_ROW, at, column.heading, heading)
        sheet.set_column(at, at, _width(column, rows))
        ranges[column.name] = f"'{table.sheet}'!{xl_range_abs(FIRST_ROW, at, last, at)}"
    for number, row in enumerate(rows, FIRST_ROW):
        for at, column in enumerate(columns):
            value = row[column.name]
            if column.ratio is not None:
                _write_ratio(sheet, (number, at), row, column.ratio, names, f)
            elif formulas and column.name in formulas and isinstance(value, Decimal):
                formula = f"={formulas[column.name](number + 1)}"
                shown = f.cell(number_format(value, column.kind))
                sheet.write_formula(number, at, formula, shown, float(value))
            else:
                write_value(sheet, (number, at), column, value, f)
    sheet.set_row(HEADER_ROW, 26)
    sheet.freeze_panes(FIRST_ROW, 0)
    sheet.autofilter(HEADER_ROW, 0, last, len(names) - 1)
    printed = names.index(table.printed) if table.printed else len(names) - 1
    print_setup(sheet, header_row=HEADER_ROW, last_column=printed, last_row=last)
    return WrittenSheet(table.sheet, ranges, *_long_numbers(columns, rows))
