"""The month's files for finance: workbook, page and three Parquet files, all of them or none."""

from __future__ import annotations

import datetime as dt
import tempfile
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from exports.finance.errors import FinanceExportError
from exports.finance.figures import total_of
from exports.finance.marts import read_month
from exports.finance.parquet import write_parquet
from exports.finance.report import Report, make_report
from exports.finance.workbook import write_workbook
from warehouse.tables import billed_line, month_close


@dataclass(frozen=True)
class MonthExport:
    """What was written. `amount` sums the month's lines in company currency, before tax."""

    files: list[Path]
    lines: int
    amount: Decimal
    lines_sha256: str


def write_month(report: Report, folder: Path) -> MonthExport:
    """Writes the files of `report` into `folder`: all of them under temporary names first.

    Raises FinanceExportError where they cannot be written; files of an earlier export then stay.
    """
    # Altair takes a second to import, which every Dagster process and every refusal would pay.
    from exports.finance.page import write_page

    data, label = report.data, report.data.label
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".writing-", dir=folder) as temporary:
            unfinished = Path(temporary)
            write_parquet(data.lines, unfinished / f"lines-{label}.parquet")
            write_parquet(data.margin, unfinished / f"margin-{label}.parquet")
            write_parquet(data.reconciliation, unfinished / f"reconciliation-{label}.parquet")
            # Each names the ones before it with their hash; the workbook, written last, all.
            name = f"fusion-billing-{label}"
            write_page(_beside(report, unfinished), unfinished / f"{name}.html")
            write_workbook(_beside(report, unfinished), unfinished / f"{name}.xlsx")
            files = [path.replace(folder / path.name) for path in sorted(unfinished.iterdir())]
    except OSError as error:
        raise FinanceExportError(
            f"The files of {label} could not be written: {error}. "
            f"Mend {folder} and run `fusion-billing close {label}` again."
        ) from error
    ours = [row for row in data.lines.rows if row["currency"] == report.figures.currency]
    return MonthExport(files, len(data.lines.rows), total_of(ours, "amount"), report.lines_sha256)


def _beside(report: Report, folder: Path) -> Report:
    return report.beside(sorted(folder.iterdir()))


def export_month(
    engine_or_url: Engine | str,
    month: dt.date,
    folder: Path,
    *,
    manifest: Path,
    company_currency: str = "CAD",
    code_version: str,
) -> MonthExport:
    """Writes the month's files, as a draft, into `<folder>/YYYY-MM/`. `month` is any day in it;
    `manifest` is dbt's manifest.json.

    Raises FinanceExportError where marts are missing, the month has no lines, or a file cannot be
    written; nothing half written stays.
    """
    data = read_month(engine_or_url, month, company_currency=company_currency)
    report = make_report(
        data,
        manifest,
        company_currency=company_currency,
        code_version=code_version,
        version=None,
    )
    return write_month(report, folder / data.label)


def open_months(engine: Engine) -> list[dt.date]:
    """First days of the months that have billed lines and are not closed, oldest first."""
    last_day = billed_line.c.period_end - 1
    month = sa.cast(sa.func.date_trunc("month", last_day), sa.Date)
    with engine.connect() as connection:
        return list(
            connection.execute(
                sa.select(month)
                .where(month.not_in(sa.select(month_close.c.month)))
                .distinct()
                .order_by(month)
            ).scalars()
        )
