"""Group commit: requests share a transaction, and nothing else."""

from __future__ import annotations

import asyncio
import statistics
import threading
import time
import weakref
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar

import psycopg
import pytest
from endpoint_world import Endpoint, counter, event, until
from sqlalchemy.engine import make_url

from ingest.api.database import BUDGET_SECONDS, Connection, Database, RefusedError
from ingest.api.deadlines import Timeouts
from ingest.api.judging import Posting, Receipt
from ingest.api.metrics import Metrics
from ingest.api.rows import Identity, Row, moment_of
from ingest.api.store import store_group
from ingest.api.writer import LANES, LONG_SECONDS, Writer

T = TypeVar("T")
EXISTS = {"transaction_id": ["value_already_exist"]}
_WAITING = """
select count(*) from pg_stat_activity
where datname = current_database() and wait_event_type = 'Lock'
    and application_name = 'fusion-billing-ingest'
"""


def test_what_waits_shares_a_commit_and_keeps_its_own_answer(endpoint: Endpoint) -> None:
    """Two services, duplicates, a contradiction and bad input, all behind one lock."""
    one, other = endpoint.service(), endpoint.service()
    assert one.post("/events", {"event": event(0)}).status_code == 200
    with ThreadPoolExecutor(64) as pool, psycopg.connect(endpoint.database_url) as blocker:
        blocker.execute("lock table raw.usage_counter in access exclusive mode")

        def waiting(lanes: int) -> bool:
            with psycopg.connect(endpoint.database_url) as connection:
                row = connection.execute(_WAITING).fetchone()
            return row is not None and row[0] == lanes

        def post(app: Any, number: int, **changes: Any) -> Any:
            return pool.submit(app.post, "/events", {"event": event(number, **changes)})

        # As many requests as there are lanes go ahead alone, and hold their lanes: a further one
        # where the last takes long.
        first = []
        for lane in range(LANES):
            first.append(post(one, 1000 + lane))
            until(partial(waiting, lane + 1))
            threading.Event().wait(2 * LONG_SECONDS)
        fresh = [post(one, number) for number in range(1, 21)]
        others = [post(other, number) for number in range(20)]
        again = [post(one, 0) for _ in range(4)]
        against = post(one, 0, code="another")
        bad = post(one, 21, timestamp="soon")
        assert bad.result(5).status_code == 422  # judged before it has to wait
        log = endpoint.log
        blocker.rollback()
        for answers in (first, fresh, others):
            for answer in answers:
                assert answer.result(10).status_code == 200, log.read_text()
                assert "duplicate" not in answer.result().json()["event"]
        for answer in again:
            assert answer.result(10).json()["event"]["duplicate"] is True
        refused = against.result(10)
        assert (refused.status_code, refused.json()["error_details"]) == (422, EXISTS)
    assert one.rows("count(*)") == [(21 + LANES,)]
    assert other.rows("count(*)") == [(20,)]
    assert one.rows("transaction_id", "raw.event_conflict") == [("tx0",)]
    # Forty requests took at most a handful of transactions.
    transactions = {xid for app in (one, other) for (xid,) in app.rows("xid", "raw.ingest_batch")}
    assert len(transactions) <= 1 + LANES + 6
    assert sum(n for app in (one, other) for (n,) in app.rows("counters", "raw.ingest_batch")) == (
        41 + LANES
    )


def row(number: int, code: str = "calls") -> Row:
    moment = datetime(2025, 1, 1, tzinfo=UTC)
    identity = Identity("sub", f"tx{number}")
    digest = f"{number}{code}".encode()
    return Row(identity, code, "event", moment_of(moment), None, 0, "{}", None, digest)


def with_database(url: str, work: Callable[[Database, Writer], Awaitable[T]]) -> T:
    async def run() -> T:
        database = Database(url, size=LANES)
        writer = Writer(database, Metrics())
        try:
            return await work(database, writer)
        finally:
            await writer.close()
            await database.close()

    return asyncio.run(run())


def test_what_postgresql_refuses_hurts_nobody_else(endpoint: Endpoint) -> None:
    """Validation lets no NUL through; should it ever, only its own request is refused."""
    app = endpoint.service()

    async def work(_: Database, writer: Writer) -> list[Receipt | BaseException]:
        requests = [[row(number)] for number in range(9)] + [[row(9, "a\0b"), row(10)]]
        return await asyncio.gather(
            *(writer.store(app.code, rows) for rows in requests), return_exceptions=True
        )

    *good, bad = with_database(app.endpoint.database_url, work)
    assert isinstance(bad, RefusedError)
    assert [receipt.accepted for receipt in good if isinstance(receipt, Receipt)] == [1] * 9
    assert app.rows("count(*)") == [(9,)]


def test_within_a_group_requests_are_judged_in_their_order(endpoint: Endpoint) -> None:
    """A refused request leaves nothing that a later one could be a duplicate of."""
    app = endpoint.service()
    requests = [
        [row(1), row(2)],
        [row(2), row(3, "x"), row(3, "y")],  # contradicts itself: refused
        [row(3, "y"), row(1)],  # so this is the first tx3
        [row(3, "y")],
        [row(3, "x")],
    ]

    async def work(database: Database, _: Writer) -> list[Receipt]:
        loop = asyncio.get_running_loop()
        group = [Posting(app.code, rows, False, loop.create_future()) for rows in requests]

        async def store(connection: Connection) -> list[Receipt]:
            return await store_group(connection, group, look_first=False)

        return await database.run(store)

    receipts = with_database(app.endpoint.database_url, work)
    assert [(r.accepted, set(r.duplicates), r.conflicts) for r in receipts] == [
        (2, set(), ()),
        (0, {0}, (2,)),
        (1, {1}, ()),
        (0, {0}, ()),
        (0, set(), (0,)),
    ]
    assert app.rows("transaction_id, code") == [("tx1", "calls"), ("tx2", "calls"), ("tx3", "y")]
    assert app.rows("counters", "raw.ingest_batch") == [(3,)]


def test_who_comes_as_a_commit_ends_is_not_forgotten(endpoint: Endpoint) -> None:
    """Each store begins in the very turn of the loop in which the last one's commit ended."""
    app = endpoint.service()

    async def work(_: Database, writer: Writer) -> float:
        started = time.perf_counter()
        for number in range(50):
            await writer.store(app.code, [row(number)])
        return time.perf_counter() - started

    assert with_database(app.endpoint.database_url, work) < BUDGET_SECONDS
    assert app.rows("count(*)") == [(50,)]


def test_a_lone_request_is_not_made_to_wait(endpoint: Endpoint) -> None:
    """Less than 2 ms above the same work without a writer."""
    app = endpoint.service()

    async def work(database: Database, writer: Writer) -> tuple[float, float]:
        alone, through = [], []
        for number in range(120):
            posting = Posting(
                app.code, [row(number)], False, asyncio.get_running_loop().create_future()
            )

            async def store(connection: Connection, posting: Posting = posting) -> list[Receipt]:
                return await store_group(connection, [posting], look_first=False)

            started = time.perf_counter()
            await database.run(store)
            alone.append(time.perf_counter() - started)
            started = time.perf_counter()
            await writer.store(app.code, [row(1000 + number)])
            through.append(time.perf_counter() - started)
        return statistics.median(alone), statistics.median(through)

    alone, through = with_database(app.endpoint.database_url, work)
    assert through - alone < 0.002


@pytest.mark.parametrize("uses", [1, 3])
def test_a_commit_is_for_real_each_time_a_connection_is_used(
    api_database_url: str, uses: int
) -> None:
    """asyncpg's reset between two uses once gave the server's `synchronous_commit=off` back."""
    name = make_url(api_database_url).database
    with psycopg.connect(api_database_url, autocommit=True) as admin:
        admin.execute(f'alter database "{name}" set synchronous_commit = off')
        try:

            async def work(database: Database, _: Writer) -> str:
                async def show(connection: Connection) -> str:
                    return str(await connection.fetchval("show synchronous_commit"))

                for _ in range(uses - 1):
                    await database.run(show)
                return await database.run(show)

            assert with_database(api_database_url, work) == "on"
        finally:
            admin.execute(f'alter database "{name}" reset synchronous_commit')


def test_a_batch_too_large_for_a_group_goes_through_alone(endpoint: Endpoint) -> None:
    app = endpoint.service()
    batches = [[counter(n * 3000 + i) for i in range(3000)] for n in range(3)]
    with ThreadPoolExecutor(3) as pool:
        answers = list(pool.map(lambda b: app.post("/usage", {"counters": b}), batches))
    assert [answer.json()["usage"]["accepted"] for answer in answers] == [3000] * 3
    assert app.rows("count(*)") == [(9000,)]


def test_a_settled_receipt_is_not_kept_for_one_that_waits() -> None:
    """Ten thousand duplicates are megabytes; whoever waits for a lock must not hold them all."""

    async def run() -> tuple[int, list[bool]]:
        loop = asyncio.get_running_loop()
        expired: list[asyncio.Future[int]] = []

        def give_up(future: asyncio.Future[int]) -> None:
            expired.append(future)
            future.cancel()

        timeouts: Timeouts[int] = Timeouts(0.8, give_up)
        waiting = loop.create_future()
        timeouts.add(waiting, loop)
        settled = [loop.create_future() for _ in range(50)]
        for number, future in enumerate(settled):
            timeouts.add(future, loop)
            future.set_result(number)
        held = [weakref.ref(future) for future in settled]
        del settled, future
        await asyncio.sleep(0.5)
        kept = sum(reference() is not None for reference in held)
        assert not expired
        await asyncio.sleep(0.8)
        return kept, [future is waiting for future in expired]

    assert asyncio.run(run()) == (0, [True])
