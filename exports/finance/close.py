"""Finance's close of a month: checks, files, and one row in `ops.month_close` that attests them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from exports.canonical import lines_sha256, margin_sha256
from exports.cutover.phases import routed
from exports.finance.errors import CloseRefusedError
from exports.finance.judged import reasons_against
from exports.finance.marts import MonthData, next_month, read_month
from exports.finance.month import write_month
from exports.finance.report import make_report
from warehouse.locks import BILLING_RUN, advisory_lock
from warehouse.settings import Settings
from warehouse.tables import billed_line, month_close, odoo_push

# Live lines that are not on their orders, lines of a dual run that are not on drafts. Nothing is
# due of a period in shadow.
_UNSETTLED = routed("""
    select line_key
    from unsettled
    where period_end - 1 >= :first and period_end - 1 < :next
    order by line_key
""")


@dataclass(frozen=True)
class MonthClose:
    """The close in force. `already_closed`: lines and margin were the same, nothing was added."""

    month: dt.date
    version: int
    already_closed: bool
    files: list[Path]
    lines: int
    amount: Decimal
    lines_sha256: str


def _ledger_reasons(connection: Connection, data: MonthData) -> list[str]:
    """What speaks against the close in the ledger itself: it outranks the mart that repeats it."""
    in_month = (
        billed_line.c.period_end - 1 >= data.month,
        billed_line.c.period_end - 1 < next_month(data.month),
    )
    ledger = connection.execute(sa.select(billed_line).where(*in_month)).mappings().all()
    reasons = []
    if lines_sha256(dict(row) for row in ledger) != lines_sha256(data.lines.rows):
        reasons.append(
            f"The ledger has {len(ledger)} lines and marts.fct_billed_lines {len(data.lines.rows)}"
            " that do not say the same: `fusion-billing reconcile` builds the marts anew."
        )
    differs: Sequence[str] = (
        connection.execute(
            sa.select(billed_line.c.line_key)
            .join(odoo_push, odoo_push.c.line_key == billed_line.c.line_key)
            .where(
                *in_month,
                odoo_push.c.state.in_(("drafted", "verified", "invoiced")),
                odoo_push.c.subtotal.is_distinct_from(billed_line.c.amount),
            )
            .order_by(billed_line.c.line_key)
        )
        .scalars()
        .all()
    )
    if differs:
        reasons.append(
            f"{len(differs)} lines were read back from Odoo with another amount than the ledger's, "
            f"the first is {differs[0]}: `fusion-billing odoo push`."
        )
    unsettled: Sequence[str] = (
        connection.execute(_UNSETTLED, {"first": data.month, "next": next_month(data.month)})
        .scalars()
        .all()
    )
    if unsettled:
        reasons.append(
            f"{len(unsettled)} lines are not verified in Odoo, the first is {unsettled[0]}: "
            "`fusion-billing odoo push`."
        )
    return reasons


def _files(folder: Path, data: MonthData, version: int) -> Path:
    """Version 1 lies in `<folder>/YYYY-MM/`; a later one beside it, for closed files stay."""
    month = folder / data.label
    return month if version == 1 else month / f"version-{version}"


def close_month(
    engine: Engine,
    month: dt.date,
    folder: Path,
    *,
    manifest: Path,
    settings: Settings,
    code_version: str,
) -> MonthClose:
    """Closes the month (any day in it): checks it, writes its files, records version and hash.

    The lines and the margin of the last close add no version; files that went missing are written
    anew then, and those that are there stay. Another margin is another version: what finance was
    handed never changes its figures.
    Raises CloseRefusedError with every reason found, FinanceExportError as `export_month` does.
    Waits for a billing run that is under way, and keeps the next one out until it is done.
    """
    with engine.begin() as connection:
        advisory_lock(connection, BILLING_RUN)
        data = read_month(engine, month, settings)
        last = connection.execute(
            sa.select(month_close)
            .where(month_close.c.month == data.month)
            .order_by(month_close.c.version.desc())
            .limit(1)
        ).one_or_none()
        margin_digest = margin_sha256(data.margin.rows)
        is_same = (
            last is not None
            and last.lines_sha256 == lines_sha256(data.lines.rows)
            # Closes of before margins were signed have none.
            and last.margin_sha256 in (None, margin_digest)
        )
        version = 1 if last is None else last.version + (not is_same)
        report = make_report(
            data,
            manifest,
            company_currency=settings.company_currency,
            code_version=code_version,
            version=version,
        )
        reasons = _ledger_reasons(connection, data) + reasons_against(report.checks)
        if reasons:
            raise CloseRefusedError(data.label, reasons)
        digest = report.lines_sha256
        if last is not None and is_same:
            files = [folder / name for name in last.files]
            missing = [path.name for path in files if not path.exists()]
            if missing:
                write_month(report, _files(folder, data, version), only=missing)
            return MonthClose(data.month, version, True, files, last.lines, last.amount, digest)
        export = write_month(report, _files(folder, data, version))
        connection.execute(
            sa.insert(month_close).values(
                month=data.month,
                version=version,
                files=[path.relative_to(folder).as_posix() for path in export.files],
                lines=export.lines,
                amount=export.amount,
                lines_sha256=digest,
                margin_sha256=margin_digest,
                code_version=code_version,
            )
        )
    return MonthClose(data.month, version, False, export.files, export.lines, export.amount, digest)
