"""The commands that are not settled yet, in the order they came, and what became of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.engine import Connection, Engine

from warehouse.tables import command_state

CUSTOMER, SUBSCRIPTION, TERMINATION = "customer", "subscription", "termination"
PENDING, APPLIED, RETRYING = "pending", "applied", "retrying"
AMBIGUOUS, REFUSED = "ambiguous", "refused"

FIRST_WAIT = timedelta(minutes=1)
LONGEST_WAIT = timedelta(hours=1)


@dataclass(frozen=True)
class Command:
    """One row of raw.command with its state. `superseded_by` is a newer one that settles it,
    `waits_for` an older one about the same subscription by another customer, `terminated_before`
    whether an app ever asked for the subscription's end."""

    command_id: int
    service_code: str
    kind: str
    external_customer_id: str
    external_id: str
    payload: dict[str, Any]
    received_at: datetime
    state: str
    reason: str | None
    attempts: int
    next_attempt_at: datetime | None
    superseded_by: int | None
    waits_for: int | None
    terminated_before: bool

    @property
    def customer_key(self) -> tuple[str, str]:
        return self.service_code, self.external_customer_id

    @property
    def key(self) -> str:
        """What Odoo stores on the order that this command makes: unique, and the same after a
        restore of the warehouse, which an id alone would not be."""
        moment = self.received_at.astimezone(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
        return f"{self.service_code}:{self.external_id}:{moment}"


# A newer customer command holds all that the older ones say. An older command about a subscription
# is moot once a newer one about it is in Odoo.
_UNSETTLED = sa.text("""
    select
        command.command_id, command.service_code, command.kind, command.external_customer_id,
        command.external_id, command.payload, command.received_at,
        coalesce(state.state, 'pending') as state, state.reason,
        coalesce(state.attempts, 0) as attempts, state.next_attempt_at,
        (
            select max(newer.command_id)
            from raw.command as newer
            left join ops.command_state as newer_state
                on newer.command_id = newer_state.command_id
            where
                newer.service_code = command.service_code
                and newer.external_id = command.external_id
                and newer.command_id > command.command_id
                and (
                    (command.kind = 'customer' and newer.kind = 'customer')
                    or (
                        command.kind <> 'customer' and newer.kind <> 'customer'
                        and newer_state.state = 'applied'
                    )
                )
        ) as superseded_by,
        (
            select max(older.command_id)
            from raw.command as older
            left join ops.command_state as older_state
                on older.command_id = older_state.command_id
            where
                older.service_code = command.service_code
                and older.external_id = command.external_id
                and older.command_id < command.command_id
                and older.external_customer_id <> command.external_customer_id
                and older.kind <> 'customer' and command.kind <> 'customer'
                and coalesce(older_state.state, 'pending') not in ('applied', 'refused')
        ) as waits_for,
        exists (
            select from raw.command as older
            where
                older.service_code = command.service_code
                and older.kind = 'termination'
                and older.external_id = command.external_id
                and older.command_id < command.command_id
        ) as terminated_before
    from raw.command
    left join ops.command_state as state on command.command_id = state.command_id
    where
        coalesce(state.state, 'pending') in ('pending', 'retrying', 'ambiguous')
        or (:refused and state.state = 'refused')
    order by command.service_code, command.external_customer_id, command.command_id
""")

_APPLIED_CUSTOMER = sa.text("""
    select command.payload
    from raw.command
    inner join ops.command_state as state on command.command_id = state.command_id
    where
        command.service_code = :service and command.kind = 'customer'
        and command.external_id = :external_id and state.state = 'applied'
    order by command.command_id desc
    limit 1
""")

_UNSETTLED_CUSTOMER = sa.text("""
    with newest as (
        select command_id
        from raw.command
        where service_code = :service and kind = 'customer' and external_id = :external_id
        order by command_id desc
        limit 1
    )

    select newest.command_id, coalesce(state.state, 'pending') as state
    from newest
    left join ops.command_state as state on newest.command_id = state.command_id
    where coalesce(state.state, 'pending') <> 'applied'
""")


def unsettled(engine: Engine, *, refused: bool = False) -> list[Command]:
    """What is to be done, by customer and in order; with `refused`, also what Odoo refused."""
    with engine.connect() as connection:
        rows = connection.execute(_UNSETTLED, {"refused": refused}).mappings()
        return [Command(**row) for row in rows]


def applied_customer(engine: Engine, command: Command) -> dict[str, Any] | None:
    """What was last asked of the command's customer and is in Odoo; None for the first time."""
    with engine.connect() as connection:
        found: dict[str, Any] | None = connection.execute(
            _APPLIED_CUSTOMER,
            {"service": command.service_code, "external_id": command.external_customer_id},
        ).scalar_one_or_none()
        return found


def unsettled_customer(engine: Engine, command: Command) -> tuple[int, str] | None:
    """Id and state of the newest command about the customer itself, where it is not applied."""
    with engine.connect() as connection:
        found = connection.execute(
            _UNSETTLED_CUSTOMER,
            {"service": command.service_code, "external_id": command.external_customer_id},
        ).one_or_none()
        return None if found is None else (found.command_id, found.state)


def settle(
    engine: Engine,
    command: Command,
    state: str,
    *,
    reason: str | None = None,
    partner_id: int | None = None,
    order_id: int | None = None,
    tried: bool = True,
) -> None:
    """Notes what became of a command; `retrying` sets when it is tried again."""
    attempts = command.attempts + tried
    now = datetime.now(UTC)
    values = {
        "state": state,
        "reason": reason,
        "attempts": attempts,
        "next_attempt_at": now + wait(attempts) if state == RETRYING else None,
        "applied_at": now if state == APPLIED else None,
        "updated_at": now,
        **({} if partner_id is None else {"odoo_partner_id": partner_id}),
        **({} if order_id is None else {"odoo_order_id": order_id}),
    }
    with engine.begin() as connection:
        _upsert(connection, [{"command_id": command.command_id, **values}], list(values))


def _upsert(connection: Connection, rows: Sequence[dict[str, Any]], columns: list[str]) -> None:
    statement = insert(command_state)
    connection.execute(
        statement.values(rows).on_conflict_do_update(
            index_elements=[command_state.c.command_id],
            set_={name: statement.excluded[name] for name in columns},
        )
    )


def wait(attempts: int) -> timedelta:
    """How long after the nth failed attempt the next one comes: doubling, to an hour."""
    return min(FIRST_WAIT * (1 << min(max(attempts - 1, 0), 12)), LONGEST_WAIT)
