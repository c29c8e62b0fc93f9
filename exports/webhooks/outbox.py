"""The outbox: what happened in Odoo since the last pass, written into ops.webhook_event once.

One pass is one transaction under a lock, so that event numbers are in the order in which things
are told. A service's first pass writes down all that is true already and delivers of it only what
happened after its first endpoint was made: a receiver is told news, not history.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from exports.webhooks.facts import INVOICES, SUBSCRIPTIONS
from exports.webhooks.objects import WEBHOOK_TYPES, Fact, envelope
from warehouse.locks import advisory_lock

LOCK = "webhook_outbox"
_AT_ONCE = 5_000  # events a statement: jsonb ends at 256 MB
# Of one pass: a subscription starts before it is invoiced and ends after.
_RANK = {
    fact: rank
    for rank, fact in enumerate(
        ("started", "created", "overdue", "failed", "succeeded", "voided", "terminated")
    )
}


@dataclass(frozen=True)
class Emitted:
    """`events` by webhook type; `deliveries` to endpoints; `history` was written down unheard."""

    events: dict[str, int]
    deliveries: int
    history: int


# A service is watched from the first pass after it made an endpoint.
_WATCH = sa.text("""
    insert into ops.webhook_service (service_code)
    select distinct service_code from ops.webhook_endpoint
    on conflict do nothing
    returning service_code
""")
# What is computed from JSON has no statistics: PostgreSQL takes all of it for one row, and would
# walk through all that was told once for each invoice, by a loop or a merge on the service alone.
_HASH_ONLY = (
    sa.text("set local enable_nestloop = off"),
    sa.text("set local enable_mergejoin = off"),
)
_FIRST_ENDPOINTS = sa.text("""
    select service_code, min(created_at) as since
    from ops.webhook_endpoint
    where service_code = any(:services)
    group by service_code
""")
_WRITE = sa.text("""
    insert into ops.webhook_event
        (source_key, service_code, webhook_type, subject, fact, ordering_key, payload)
    select source_key, service_code, webhook_type, subject, fact, ordering_key, payload
    from rows from (
        jsonb_to_recordset(cast(:events as jsonb)) as (
            source_key text, service_code text, webhook_type text, subject text, fact text,
            ordering_key text, payload text
        )
    ) with ordinality as events (
        source_key, service_code, webhook_type, subject, fact, ordering_key, payload, position
    )
    order by position
    on conflict (source_key) do nothing
    returning source_key
""")
_ADDRESS = sa.text("""
    insert into ops.webhook_delivery (event_id, endpoint_id, event_no, ordering_key)
    select event.event_id, endpoint.endpoint_id, event.event_no, event.ordering_key
    from ops.webhook_event as event
    inner join ops.webhook_endpoint as endpoint using (service_code)
    where
        event.source_key = any(:news)
        and (endpoint.event_types is null or event.webhook_type = any(endpoint.event_types))
""")


def emit(engine: Engine, today: date, zone: ZoneInfo, *, dry_run: bool = False) -> Emitted:
    """Writes down what the mirror shows and nobody was told yet. Safe to repeat at any time.

    `today` in company time decides what has begun, ended and fallen due. A dry run counts and
    takes everything back.
    """
    with engine.connect() as connection, connection.begin() as transaction:
        advisory_lock(connection, LOCK)
        emitted = _pass(connection, today, zone)
        if dry_run:
            transaction.rollback()
    return emitted


def _pass(connection: Connection, today: date, zone: ZoneInfo) -> Emitted:
    fresh: list[str] = list(connection.execute(_WATCH).scalars())
    first = connection.execute(_FIRST_ENDPOINTS, {"services": fresh})
    since: dict[str, datetime] = {row.service_code: row.since for row in first}
    for setting in _HASH_ONLY:
        connection.execute(setting)
    facts: list[Fact] = []
    for query in (SUBSCRIPTIONS, INVOICES):
        rows = connection.execute(sa.text(query), {"today": today}).mappings()
        facts.extend(dict(row) for row in rows)
    facts.sort(key=_in_order)
    written: set[str] = set()
    for start in range(0, len(facts), _AT_ONCE):
        events = [_event(fact, zone) for fact in facts[start : start + _AT_ONCE]]
        values = {"events": msgspec.json.encode(events).decode()}
        written.update(connection.execute(_WRITE, values).scalars())
    news = [
        fact
        for fact in facts
        if fact["source_key"] in written
        and (fact["service_code"] not in since or _is_news(fact, since[fact["service_code"]], zone))
    ]
    keys = [fact["source_key"] for fact in news]
    deliveries = connection.execute(_ADDRESS, {"news": keys}).rowcount
    return Emitted(_by_type(news), deliveries, len(written) - len(news))


def _in_order(fact: Fact) -> tuple[str, bool, bool, int, str, int]:
    """Starts, then invoice by invoice what became of it, then ends."""
    kind, _, number = fact["subject"].partition(":")
    return (
        fact["service_code"],
        fact["fact"] != "started",
        fact["fact"] == "terminated",
        int(number) if kind == "invoice" else 0,
        number,
        _RANK[fact["fact"]],
    )


def _event(fact: Fact, zone: ZoneInfo) -> Mapping[str, Any]:
    names = ("source_key", "service_code", "subject", "fact", "ordering_key")
    return {name: fact[name] for name in names} | {
        "webhook_type": WEBHOOK_TYPES[fact["fact"]],
        "payload": envelope(fact, zone),
    }


def _is_news(fact: Fact, since: datetime, zone: ZoneInfo) -> bool:
    """Of a service's first pass: whether it happened after `since`, as far as Odoo's dates tell."""
    day = fact["began_on"] if fact["fact"] == "started" else fact["happened_on"]
    is_dated_before = day is not None and day < since.astimezone(zone).date()
    if fact["fact"] == "overdue":  # time alone makes it so
        return not is_dated_before
    is_written_before = fact["write_date"] is None or fact["write_date"] < since
    return not (is_written_before or is_dated_before)


def _by_type(facts: Iterable[Fact]) -> dict[str, int]:
    return dict(sorted(Counter(WEBHOOK_TYPES[fact["fact"]] for fact in facts).items()))
