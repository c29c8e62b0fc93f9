"""Exactly once: rows of one request go into raw.usage_counter all or none, each at most once ever.

The happy path is one statement: insert everything. Where PostgreSQL stores fewer rows than sent,
some were there before (or another request is just ahead of us): the transaction is rolled back,
the stored ones are looked up and compared, and only the new ones are inserted, in a transaction
that again must store exactly as many as it means to. So the batch's counts are always exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from ingest.api.database import Connection, ContendedError, Database
from ingest.api.rows import Identity, Row


class Earlier(NamedTuple):
    """What an earlier request stored under an identity."""

    payload_hash: bytes
    window_start: datetime
    received_at: datetime


class Receipt(NamedTuple):
    """What became of a request's rows. `conflicts`: nothing was stored, because of these indices.

    `duplicates` are the indices of rows stored before, or earlier in the same request.
    """

    accepted: int
    duplicates: frozenset[int]
    conflicts: tuple[int, ...]
    batch_id: int | None
    received_at: datetime | None
    earlier: dict[Identity, Earlier]

    def times(self, identity: Identity) -> tuple[datetime, datetime]:
        """When a timestamp-less row's window starts, and when the row was received."""
        before = self.earlier.get(identity)
        if before is not None:
            return before.window_start, before.received_at
        if self.received_at is None:
            raise LookupError("nothing was stored")
        return self.received_at, self.received_at


_INSERT = """
with batch as (
    insert into raw.ingest_batch (service_code, counters, duplicates)
    values ($1, $2, $3)
    returning batch_id, received_at
),

stored as (
    insert into raw.usage_counter (
        service_code, external_subscription_id, transaction_id, batch_id, code, kind,
        window_start, window_end, value, revision, properties, precise_total_amount_cents,
        payload_hash, received_at
    )
    select
        $1, sent.external_subscription_id, sent.transaction_id, batch.batch_id, sent.code,
        sent.kind, coalesce(sent.window_start, batch.received_at),
        coalesce(sent.window_end, batch.received_at), sent.value, sent.revision,
        sent.properties::jsonb, sent.amount_cents, sent.payload_hash, batch.received_at
    from
        unnest(
            $4::text[], $5::text[], $6::text[], $7::text[], $8::timestamptz[], $9::timestamptz[],
            $10::numeric[], $11::int[], $12::text[], $13::numeric[], $14::bytea[]
        ) as sent (
            external_subscription_id, transaction_id, code, kind, window_start, window_end,
            value, revision, properties, amount_cents, payload_hash
        )
        cross join batch
    on conflict do nothing
    returning 1
)

select batch_id, received_at, (select count(*) from stored) as stored
from batch
"""

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
"""


async def store(
    database: Database, service_code: str, rows: Sequence[Row], *, refuse_duplicates: bool = False
) -> Receipt:
    """Stores what is new, in one transaction; returns after its commit.

    With `refuse_duplicates` (Lago's way) a duplicate stops the request like a conflict does.
    Raises UnavailableError (then the request may be repeated), RefusedError.
    """
    first: dict[Identity, Row] = {}
    duplicates: set[int] = set()
    conflicts: list[int] = []
    for index, row in enumerate(rows):
        same = first.setdefault(row.identity, row)
        if same is not row:
            (duplicates.add if same.payload_hash == row.payload_hash else conflicts.append)(index)
    stops = bool(conflicts) or (refuse_duplicates and bool(duplicates))
    # In one order everywhere: two requests with the same rows then wait instead of deadlocking.
    new = sorted(first.values())
    earlier: dict[Identity, Earlier] = {}

    async def work(connection: Connection) -> tuple[int, int | None, datetime | None]:
        nonlocal earlier
        if not stops and not earlier:
            inserted = await _insert(connection, service_code, new, len(rows))
            if inserted is not None:
                return len(new), *inserted
        earlier = await _look_up(connection, service_code, new)
        fresh = [row for row in new if row.identity not in earlier]
        clash = any(
            earlier[row.identity].payload_hash != row.payload_hash
            for row in new
            if row.identity in earlier
        )
        if stops or clash or (refuse_duplicates and earlier) or not fresh:
            return 0, None, None
        inserted = await _insert(connection, service_code, fresh, len(rows))
        if inserted is None:
            raise ContendedError
        return len(fresh), *inserted

    accepted, batch_id, received_at = await database.run(work)
    for index, row in enumerate(rows):
        before = earlier.get(row.identity)
        if before is not None and before.payload_hash != row.payload_hash:
            duplicates.discard(index)
            conflicts.append(index)
        elif before is not None and index not in conflicts:
            duplicates.add(index)
    return Receipt(
        accepted,
        frozenset(duplicates),
        tuple(sorted(set(conflicts))),
        batch_id,
        received_at,
        earlier,
    )


async def record_conflicts(
    database: Database, service_code: str, rows: Sequence[Row], payloads: Sequence[str]
) -> None:
    """Keeps payloads whose identity another payload has, in a transaction of their own."""

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


async def _insert(
    connection: Connection, service_code: str, rows: Sequence[Row], sent: int
) -> tuple[int, datetime] | None:
    """Stores all the rows and commits, or stores none: None where one of them exists already."""
    identities, codes, kinds, starts, ends, values, revisions, properties, cents, hashes = zip(
        *rows, strict=True
    )
    subscriptions, transaction_ids = zip(*identities, strict=True)
    transaction = connection.transaction()
    await transaction.start()
    batch = await connection.fetchrow(
        _INSERT,
        service_code,
        len(rows),
        sent - len(rows),
        subscriptions,
        transaction_ids,
        codes,
        kinds,
        starts,
        ends,
        values,
        revisions,
        properties,
        cents,
        hashes,
    )
    if batch["stored"] != len(rows):
        await transaction.rollback()
        return None
    await transaction.commit()
    return batch["batch_id"], batch["received_at"]


async def _look_up(
    connection: Connection, service_code: str, rows: Sequence[Row]
) -> dict[Identity, Earlier]:
    subscriptions, transaction_ids = zip(*(row.identity for row in rows), strict=True)
    found = await connection.fetch(_LOOK_UP, service_code, subscriptions, transaction_ids)
    return {
        Identity(row[0], row[1]): Earlier(
            row["payload_hash"], row["window_start"], row["received_at"]
        )
        for row in found
    }
