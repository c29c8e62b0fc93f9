"""The ledger held against a rating, byte for byte, and each run against what it attested."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, localcontext
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from exports.billing_run import BillingRunError, last_period_end
from exports.canonical import FIELDS, canonical, lines_sha256
from exports.ledger_differences import Scope, differences
from warehouse.settings import Settings
from warehouse.tables import billed_line, billing_run

_SUMMED = ("quantity_used", "quantity_included", "quantity_billed", "amount", "amount_precise")
Line = dict[str, Any]
Key = tuple[str, str]  # rated line, currency


class ReplayError(BillingRunError):
    """Nothing was compared. The message names the reason and the next command."""


@dataclass(frozen=True)
class RunCheck:
    """One run that wrote lines of the month, or that lacks lines, over all of its lines."""

    run_id: int
    lines: int
    recorded_sha256: str
    recomputed_sha256: str
    holds: bool


@dataclass(frozen=True)
class Difference:
    """A rated line that the ledger says otherwise than raw. `kind` is the reason under which the
    next run settles it (`late_usage`: came in since, `period`, `void`, `correction`), or
    `moves_no_money`: other bytes in what no run bills by (the quota, the account, a price that
    comes to the same cents), which stays as it was billed."""

    line_key: str
    kind: str
    currency: str
    fields: list[str]  # what differs; empty where one side has no such line
    ledger_amount: Decimal | None
    rebuilt_amount: Decimal | None


@dataclass(frozen=True)
class ReplayResult:
    """`open_lines` are of periods that no run has reached: they are not compared."""

    month: date
    service_code: str | None
    identical: bool
    lines: int
    open_lines: int
    ledger_sha256: str
    rebuilt_sha256: str
    runs: list[RunCheck]
    differences: list[Difference]


def compare(
    connection: Connection,
    settings: Settings,
    *,
    month: date,
    service_code: str | None = None,
    prefix: str,
) -> ReplayResult:
    """The comparison alone, with the rating in the schemas of this prefix."""
    ledger, runs = _ledger(connection, month, service_code)
    if not ledger:
        raise ReplayError(
            f"Nothing of {month:%Y-%m} is billed"
            f"{f' for {service_code}' if service_code else ''}: "
            "`fusion-billing run` comes first, or another month."
        )
    reached = _reached(connection, settings)
    rated = _rated(connection, month, service_code, prefix, [key for key, _ in ledger])
    closed = {
        key: line
        for key, line in rated.items()
        if key in ledger or line["period_end"] <= _end_reached(reached, line["service_code"])
    }
    scope = Scope(max(reached.values()), service_code)
    reasons = {
        (line["rated_line_key"], line["currency"]): str(line["reason"])
        for line in differences(connection, scope, prefix=prefix)
    }
    found = list(_compared(ledger, closed, reasons))
    checks = _checks(connection, runs | _runs_of_other_length(connection))
    return ReplayResult(
        month=month,
        service_code=service_code,
        identical=not found and all(check.holds for check in checks),
        lines=len(ledger),
        open_lines=len(rated) - len(closed),
        ledger_sha256=_sha256(ledger.values()),
        rebuilt_sha256=_sha256(closed.values()),
        runs=checks,
        differences=found,
    )


def _in_month(month: date) -> list[sa.ColumnElement[bool]]:
    """A line belongs to the month of its period's last day, as in finance's close."""
    following = date(month.year + month.month // 12, month.month % 12 + 1, 1)
    last_day = billed_line.c.period_end - 1
    return [last_day >= month.replace(day=1), last_day < following]


def _ledger(
    connection: Connection, month: date, service_code: str | None
) -> tuple[dict[Key, Line], set[int]]:
    """What the ledger says of each rated line of the month in the end, and the runs that said it.
    A line is of the month where any of its ledger lines is: a period may have been cut since."""
    wanted = sa.select(billed_line.c.rated_line_key).where(*_in_month(month))
    if service_code:
        wanted = wanted.where(billed_line.c.service_code == service_code)
    found = connection.execute(
        sa.select(billed_line)
        .where(billed_line.c.rated_line_key.in_(wanted))
        .order_by(billed_line.c.rated_line_key, billed_line.c.adjustment_no)
    ).mappings()
    summed: dict[Key, Line] = {}
    runs: set[int] = set()
    for row in found:
        runs.add(row["run_id"])
        line = _as_rated(row, row["rated_line_key"])
        before = summed.get((row["rated_line_key"], row["currency"]))
        if before is not None:
            with localcontext(prec=1000):
                line |= {name: line[name] + before[name] for name in _SUMMED}
        summed[row["rated_line_key"], row["currency"]] = line
    return summed, runs


def _as_rated(row: Mapping[Any, Any], key: str) -> Line:
    """The row in the form that both sides are put into: one line, whichever run it came from."""
    line = {name: row[name] for name in FIELDS if name in row}
    return {
        **line,
        "line_key": key,
        "rated_line_key": key,
        "adjustment_no": 0,
        "reason": "period",
    }


def _says_something(line: Mapping[str, Any]) -> bool:
    return bool(line.get("quantity_billed") or line.get("amount"))


def _rated(
    connection: Connection,
    month: date,
    service_code: str | None,
    prefix: str,
    keys: Sequence[str],
) -> dict[Key, Line]:
    rows = connection.execute(
        sa.text(f"""
            select * from {prefix}marts.fct_rated_lines
            where
                (
                    date_trunc('month', period_end - 1) = date_trunc('month', cast(:month as date))
                    or line_key = any(:keys)
                )
                and (cast(:service as text) is null or service_code = :service)
        """),  # noqa: S608 - our own prefix
        {"month": month, "service": service_code, "keys": list(keys)},
    ).mappings()
    return {(row["line_key"], row["currency"]): _as_rated(row, row["line_key"]) for row in rows}


def _reached(connection: Connection, settings: Settings) -> dict[str | None, date]:
    """The latest period end that a run has billed, by service; None for runs of all services."""
    rows = connection.execute(
        sa.select(
            billing_run.c.service_code, sa.func.max(billing_run.c.run_date).label("run_date")
        ).group_by(billing_run.c.service_code)
    ).mappings()
    return {row["service_code"]: last_period_end(row["run_date"], settings) for row in rows}


def _end_reached(reached: Mapping[str | None, date], service_code: str) -> date:
    return max(reached.get(None, date.min), reached.get(service_code, date.min))


def _compared(
    ledger: Mapping[Key, Line], rated: Mapping[Key, Line], reasons: Mapping[Key, str]
) -> Iterator[Difference]:
    for key in sorted({*ledger, *rated}):
        billed, rebuilt = ledger.get(key), rated.get(key)
        if billed is None or rebuilt is None:
            # What amounts to nothing is not billed; what was taken back is as good as not billed.
            if not _says_something(billed or rebuilt or {}):
                continue
            fields = []
        elif canonical(billed) == canonical(rebuilt):
            continue
        else:
            fields = [name for name in FIELDS if billed[name] != rebuilt[name]]
        yield Difference(
            line_key=key[0],
            kind=reasons.get(key, "moves_no_money"),
            currency=key[1],
            fields=fields,
            ledger_amount=billed["amount"] if billed else None,
            rebuilt_amount=rebuilt["amount"] if rebuilt else None,
        )


def _sha256(lines: Iterable[Line]) -> str:
    """Over the canonical texts of all that says something, in the order of their bytes."""
    texts = sorted(canonical(line) for line in lines if _says_something(line))
    return hashlib.sha256(b"".join(texts)).hexdigest()


def _runs_of_other_length(connection: Connection) -> set[int]:
    """Runs whose lines are not as many as they wrote: all of a month's might have been taken."""
    standing = sa.func.count(billed_line.c.line_key)
    found: Iterable[int] = connection.execute(
        sa.select(billing_run.c.run_id)
        .outerjoin(billed_line, billed_line.c.run_id == billing_run.c.run_id)
        .group_by(billing_run.c.run_id)
        .having(standing != billing_run.c.lines)
    ).scalars()
    return set(found)


def _checks(connection: Connection, runs: Iterable[int]) -> list[RunCheck]:
    """Every run over all of its lines, those of other months and services too."""
    lines: dict[int, list[Line]] = {run_id: [] for run_id in runs}
    rows = connection.execute(
        sa.select(billed_line).where(billed_line.c.run_id.in_(lines))
    ).mappings()
    for row in rows:
        lines[row["run_id"]].append(dict(row))
    recorded = connection.execute(
        sa.select(billing_run.c.run_id, billing_run.c.lines_sha256)
        .where(billing_run.c.run_id.in_(lines))
        .order_by(billing_run.c.run_id)
    ).mappings()
    checks = []
    for run in recorded:
        standing = lines[run["run_id"]]
        recomputed = lines_sha256(standing)
        checks.append(
            RunCheck(
                run_id=run["run_id"],
                lines=len(standing),
                recorded_sha256=run["lines_sha256"],
                recomputed_sha256=recomputed,
                holds=run["lines_sha256"] == recomputed,
            )
        )
    return checks
