"""Moving a service from phase to phase: forward through the gate, back with a reason."""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from exports.cutover.decisions import (
    CutoverError,
    CutoverRefusedError,
    Decision,
    billed_already,
    decide,
    lock,
    newest,
    require_service,
)
from exports.cutover.gate import Gate, gate
from exports.cutover.phases import Phase
from warehouse.settings import Settings
from warehouse.tables import service


def status(
    engine: Engine,
    settings: Settings,
    *,
    today: dt.date,
    service_code: str | None = None,
    periods: int | None = None,
) -> list[Gate]:
    """Each service's gate, or one's. CutoverError for an unknown one."""
    with engine.begin() as connection:
        if service_code:
            require_service(connection, service_code)
            codes = [service_code]
        else:
            by_code = sa.select(service.c.service_code).order_by(service.c.service_code)
            codes = list(connection.execute(by_code).scalars())
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
    dry_run: bool = False,
) -> Decision:
    """Decides for the next phase, from the first day of next month unless told otherwise.

    Forward goes one phase at a time and through the gate: CutoverRefusedError lists all that speaks
    against it. Back goes to any earlier phase, without a gate, but with a note, or CutoverError.
    What stands in Odoo stays there. Waits for a billing run, and for another decision.
    """
    starts = effective_from or (today.replace(day=1) + dt.timedelta(days=31)).replace(day=1)
    with engine.begin() as connection:
        lock(connection, service_code)
        require_service(connection, service_code)
        current = _current(connection, service_code)
        target = to or current.next
        if target is None:
            raise CutoverRefusedError(service_code, current, ["it is retired, the last phase"])
        if target is current:
            raise CutoverRefusedError(service_code, target, ["it is there already"])
        order = list(Phase)
        found: Gate | None = None
        if order.index(target) < order.index(current):
            _require_note(note, current, target)
            reasons: list[str] = []
        else:
            found = gate(connection, settings, service_code, today=today, periods=periods)
            reasons = list(found.reasons)
            if target is not current.next:
                reasons.insert(0, f"one phase at a time: {current.next} comes after {current}")
        reasons += billed_already(connection, service_code, starts)
        if reasons:
            raise CutoverRefusedError(service_code, target, reasons)
        state = _json(asdict(found)) if found else None
        decision = Decision(service_code, target, starts, by, note, state)
        return decision if dry_run else decide(connection, decision)


def back(
    engine: Engine,
    settings: Settings,
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
    with engine.connect() as connection:
        require_service(connection, service_code)
        current = _current(connection, service_code)
    target = to or current.previous
    if target is None:
        raise CutoverRefusedError(service_code, current, ["it is in shadow, the first phase"])
    if list(Phase).index(target) > list(Phase).index(current):
        raise CutoverError(
            f"{target} is not before {current}: use `fusion-billing cutover advance`."
        )
    return advance(
        engine,
        settings,
        service_code,
        today=today,
        by=by,
        to=target,
        effective_from=effective_from,
        note=note,
        dry_run=dry_run,
    )


def _current(connection: Connection, service_code: str) -> Phase:
    decision = newest(connection, service_code)
    return decision.phase if decision else Phase.SHADOW


def _require_note(note: str | None, current: Phase, target: Phase) -> None:
    if not (note or "").strip():
        raise CutoverError(f"Going back from {current} to {target} needs a reason: --note.")


def _json(value: Any) -> Any:
    """As it can be kept in jsonb: amounts as exact strings."""
    if isinstance(value, dict):
        return {name: _json(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_json(each) for each in value]
    if isinstance(value, Decimal):
        return format(value, "f")
    return value.isoformat() if isinstance(value, dt.date) else value
