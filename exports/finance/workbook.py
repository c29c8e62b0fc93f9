"""The month's workbook. The same data give the same bytes: no clock, no random id goes in."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path

from xlsxwriter import Workbook
from xlsxwriter.worksheet import Worksheet

from exports.finance.block import Sheets
from exports.finance.columns import SHEETS, SUMMED
from exports.finance.marts import TableRows
from exports.finance.reference_sheets import write_definitions, write_provenance
from exports.finance.report import Report
from exports.finance.sheet import FIRST_ROW, Formats, Formulas, WrittenSheet, write_sheet
from exports.finance.summary import write_summary


def _colour_rows(
    sheet: Worksheet, cells: WrittenSheet, rows: int, formula: str, style: object
) -> None:
    sheet.conditional_format(
        FIRST_ROW,
        0,
        FIRST_ROW + max(rows, 1) - 1,
        len(cells.columns) - 1,
        {"type": "formula", "criteria": formula, "format": style, "stop_if_true": True},
    )


def _colour(sheets: dict[str, Worksheet], written: Sheets, report: Report, f: Formats) -> None:
    """Red: someone must look. Yellow: it differs, and the reason is known."""
    first = FIRST_ROW + 1
    rows = {table.table.sheet: len(table.rows) for table in report.tables}

    def cell(of: WrittenSheet, column: str) -> str:
        return f"${of[column].split('$')[1]}{first}"

    def colour(of: WrittenSheet, formula: str, style: object) -> None:
        _colour_rows(sheets[of.name], of, rows[of.name], formula, style)

    for lines in (written.lines, written.adjustments):
        pushed = cell(lines, "push_state")
        colour(lines, f'=OR({pushed}="refused",{pushed}="differs")', f.bad)
    colour(written.lines, f'={cell(written.lines, "reason")}<>"period"', f.noted)
    reconciliation = written.reconciliation
    status, reason = cell(reconciliation, "status"), cell(reconciliation, "reason")
    colour(reconciliation, f'=AND({status}="difference",{reason}="unexplained")', f.bad)
    colour(reconciliation, f'={status}="difference"', f.noted)
    kind = cell(written.exceptions, "kind")
    colour(
        written.exceptions,
        f'=OR({kind}="unexplained_difference",{kind}="refused_by_odoo",{kind}="differs_in_odoo")',
        f.bad,
    )
    conservation = written.conservation
    differences = [cell(conservation, f"{name}_difference") for name in ("counters", "quantity")]
    colour(conservation, f"=OR({differences[0]}<>0,{differences[1]}<>0)", f.bad)


def _service_formulas(accounts: WrittenSheet) -> Formulas:
    """Each amount of a service as the sum of its accounts. Its month and name stand in A and B."""

    def of(name: str) -> Callable[[int], str]:
        where = f"{accounts[name]},{accounts['service_code']}"
        return lambda row: f"ROUND(SUMIFS({where},$B{row}),2)"

    return {name: of(name) for name in SUMMED}


def _data_sheets(
    sheets: dict[str, Worksheet], tables: list[TableRows], subtitle: str, f: Formats
) -> Sheets:
    by_name = {table.table.sheet: table for table in tables}
    written = {}
    for name, source in by_name.items():
        if name != "Margin by service":
            written[name] = write_sheet(sheets[name], source, subtitle, f)
    services = write_sheet(
        sheets["Margin by service"],
        by_name["Margin by service"],
        subtitle,
        f,
        _service_formulas(written["Margin by account"]),
    )
    return Sheets(
        lines=written["Invoice lines"],
        adjustments=written["Adjustments"],
        services=services,
        accounts=written["Margin by account"],
        reconciliation=written["Reconciliation"],
        exceptions=written["Exceptions"],
        conservation=written["Conservation"],
    )


def write_workbook(report: Report, path: Path) -> None:
    """Writes the workbook to `path`."""
    with Workbook(str(path), {"in_memory": True}) as workbook:
        f = Formats(workbook)
        workbook.set_properties(
            {
                "title": report.title,
                "author": "fusion-billing",
                "comments": f"Code version {report.code_version}, "
                f"lines SHA-256 {report.lines_sha256}",
                # A clock here would make every copy another file.
                "created": dt.datetime.combine(report.data.month, dt.time()),
            }
        )
        summary = workbook.add_worksheet("Summary")
        sheets = {table.sheet: workbook.add_worksheet(table.sheet) for table in SHEETS}
        subtitle = (
            f"{report.month}. Amounts in {report.figures.currency} unless the row says otherwise. "
            f"{report.state}. Made by fusion-billing {report.code_version}."
        )
        written = _data_sheets(sheets, report.tables, subtitle, f)
        _colour(sheets, written, report, f)
        write_definitions(workbook.add_worksheet("Definitions"), report.definitions, subtitle, f)
        write_provenance(workbook.add_worksheet("Provenance"), report, subtitle, f)
        write_summary(
            summary, report.title, report.notes, report.figures, report.checks, written, f
        )
        summary.activate()
