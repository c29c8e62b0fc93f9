"""Exactly once: a group of requests goes into raw.usage_counter in one transaction.

The happy path is an insert without a look-up: that every row is new is what the primary key says.
Where it says no, some rows were there before (or another transaction is just ahead of us): nothing
of the group was stored, the stored rows are looked up and compared, and only the new ones are
inserted, again without tolerance. So the counts of a batch are always exact.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

import asyncpg

from ingest.api.database import Connection, ContendedError, Database
from ingest.api.judging import Earlier, Posting, Receipt, Stored, Verdict, judge
from ingest.api.rows import Identity, Row

# Measured: below, one statement wins by its fewer round trips; above, COPY by its cost per row.
_FEW_ROWS = 100


class _Batch(NamedTuple):
    batch_id: int
    received_at: datetime


class _Sent(NamedTuple):
    """A row with the service it belongs to; sorts by what the primary key sorts by."""

    service_code: str
    row: Row


_BATCHES = """
insert into raw.ingest_batch (service_code, counters, duplicates)
select * from unnest($1::text[], $2::int[], $3::int[])
returning service_code, batch_id, received_at
"""

_INSERT = f"""
with batch as ({_BATCHES}),

stored as (
    insert into raw.usage_counter (
        service_code, external_subscription_id, transaction_id, batch_id, code, kind,
        window_start, window_end, value, revision, properties, precise_total_amount_cents,
        payload_hash, received_at
    )
    select
        sent.service_code, sent.external_subscription_id, sent.transaction_id, batch.batch_id,
        sent.code, sent.kind, coalesce(sent.window_start, batch.received_at),
        coalesce(sent.window_end, batch.received_at), sent.value, sent.revision,
        sent.properties::jsonb, sent.amount_cents, sent.payload_hash, batch.received_at
    from
        unnest(
            $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::timestamptz[],
            $10::timestamptz[], $11::numeric[], $12::int[], $13::text[], $14::numeric[],
            $15::bytea[]
        ) with ordinality as sent (
            service_code, external_subscription_id, transaction_id, code, kind, window_start,
            window_end, value, revision, properties, amount_cents, payload_hash, position
        )
        inner join batch on sent.service_code = batch.service_code
    order by sent.position
)

select service_code, batch_id, received_at
from batch
"""  # noqa: S608 - a constant

_COPIED = (
    "service_code", "external_subscription_id", "transaction_id", "batch_id", "code", "kind",
    "window_start", "window_end", "value", "revision", "properties", "precise_total_amount_cents",
    "payload_hash", "received_at",
)  # fmt: skip

_LOOK_UP = """
select counter.external_subscription_id, counter.transaction_id, counter.payload_hash,
    counter.window_start, counter.received_at
from unnest($2::text[], $3::text[]) as sent (external_subscription_id, transaction_id)
inner join raw.usage_counter as counter
    on counter.service_code = $1
    and counter.external_subscription_id = sent.external_subscription_id
    and counter.transaction_id = sent.transaction_id
"""

_RECORD_CONFLICTS = """
insert into raw.event_conflict (
    service_code, external_subscription_id, transaction_id, payload, payload_hash
)
select $1, external_subscription_id, transaction_id, payload::jsonb, payload_hash
from unnest($2::text[], $3::text[], $4::text[], $5::bytea[])
    as sent (external_subscription_id, transaction_id, payload, payload_hash)
order by 2, 3, 5
on conflict do nothing
"""


async def store_group(
    connection: Connection, postings: Sequence[Posting], *, look_first: bool
) -> list[Receipt]:
    """Stores what is new in one transaction; returns one receipt a request, after the commit.

    `look_first` where repeats are likely: a refused insert leaves dead rows behind. Raises
    ContendedError where another transaction stored one of the rows meanwhile.
    """
    stored: Stored = {}
    verdicts = [] if look_first else judge(postings, stored)
    batches = None
    if not look_first and not any(verdict.refused for verdict in verdicts):
        batches = await _insert(connection, postings, verdicts)
    if batches is None:
        stored = await _look_up(connection, postings)
        verdicts = judge(postings, stored)
        batches = await _insert(connection, postings, verdicts)
        if batches is None:
            raise ContendedError
    return [
        _receipt(verdict, batches.get(posting.service_code), stored.get(posting.service_code, {}))
        for posting, verdict in zip(postings, verdicts, strict=True)
    ]


def _receipt(
    verdict: Verdict, batch: _Batch | None, earlier: Mapping[Identity, Earlier]
) -> Receipt:
    return Receipt(
        len(verdict.fresh),
        verdict.duplicates,
        verdict.conflicts,
        batch.batch_id if batch and verdict.fresh else None,
        batch.received_at if batch else None,
        earlier,
    )


async def _insert(
    connection: Connection, postings: Sequence[Posting], verdicts: Sequence[Verdict]
) -> dict[str, _Batch] | None:
    """Stores all fresh rows and commits, or stores none: None where one of them exists already."""
    counters: defaultdict[str, int] = defaultdict(int)
    duplicates: defaultdict[str, int] = defaultdict(int)
    # In one order everywhere: two groups with the same rows then wait instead of deadlocking.
    sent: list[_Sent] = []
    for posting, verdict in zip(postings, verdicts, strict=True):
        if verdict.fresh:
            counters[posting.service_code] += len(verdict.fresh)
            duplicates[posting.service_code] += len(verdict.duplicates)
            sent += [_Sent(posting.service_code, row) for row in verdict.fresh]
    if not sent:
        return {}
    sent.sort()
    batch = (list(counters), list(counters.values()), [duplicates[code] for code in counters])
    try:
        if len(sent) <= _FEW_ROWS:
            made = await connection.fetch(_INSERT, *batch, *_columns(sent))
        else:
            async with connection.transaction():
                made = await connection.fetch(_BATCHES, *batch)
                await _copy(connection, sent, made)
    except asyncpg.UniqueViolationError:
        return None
    return {row["service_code"]: _Batch(row["batch_id"], row["received_at"]) for row in made}


def _columns(sent: Sequence[_Sent]) -> list[Sequence[object]]:
    services, rows = zip(*sent, strict=True)
    identities, *others = zip(*rows, strict=True)
    return [services, *zip(*identities, strict=True), *others]


async def _copy(
    connection: Connection, sent: Sequence[_Sent], made: Sequence[asyncpg.Record]
) -> None:
    batches = {row["service_code"]: (row["batch_id"], row["received_at"]) for row in made}
    records = []
    for service, row in sent:
        batch_id, received_at = batches[service]
        identity, code, kind, start, end, value, revision, properties, cents, digest = row
        window = (start or received_at, end or received_at)
        left = (service, *identity, batch_id, code, kind, *window)
        records.append((*left, value, revision, properties, cents, digest, received_at))
    await connection.copy_records_to_table(
        "usage_counter", schema_name="raw", columns=_COPIED, records=records
    )


async def _look_up(connection: Connection, postings: Sequence[Posting]) -> Stored:
    asked: defaultdict[str, set[Identity]] = defaultdict(set)
    for posting in postings:
        asked[posting.service_code].update(row.identity for row in posting.rows)
    return {
        service: {
            Identity(row[0], row[1]): Earlier(row[2], row[3], row[4])
            for row in await connection.fetch(
                _LOOK_UP, service, *zip(*sorted(identities), strict=True)
            )
        }
        for service, identities in asked.items()
    }


async def record_conflicts(
    database: Database, service_code: str, rows: Sequence[Row], payloads: Sequence[str]
) -> None:
    """Keeps payloads whose identity another payload has, each once, in their own transaction."""

    async def work(connection: Connection) -> None:
        await connection.execute(
            _RECORD_CONFLICTS,
            service_code,
            [row.identity.external_subscription_id for row in rows],
            [row.identity.transaction_id for row in rows],
            list(payloads),
            [row.payload_hash for row in rows],
        )

    await database.run(work)
