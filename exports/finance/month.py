"""The month's files for finance: workbook, page and three Parquet files, each of them whole."""

from __future__ import annotations

import datetime as dt
import tempfile
from collections.abc import Callable, Collection
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from exports.finance.errors import FinanceExportError
from exports.finance.figures import total_of
from exports.finance.marts import read_month
from exports.finance.parquet import write_parquet
from exports.finance.report import Report, make_report
from exports.finance.workbook import write_workbook
from warehouse.locks import BILLING_RUN, advisory_lock
from warehouse.settings import Settings
from warehouse.tables import billed_line, month_close


@dataclass(frozen=True)
class MonthExport:
    """What was written. `amount` sums the month's lines in company currency, before tax."""

    files: list[Path]
    lines: int
    amount: Decimal
    lines_sha256: str


def _writers(report: Report) -> dict[str, Callable[[Report, Path], None]]:
    """How each file is written, by name, from the report with the files beside it."""
    # Altair takes a second to import, which every Dagster process and every refusal would pay.
    from exports.finance.page import write_page

    data, label = report.data, report.data.label
    return {
        f"lines-{label}.parquet": lambda _, path: write_parquet(data.lines, path),
        f"margin-{label}.parquet": lambda _, path: write_parquet(data.margin, path),
        f"reconciliation-{label}.parquet": lambda _, path: write_parquet(data.reconciliation, path),
        # Each names the ones before it with their hash; the workbook, written last, all.
        f"fusion-billing-{label}.html": write_page,
        f"fusion-billing-{label}.xlsx": write_workbook,
    }


def write_month(
    report: Report, folder: Path, *, only: Collection[str] | None = None
) -> MonthExport:
    """Writes the files of `report` into `folder`: all of them under temporary names first. `only`
    names those to write, where the others are there and stay as they are.

    Raises FinanceExportError where they cannot be written; files of an earlier export then stay.
    """
    data, label = report.data, report.data.label
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".writing-", dir=folder) as temporary:
            unfinished: list[Path] = []
            beside: list[Path] = []
            for name, write in _writers(report).items():
                if only is None or name in only:
                    unfinished.append(Path(temporary) / name)
                    write(report.beside(sorted(beside, key=_name)), unfinished[-1])
                    beside.append(unfinished[-1])
                else:
                    beside.append(folder / name)
            for path in unfinished:
                path.replace(folder / path.name)
            files = sorted(folder / path.name for path in beside)
    except OSError as error:
        raise FinanceExportError(
            f"The files of {label} could not be written: {error}. "
            f"Mend {folder} and run `fusion-billing close {label}` again."
        ) from error
    ours = [row for row in data.lines.rows if row["currency"] == report.figures.currency]
    return MonthExport(files, len(data.lines.rows), total_of(ours, "amount"), report.lines_sha256)


def _name(path: Path) -> str:
    return path.name


def export_month(
    engine_or_url: Engine | str,
    month: dt.date,
    folder: Path,
    *,
    manifest: Path,
    settings: Settings,
    code_version: str,
) -> MonthExport:
    """Writes the month's files, as a draft, into `<folder>/YYYY-MM/`. `month` is any day in it;
    `manifest` is dbt's manifest.json.

    Raises FinanceExportError where marts are missing, the month has no lines, or a file cannot be
    written; nothing half written stays.
    """
    data = read_month(engine_or_url, month, settings)
    report = make_report(
        data,
        manifest,
        company_currency=settings.company_currency,
        code_version=code_version,
        version=None,
    )
    return write_month(report, folder / data.label)


def export_open_month(
    engine: Engine,
    month: dt.date,
    folder: Path,
    *,
    manifest: Path,
    settings: Settings,
    code_version: str,
) -> MonthExport | None:
    """As `export_month`, unless the month is closed by now: a draft must not replace the files that
    were attested. Waits for a close or a billing run that is under way, and keeps the next one out
    until it is done."""
    with engine.begin() as connection:
        advisory_lock(connection, BILLING_RUN)
        if _is_closed(connection, month.replace(day=1)):
            return None
        return export_month(
            engine,
            month,
            folder,
            manifest=manifest,
            settings=settings,
            code_version=code_version,
        )


def _is_closed(connection: Connection, month: dt.date) -> bool:
    closed = sa.select(sa.exists().where(month_close.c.month == month))
    return bool(connection.execute(closed).scalar_one())


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
