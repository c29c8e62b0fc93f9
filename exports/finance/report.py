"""A month's report: what workbook and page both show, made once, so that they cannot disagree."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from exports.canonical import lines_sha256
from exports.finance.columns import ADJUSTMENTS, EXCEPTIONS, SHEETS
from exports.finance.definitions import Definition, definitions
from exports.finance.figures import Figures, figures
from exports.finance.judged import Check, checks
from exports.finance.marts import MonthData, TableRows
from exports.finance.provenance import Section, sections


@dataclass(frozen=True)
class Report:
    """`tables` are the sheets with rows, in order. `version` is the close's, None for a draft;
    `provenance` has the files that were written before the one it goes into."""

    data: MonthData
    figures: Figures
    checks: list[Check]
    tables: list[TableRows]
    definitions: list[Definition]
    provenance: list[Section]
    lines_sha256: str
    code_version: str
    version: int | None

    @property
    def month(self) -> str:
        return f"{self.data.month:%B %Y}"

    @property
    def title(self) -> str:
        return f"Usage billing, {self.month}"

    @property
    def state(self) -> str:
        return "Draft, not closed" if self.version is None else f"Closed, version {self.version}"

    @property
    def about(self) -> str:
        return (
            f"Usage of periods that end in {self.month}; margin of its days. "
            f"All amounts in {self.figures.currency}, before tax."
        )

    @property
    def notes(self) -> list[str]:
        """The title block: what it is, who made it, what attests it."""
        return [
            f"{self.state}. {self.about}",
            f"Made by fusion-billing {self.code_version}.",
            f"{len(self.data.lines.rows):,} lines, SHA-256 {self.lines_sha256}",
        ]

    def beside(self, files: list[Path]) -> Report:
        """The same report, whose Provenance names `files` with their hashes."""
        counts = [(table.table.sheet, table.table.mart, len(table.rows)) for table in self.tables]
        return replace(self, provenance=sections(self.data.sources, counts, files))


def make_report(
    data: MonthData,
    manifest: Path,
    *,
    company_currency: str,
    code_version: str,
    version: int | None,
) -> Report:
    """The report of a month's data. FinanceExportError where dbt's manifest cannot be read."""
    found = figures(data, company_currency)
    adjustments = [row for row in data.lines.rows if row["reason"] != "period"]
    report = Report(
        data=data,
        figures=found,
        checks=checks(data, found),
        tables=[
            data.lines,
            TableRows(ADJUSTMENTS, adjustments),
            data.services,
            data.accounts,
            data.reconciliation,
            TableRows(EXCEPTIONS, found.exceptions),
            data.conservation,
        ],
        definitions=definitions(manifest, SHEETS),
        provenance=[],
        lines_sha256=lines_sha256(data.lines.rows),
        code_version=code_version,
        version=version,
    )
    return report.beside([])
