"""The month's files for finance: a workbook and three Parquet files, all of them or none."""

from __future__ import annotations

import datetime as dt
import tempfile
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from exports.canonical import lines_sha256
from exports.finance.errors import FinanceExportError
from exports.finance.figures import ZERO
from exports.finance.marts import MonthData, read_month
from exports.finance.parquet import write_parquet
from exports.finance.workbook import write_workbook
from warehouse.tables import billed_line, month_close


@dataclass(frozen=True)
class MonthExport:
    """What was written. `amount` sums the month's lines in company currency, before tax."""

    files: list[Path]
    lines: int
    amount: Decimal
    lines_sha256: str


def write_month(
    data: MonthData,
    folder: Path,
    *,
    company_currency: str,
    code_version: str,
    version: int | None = None,
) -> MonthExport:
    """Writes the files of `data` into `folder`: all of them under temporary names first.

    Raises FinanceExportError where they cannot be written; files of an earlier export then stay.
    """
    digest = lines_sha256(data.lines.rows)
    label = data.label
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".writing-", dir=folder) as temporary:
            unfinished = Path(temporary)
            write_workbook(
                data,
                unfinished / f"fusion-billing-{label}.xlsx",
                company_currency=company_currency,
                code_version=code_version,
                lines_sha256=digest,
                version=version,
            )
            write_parquet(data.lines, unfinished / f"lines-{label}.parquet")
            write_parquet(data.reconciliation, unfinished / f"reconciliation-{label}.parquet")
            write_parquet(data.margin, unfinished / f"margin-{label}.parquet")
            files = [path.replace(folder / path.name) for path in sorted(unfinished.iterdir())]
    except OSError as error:
        raise FinanceExportError(
            f"The files of {label} could not be written: {error}. "
            f"Mend {folder} and run `fusion-billing close {label}` again."
        ) from error
    ours = [row for row in data.lines.rows if row["currency"] == company_currency]
    amount = sum((value for row in ours if isinstance(value := row["amount"], Decimal)), ZERO)
    return MonthExport(files, len(data.lines.rows), amount, digest)


def export_month(
    engine_or_url: Engine | str,
    month: dt.date,
    folder: Path,
    *,
    company_currency: str = "CAD",
    code_version: str,
) -> MonthExport:
    """Writes the month's files, as a draft, into `<folder>/YYYY-MM/`. `month` is any day in it.

    Raises FinanceExportError where marts are missing, the month has no lines, or a file cannot be
    written; nothing half written stays.
    """
    data = read_month(engine_or_url, month)
    return write_month(
        data,
        folder / data.label,
        company_currency=company_currency,
        code_version=code_version,
    )


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
