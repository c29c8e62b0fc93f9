"""Decisions of the cutover: who bills a service from which period on. Append-only."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from exports.cutover.phases import Phase
from warehouse.locks import BILLING_RUN, advisory_lock
from warehouse.services import require_service
from warehouse.tables import billed_line, cutover


class CutoverError(Exception):
    """The command cannot be carried out as given. The message says why and what to do."""


class CutoverRefusedError(Exception):
    """The answer is no; `reasons` has all of them."""

    def __init__(self, service_code: str, phase: Phase, reasons: list[str]) -> None:
        listed = "".join(f"\n  - {reason}" for reason in reasons)
        super().__init__(f"{service_code} does not go to {phase}:{listed}")
        self.service_code = service_code
        self.phase = phase
        self.reasons = reasons


@dataclass(frozen=True)
class Decision:
    """`effective_from` is the first day of the first period under it, in company time; None: all
    periods. `gate` is what the gate said then, None where none was asked."""

    service_code: str
    phase: Phase
    effective_from: dt.date | None
    changed_by: str
    note: str | None = None
    gate: Mapping[str, Any] | None = None
    change_id: int | None = None
    changed_at: dt.datetime | None = None


def lock(connection: Connection, service_code: str) -> None:
    """One decision on a service at a time, and none while a billing run appends lines."""
    advisory_lock(connection, f"cutover:{service_code}")
    advisory_lock(connection, BILLING_RUN)


def decide(connection: Connection, decision: Decision) -> Decision:
    """Appends the decision, as it then stands. For the transaction that holds `lock`.

    Refused where it would reach a period that is billed already: what was sent to Odoo under one
    phase must not be corrected under another. UnknownServiceError where there is no such service.
    """
    require_service(connection, decision.service_code)
    reasons = billed_already(connection, decision.service_code, decision.effective_from)
    if reasons:
        raise CutoverRefusedError(decision.service_code, decision.phase, reasons)
    row = connection.execute(
        sa.insert(cutover)
        .values(
            service_code=decision.service_code,
            phase=decision.phase.value,
            effective_from=decision.effective_from,
            changed_by=decision.changed_by,
            note=decision.note,
            gate=decision.gate,
        )
        .returning(cutover)
    ).one()
    return _decision(row)


def begin(
    engine: Engine,
    service_code: str,
    phase: Phase,
    *,
    by: str,
    note: str,
    effective_from: dt.date | None = None,
) -> Decision:
    """A decision without a gate, on a service that nobody billed before and that has nothing to be
    compared with; refused as `decide` refuses. For all periods unless from a first day."""
    with engine.begin() as connection:
        lock(connection, service_code)
        return decide(connection, Decision(service_code, phase, effective_from, by, note))


def billed_already(
    connection: Connection, service_code: str, effective_from: dt.date | None
) -> list[str]:
    """What speaks against a first day: billed periods that begin on it or later."""
    last: dt.date | None = connection.execute(
        sa.select(sa.func.max(billed_line.c.period_start)).where(
            billed_line.c.service_code == service_code
        )
    ).scalar_one()
    if last is None or (effective_from is not None and effective_from > last):
        return []
    told = f"from {effective_from}" if effective_from else "for all periods"
    return [
        f"{told} it would reach periods that are billed already, the last began on {last}:"
        f" `--from {last + dt.timedelta(days=1)}` or later"
    ]


def newest(connection: Connection, service_code: str) -> Decision | None:
    """The last decision on the service, whenever it takes effect."""
    row = connection.execute(
        sa.select(cutover)
        .where(cutover.c.service_code == service_code)
        .order_by(cutover.c.change_id.desc())
        .limit(1)
    ).one_or_none()
    return None if row is None else _decision(row)


def history(engine: Engine, service_code: str) -> list[Decision]:
    """All decisions on the service, oldest first. UnknownServiceError where there is none such."""
    with engine.connect() as connection:
        require_service(connection, service_code)
        rows = connection.execute(
            sa.select(cutover)
            .where(cutover.c.service_code == service_code)
            .order_by(cutover.c.change_id)
        )
        return [_decision(row) for row in rows]


def _decision(row: Any) -> Decision:
    values = dict(row._mapping)
    return Decision(**{**values, "phase": Phase(values["phase"])})
