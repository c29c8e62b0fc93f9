"""The month's workbook. The same data give the same bytes: no clock, no random id goes in."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from xlsxwriter import Workbook
from xlsxwriter.worksheet import Worksheet

from exports.finance.columns import LINES, MARTS, RECONCILIATION
from exports.finance.figures import figures
from exports.finance.marts import MonthData
from exports.finance.sheet import FIRST_ROW, Formats, WrittenSheet, write_sheet
from exports.finance.summary import Sheets, write_summary


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


def _colour(sheets: dict[str, Worksheet], written: Sheets, data: MonthData, f: Formats) -> None:
    """Red: someone must look. Yellow: it differs, and the reason is known."""
    first = FIRST_ROW + 1

    def cell(of: WrittenSheet, column: str) -> str:
        return f"${of[column].split('$')[1]}{first}"

    lines, reconciliation = written.lines, written.reconciliation
    pushed = cell(lines, "push_state")
    _colour_rows(
        sheets[LINES.sheet],
        lines,
        len(data.lines.rows),
        f'=OR({pushed}="refused",{pushed}="differs")',
        f.bad,
    )
    _colour_rows(
        sheets[LINES.sheet],
        lines,
        len(data.lines.rows),
        f'={cell(lines, "reason")}<>"period"',
        f.noted,
    )
    status, reason = cell(reconciliation, "status"), cell(reconciliation, "reason")
    for formula, style in (
        (f'=AND({status}="difference",{reason}="unexplained")', f.bad),
        (f'={status}="difference"', f.noted),
    ):
        _colour_rows(
            sheets[RECONCILIATION.sheet],
            reconciliation,
            len(data.reconciliation.rows),
            formula,
            style,
        )
    conservation = written.conservation
    differences = [cell(conservation, f"{name}_difference") for name in ("counters", "quantity")]
    _colour_rows(
        sheets[conservation.name],
        conservation,
        len(data.conservation.rows),
        f"=OR({differences[0]}<>0,{differences[1]}<>0)",
        f.bad,
    )


def write_workbook(
    data: MonthData,
    path: Path,
    *,
    company_currency: str,
    code_version: str,
    lines_sha256: str,
    version: int | None,
) -> None:
    """Writes the workbook to `path`. `version` is the close's, None for a draft."""
    month = f"{data.month:%B %Y}"
    state = "Draft, not closed" if version is None else f"Closed, version {version}"
    with Workbook(str(path), {"in_memory": True}) as workbook:
        f = Formats(workbook)
        title = f"Usage billing, {month}"
        workbook.set_properties(
            {
                "title": title,
                "author": "fusion-billing",
                "comments": f"Code version {code_version}, lines SHA-256 {lines_sha256}",
                # A clock here would make every copy another file.
                "created": dt.datetime.combine(data.month, dt.time()),
            }
        )
        summary = workbook.add_worksheet("Summary")
        sheets = {mart.sheet: workbook.add_worksheet(mart.sheet) for mart in MARTS}
        subtitle = f"{month}. Amounts in {company_currency} unless the row says otherwise. {state}."
        subtitle += f" Made by fusion-billing {code_version}."
        rows = (data.lines, data.margin, data.reconciliation, data.conservation)
        written = Sheets(*(write_sheet(sheets[r.mart.sheet], r, subtitle, f) for r in rows))
        _colour(sheets, written, data, f)
        notes = [
            f"{state}. Usage of periods that end in {month}. All amounts in {company_currency}, "
            "before tax.",
            f"Made by fusion-billing {code_version}.",
            f"{len(data.lines.rows):,} lines, SHA-256 {lines_sha256}",
        ]
        found = figures(data, company_currency)
        write_summary(summary, title, notes, found, written, company_currency, f)
        summary.activate()
