"""The workbook's last two sheets: what the columns mean, and where the figures come from."""

from __future__ import annotations

from xlsxwriter.worksheet import Worksheet

from exports.finance.definitions import Definition
from exports.finance.report import Report
from exports.finance.sheet import (
    FIRST_ROW,
    HEADER_ROW,
    Formats,
    print_setup,
    write_value,
)
from exports.finance.tables import Column, Kind

_DEFINED = (("Sheet", 18), ("Column", 22), ("What it is", 90), ("Mart", 24), ("In the mart", 24))
_ANY = Column("", "", Kind.TEXT)
_PROVENANCE_WIDTHS = (34, 30, 22, 22, 22, 22, 24, 16, 20, 20, 14, 66)


def _title(sheet: Worksheet, title: str, subtitle: str, f: Formats) -> None:
    sheet.hide_gridlines(2)
    sheet.write_string(0, 0, title, f.title)
    sheet.write_string(1, 0, subtitle, f.note)


def write_definitions(
    sheet: Worksheet, defined: list[Definition], subtitle: str, f: Formats
) -> None:
    """One row per column shown."""
    _title(sheet, "Definitions: what every column means, as its model promises it.", subtitle, f)
    for at, (heading, width) in enumerate(_DEFINED):
        sheet.write_string(HEADER_ROW, at, heading, f.header())
        sheet.set_column(at, at, width)
    wrapped = f.get(font_size=9, text_wrap=True, valign="top")
    for row, one in enumerate(defined, FIRST_ROW):
        for at, text in enumerate((one.sheet, one.heading, one.text, one.mart, one.column)):
            sheet.write_string(row, at, text, wrapped if at == 2 else f.text)
    last = FIRST_ROW + len(defined) - 1
    sheet.freeze_panes(FIRST_ROW, 0)
    sheet.autofilter(HEADER_ROW, 0, last, len(_DEFINED) - 1)
    print_setup(sheet, header_row=HEADER_ROW, last_column=len(_DEFINED) - 1, last_row=last)


def write_provenance(sheet: Worksheet, report: Report, subtitle: str, f: Formats) -> None:
    """One table under the other, widest last column last: hashes."""
    _title(sheet, "Provenance: where these figures come from.", subtitle, f)
    for at, width in enumerate(_PROVENANCE_WIDTHS):
        sheet.set_column(at, at, width)
    sheet.write_string(HEADER_ROW, 0, "Lines of the month, SHA-256", f.total_label)
    sheet.write_string(HEADER_ROW, 1, report.lines_sha256, f.text)
    row = FIRST_ROW + 1
    for section in report.provenance:
        sheet.write_string(row, 0, section.title, f.get(bold=True, font_size=11))
        for at, heading in enumerate(section.headings):
            sheet.write_string(row + 1, at, heading, f.header())
        for number, cells in enumerate(section.rows, row + 2):
            for at, value in enumerate(cells):
                write_value(sheet, (number, at), _ANY, value, f)
        if not section.rows:
            sheet.write_string(row + 2, 0, "none", f.note)
        row += max(len(section.rows), 1) + 3
    sheet.freeze_panes(FIRST_ROW, 0)
    print_setup(sheet, header_row=0, last_column=len(_PROVENANCE_WIDTHS) - 1, last_row=row - 1)
