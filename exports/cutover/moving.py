"""Moving a service from phase to phase: forward through the gate, back with a reason."""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict, replace
from decimal import Decimal
from typing import Any

from sqlalchemy.engine import Connection, Engine

from exports.cutover.decisions import (
    CutoverError,
    CutoverRefusedError,
    Decision,
    billed_already,
    decide,
    lock,
    newest,
)
from exports.cutover.gate import Gate, gate
from exports.cutover.month_parity import Acceptable, next_month
from exports.cutover.phases import Phase
from warehouse.services import known_services, require_service
from warehouse.settings import Settings

_FURTHEST = dt.timedelta(days=366)  # a year, leap or not


def status(
    engine: Engine,
    settings: Settings,
    *,
    today: dt.date,
    service_code: str | None = None,
    periods: int | None = None,
) -> list[Gate]:
    """Each service's gate, or one's. UnknownServiceError for an unknown one."""
    with engine.begin() as connection:
        if service_code:
            require_service(connection, service_code)
            codes = [service_code]
        else:
            codes = known_services(connection)
        return [gate(connection, settings, code, today=today, periods=periods) for code in codes]


def advance(
    engine: Engine,
    settings: Settings,
    service_code: str,
    *,
    today: dt.date,
    by: str,
    to: Phase | None = None,
    effective_from: dt.date | None = None,
    note: str | None = None,
    periods: int | None = None,
    accepted: Acceptable | None = None,
    dry_run: bool = False,
) -> Decision:
    """Decides for the next phase, from the first day of next month unless told otherwise.

    Forward goes one phase at a time and through the gate: CutoverRefusedError lists all that speaks
    against it, but for what is `accepted`, which the decision keeps. Back goes to any earlier
    phase, without a gate, but with a note, or CutoverError. What stands in Odoo stays there. Waits
    for a billing run, and for another decision. CutoverError, too, for fewer `periods` than
    CUTOVER_PERIODS, and for a first day more than a year ahead.
    """
    if periods is not None and periods < settings.cutover_periods:
        raise CutoverError(
            f"--periods {periods} is less than CUTOVER_PERIODS, {settings.cutover_periods}:"
            " a decision may ask for more months, not for fewer."
            " `fusion-billing cutover status` shows any number."
        )
    _require_near(effective_from, today)
    with engine.begin() as connection:
        current = _locked(connection, service_code)
        target = to or current.next
        if target is None:
            raise CutoverRefusedError(service_code, current, ["it is retired, the last phase"])
        wanted = Decision(service_code, target, effective_from or next_month(today), by, note)
        if _is_earlier(target, current):
            return _back(connection, wanted, current, dry_run=dry_run)
        if target is current:
            raise CutoverRefusedError(service_code, target, ["it is there already"])
        found = gate(
            connection, settings, service_code, today=today, periods=periods, accepted=accepted
        )
        reasons = list(found.reasons)
        if target is not current.next:
            reasons.insert(0, f"one phase at a time: {current.next} comes after {current}")
        wanted = replace(wanted, gate=_json(asdict(found)))
        return _decided(connection, wanted, reasons, dry_run=dry_run)


def back(
    engine: Engine,
    service_code: str,
    *,
    today: dt.date,
    by: str,
    note: str,
    to: Phase | None = None,
    effective_from: dt.date | None = None,
    dry_run: bool = False,
) -> Decision:
    """One phase back, or to the earlier phase `to`, as `advance` does it."""
    _require_near(effective_from, today)
    with engine.begin() as connection:
        current = _locked(connection, service_code)
        target = to or current.previous
        if target is None:
            raise CutoverRefusedError(service_code, current, ["it is in shadow, the first phase"])
        if target is current:
            raise CutoverRefusedError(service_code, target, ["it is there already"])
        if not _is_earlier(target, current):
            raise CutoverError(
                f"{target} is not before {current}: use `fusion-billing cutover advance`."
            )
        wanted = Decision(service_code, target, effective_from or next_month(today), by, note)
        return _back(connection, wanted, current, dry_run=dry_run)


def _locked(connection: Connection, service_code: str) -> Phase:
    """The phase that the service is in, and stays in until the transaction ends."""
    lock(connection, service_code)
    require_service(connection, service_code)
    decision = newest(connection, service_code)
    return decision.phase if decision else Phase.SHADOW


def _require_near(effective_from: dt.date | None, today: dt.date) -> None:
    """A slip of the year would be the newest decision, and in the way of every other, for good."""
    if effective_from is not None and effective_from > today + _FURTHEST:
        raise CutoverError(
            f"--from {effective_from} is more than a year ahead: {today + _FURTHEST} at the latest."
        )


def _is_earlier(phase: Phase, other: Phase) -> bool:
    order = list(Phase)
    return order.index(phase) < order.index(other)


def _back(connection: Connection, wanted: Decision, current: Phase, *, dry_run: bool) -> Decision:
    if not (wanted.note or "").strip():
        raise CutoverError(f"Going back from {current} to {wanted.phase} needs a reason: --note.")
    return _decided(connection, wanted, [], dry_run=dry_run)


def _decided(
    connection: Connection, wanted: Decision, reasons: list[str], *, dry_run: bool
) -> Decision:
    reasons += billed_already(connection, wanted.service_code, wanted.effective_from)
    if reasons:
        raise CutoverRefusedError(wanted.service_code, wanted.phase, reasons)
    return wanted if dry_run else decide(connection, wanted)


def _json(value: Any) -> Any:
    """As it can be kept in jsonb: amounts as exact strings."""
    if isinstance(value, dict):
        return {name: _json(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_json(each) for each in value]
    if isinstance(value, Decimal):
        return format(value, "f")
    return value.isoformat() if isinstance(value, dt.date) else value
