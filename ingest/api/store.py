"""Exactly once: a group of requests goes into raw.usage_counter in one transaction.

The happy path is an insert without a look-up: that every row is new is what the primary key says.
Where it says no, some rows were there before (or another transaction is just ahead of us): nothing
of the group was stored, the stored rows are looked up and compared, and only the new ones are
inserted, again without tolerance. So the counts of a batch are always exact.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple, TypeAlias, cast

import asyncpg

from ingest.api.database import Connection, ContendedError, Database
from ingest.api.judging import Earlier, Posting, Receipt, Stored, Verdict, judge
from ingest.api.rows import Identity, Row

# Measured: below, one statement wins by its fewer round trips; above, COPY by its cost per row.
_FEW_ROWS = 100


class _Batch(NamedTuple):
    batch_id: int
    received_at: datetime


# A row after the service it belongs to: sorts by what the primary key sorts by.
_Sent: TypeAlias = tuple[str, Row]


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
        sent.code, sent.kind, coalesce(sent.window_start::timestamptz, batch.received_at),
        coalesce(sent.window_end::timestamptz, batch.received_at), sent.value::numeric,
        sent.revision::int, sent.properties::jsonb, sent.amount_cents::numeric,
        decode(sent.payload_hash, 'hex'), batch.received_at
    from
        unnest(
            $4::text::text[], $5::text::text[], $6::text::text[], $7::text::text[],
            $8::text::text[], $9::text::text[], $10::text::text[], $11::text::text[],
            $12::text::text[], $13::text::text[], $14::text::text[], $15::text::text[]
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
    "external_subscription_id", "transaction_id", "code", "kind", "value", "revision",
    "properties", "precise_total_amount_cents", "payload_hash", "window_start", "window_end",
    "service_code", "batch_id", "received_at",
)  # fmt: skip
# What COPY's text format has to see escaped.
_ESCAPED = str.maketrans({"\\": r"\\", "\n": r"\n", "\r": r"\r", "\t": r"\t"})

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
            sent += [(posting.service_code, row) for row in verdict.fresh]
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


def _columns(sent: Sequence[_Sent]) -> list[str]:
    """The columns of _INSERT as array literals: asyncpg's encoding looks at every single value."""
    services, rows = zip(*sent, strict=True)
    identities, codes, kinds, windows, values, revisions, properties, cents, digests = zip(
        *rows, strict=True
    )
    columns: list[Sequence[str | None]] = [
        services,
        *zip(*identities, strict=True),
        codes,
        kinds,
        [window and window.start_text for window in windows],
        [window and window.end_text for window in windows],
        values,
        [str(revision) for revision in revisions],
        properties,
        cents,
        [digest.hex() for digest in digests],
    ]
    return [_array(column) for column in columns]


def _array(texts: Sequence[str | None]) -> str:
    """PostgreSQL's literal of an array of texts."""
    if None not in texts:
        # Escaped as one text: a column of single events has twenty, and a call for each cost more.
        joined = "\0".join(cast(Sequence[str], texts))
        if joined.count("\0") == len(texts) - 1:  # else one holds what PostgreSQL is to refuse
            return '{"' + _quoted(joined).replace("\0", '","') + '"}'
    elements = ["NULL" if text is None else f'"{_quoted(text)}"' for text in texts]
    return "{" + ",".join(elements) + "}"


def _quoted(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"")


async def _copy(
    connection: Connection, sent: Sequence[_Sent], made: Sequence[asyncpg.Record]
) -> None:
    """Sends the rows in COPY's text format: asyncpg's binary encoding takes ten times as long."""
    endings = {}
    for service, batch_id, received_at in made:
        received = received_at.isoformat(" ")
        endings[service] = (f"{received}\t{received}", f"{service}\t{batch_id}\t{received}\n")
    content = "".join([_line(row, *endings[service]) for service, row in sent]).encode()

    async def once() -> AsyncIterator[bytes]:
        yield content

    await connection.copy_to_table(
        "usage_counter", schema_name="raw", columns=_COPIED, source=once(), format="text"
    )


def _line(row: Row, received: str, ending: str) -> str:
    """A row as COPY reads it; `received` is the window of an event without timestamp."""
    (
        (subscription, transaction_id),
        code,
        kind,
        window,
        value,
        revision,
        properties,
        cents,
        digest,
    ) = row
    free = f"{subscription}\t{transaction_id}\t{code}\t{kind}"
    if "\\" in free or not (subscription + transaction_id + code).isprintable():
        free = "\t".join(text.translate(_ESCAPED) for text in (*row.identity, code, kind))
    if "\\" in properties:  # JSON escapes every other control character itself
        properties = properties.translate(_ESCAPED)
    value = r"\N" if value is None else value
    cents = r"\N" if cents is None else cents
    when = received if window is None else f"{window.start_text}\t{window.end_text}"
    return (
        f"{free}\t{value}\t{revision}\t{properties}\t{cents}\t\\\\x{digest.hex()}\t{when}\t{ending}"
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
