"""The deliveries that are due: claimed for a while, settled, shown, and brought back to life.

A claim is a lease in the row itself: nobody holds a transaction open while a receiver thinks, and
what a killed process had claimed is anybody's again when the lease runs out. Within an endpoint
the oldest pending delivery of a subscription is the only one that can be claimed.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

LEASE = timedelta(seconds=60)  # more than an attempt takes: sending.TIMEOUT_SECONDS
_MINUTE, _HOUR = 60, 3600
# After the n-th failure; with the first attempt ten in all, over 47 hours and a half.
BACK_OFF_SECONDS = (
    _MINUTE,
    5 * _MINUTE,
    15 * _MINUTE,
    _HOUR,
    3 * _HOUR,
    6 * _HOUR,
    10 * _HOUR,
    12 * _HOUR,
    15 * _HOUR,
)
JITTER = 0.1  # of the wait, either way: receivers that fell together do not rise together


@dataclass(frozen=True)
class Claim:
    """A delivery that is this process's to attempt, until its lease runs out."""

    event_id: uuid.UUID
    endpoint_id: uuid.UUID
    lease: uuid.UUID
    attempts: int
    url: str
    secret: str = field(repr=False)
    payload: str = field(repr=False)


@dataclass(frozen=True)
class Delivery:
    """One event on its way to one endpoint, as the commands show it."""

    event_id: uuid.UUID
    webhook_type: str
    service_code: str
    subject: str
    url: str
    state: str
    attempts: int
    next_attempt_at: datetime
    last_status: int | None
    last_error: str | None
    created_at: datetime
    delivered_at: datetime | None


_HEADS = """
with

heads as (
    select distinct on (endpoint_id, ordering_key)
        event_id,
        endpoint_id,
        event_no,
        next_attempt_at,
        leased_until
    from ops.webhook_delivery
    where state = 'pending'
    order by endpoint_id, ordering_key, event_no
),

under_way as (
    select endpoint_id, count(*) as deliveries
    from ops.webhook_delivery
    where state = 'pending' and leased_until > clock_timestamp()
    group by endpoint_id
),

due as (
    select
        event_id,
        endpoint_id,
        event_no,
        coalesce(under_way.deliveries, 0) + row_number() over (
            partition by endpoint_id order by next_attempt_at, event_no
        ) as turn
    from heads
    left join under_way using (endpoint_id)
    where
        next_attempt_at <= clock_timestamp()
        and (leased_until is null or leased_until <= clock_timestamp())
)
"""
# Endpoints take turns, so that one with a thousand events leaves room for one with a single one.
# What another process claimed meanwhile is skipped, or fails the conditions when read anew.
_CLAIM = sa.text(f"""
{_HEADS},

chosen as (
    select delivery.event_id, delivery.endpoint_id
    from ops.webhook_delivery as delivery
    inner join due using (event_id, endpoint_id)
    where
        due.turn <= :each
        and delivery.state = 'pending'
        and delivery.next_attempt_at <= clock_timestamp()
        and (delivery.leased_until is null or delivery.leased_until <= clock_timestamp())
    order by due.turn, due.event_no
    limit :most
    for update of delivery skip locked
)

update ops.webhook_delivery as delivery
set
    lease = :lease,
    leased_until = clock_timestamp() + :length,
    first_attempt_at = coalesce(delivery.first_attempt_at, clock_timestamp())
from chosen, ops.webhook_event as event, ops.webhook_endpoint as endpoint
where
    delivery.event_id = chosen.event_id
    and delivery.endpoint_id = chosen.endpoint_id
    and delivery.event_id = event.event_id
    and delivery.endpoint_id = endpoint.endpoint_id
returning
    delivery.event_id, delivery.endpoint_id, delivery.lease, delivery.attempts,
    endpoint.url, endpoint.secret, event.payload
""")  # noqa: S608
_COUNT_DUE = sa.text(f"{_HEADS} select count(*) from due")  # noqa: S608
_DELIVERED = sa.text("""
    update ops.webhook_delivery
    set
        state = 'delivered',
        attempts = attempts + 1,
        delivered_at = clock_timestamp(),
        last_status = :status,
        last_error = null,
        lease = null,
        leased_until = null
    where event_id = :event_id and endpoint_id = :endpoint_id and lease = :lease
""")
_FAILED = sa.text("""
    update ops.webhook_delivery
    set
        state = case when cast(:wait as interval) is null then 'dead' else 'pending' end,
        attempts = attempts + 1,
        next_attempt_at = clock_timestamp() + coalesce(cast(:wait as interval), interval '0'),
        last_status = :status,
        last_error = :error,
        lease = null,
        leased_until = null
    where event_id = :event_id and endpoint_id = :endpoint_id and lease = :lease
""")
_SHOWN = """
select
    delivery.event_id, event.webhook_type, event.service_code, event.subject, endpoint.url,
    delivery.state, delivery.attempts, delivery.next_attempt_at, delivery.last_status,
    delivery.last_error, event.created_at, delivery.delivered_at
from ops.webhook_delivery as delivery
inner join ops.webhook_event as event using (event_id)
inner join ops.webhook_endpoint as endpoint using (endpoint_id)
where
    (cast(:service as text) is null or event.service_code = :service)
    and (cast(:state as text) is null or delivery.state = :state)
    and (cast(:events as uuid[]) is null or delivery.event_id = any(cast(:events as uuid[])))
order by event.event_no desc, endpoint.url
limit :most
"""
_REPLAY = sa.text("""
    update ops.webhook_delivery as delivery
    set
        state = 'pending',
        attempts = 0,
        next_attempt_at = clock_timestamp(),
        delivered_at = null
    from ops.webhook_event as event
    where
        delivery.event_id = event.event_id
        and (cast(:service as text) is null or event.service_code = :service)
        and case
            when cast(:events as uuid[]) is null then delivery.state = 'dead'
            else delivery.event_id = any(cast(:events as uuid[])) and delivery.state <> 'pending'
        end
""")


def claim(engine: Engine, most: int, each: int, length: timedelta = LEASE) -> list[Claim]:
    """At most `most` deliveries that are due, at most `each` under way to one endpoint."""
    values = {"most": most, "each": each, "length": length, "lease": uuid.uuid4()}
    with engine.begin() as connection:
        return [Claim(**row) for row in connection.execute(_CLAIM, values).mappings()]


def settle(engine: Engine, claimed: Claim, status: int | None, error: str | None) -> str | None:
    """Records how an attempt ended; `error` is None where it was heard.

    Returns the state that the delivery is in now; None where the lease had run out and somebody
    else is at it, or the endpoint was deleted meanwhile.
    """
    values: dict[str, Any] = {
        "event_id": claimed.event_id,
        "endpoint_id": claimed.endpoint_id,
        "lease": claimed.lease,
        "status": status,
    }
    wait = back_off(claimed.attempts + 1)
    with engine.begin() as connection:
        if error is None:
            done, state = connection.execute(_DELIVERED, values), "delivered"
        else:
            done = connection.execute(_FAILED, values | {"error": error, "wait": wait})
            state = "dead" if wait is None else "pending"
        return state if done.rowcount else None


def back_off(failures: int) -> timedelta | None:
    """How long to wait after so many failures; None where it was the last attempt."""
    if failures > len(BACK_OFF_SECONDS):
        return None
    spread = 1 + random.uniform(-JITTER, JITTER)  # noqa: S311
    return timedelta(seconds=BACK_OFF_SECONDS[failures - 1] * spread)


def due(engine: Engine) -> int:
    """How many deliveries could be attempted now."""
    with engine.connect() as connection:
        return int(connection.execute(_COUNT_DUE).scalar_one())


def deliveries(
    engine: Engine,
    *,
    service: str | None = None,
    state: str | None = None,
    events: Sequence[uuid.UUID] | None = None,
    most: int = 100,
) -> list[Delivery]:
    """The newest deliveries, of one service or state where told so."""
    values = _values(service, events) | {"state": state, "most": most}
    with engine.connect() as connection:
        return [Delivery(**row) for row in connection.execute(sa.text(_SHOWN), values).mappings()]


def replay(
    engine: Engine,
    *,
    service: str | None = None,
    events: Sequence[uuid.UUID] | None = None,
    dry_run: bool = False,
) -> int:
    """Makes dead deliveries due again, with all their attempts before them; how many.

    `events` names some, delivered ones included; without it all that are dead.
    """
    with engine.connect() as connection, connection.begin() as transaction:
        count = _replayed(connection, _values(service, events))
        if dry_run:
            transaction.rollback()
    return count


def _replayed(connection: Connection, values: Mapping[str, Any]) -> int:
    return connection.execute(_REPLAY, values).rowcount


def _values(service: str | None, events: Sequence[uuid.UUID] | None) -> dict[str, Any]:
    return {"service": service, "events": None if events is None else list(events)}
