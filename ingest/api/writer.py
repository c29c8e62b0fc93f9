"""Group commit: requests that wait while a commit is under way share the next one.

A lone request starts at once. At most LANES commits are under way at a time; whatever queues up
behind them goes into one transaction together. Each request keeps its own receipt, its own
conflicts and its own refusal.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Sequence

from ingest.api.database import (
    BUDGET_SECONDS,
    Connection,
    Database,
    RefusedError,
    UnavailableError,
)
from ingest.api.deadlines import Deadlines
from ingest.api.judging import Posting, Receipt
from ingest.api.metrics import Metrics
from ingest.api.rows import Row
from ingest.api.store import store_group

LANES = 2
_MOST_ROWS = 2_000  # of a group; one request may have more, and is then a group of its own
_MOST_REQUESTS = 256
_MOST_WAITING_ROWS = 200_000
_REPEATS_REMEMBERED_SECONDS = 5.0


class Writer:
    """The one way by which a worker's requests reach raw.usage_counter."""

    def __init__(
        self, database: Database, metrics: Metrics, *, budget_seconds: float = BUDGET_SECONDS
    ) -> None:
        self._database = database
        self._metrics = metrics
        self._budget = budget_seconds
        self._waiting: deque[Posting] = deque()
        self._waiting_rows = 0
        self._open: Deadlines[asyncio.Future[Receipt]] = Deadlines(_give_up)
        self._lanes: set[asyncio.Task[None]] = set()
        self._repeating: dict[str, float] = {}

    async def store(
        self, service_code: str, rows: Sequence[Row], *, refuse_duplicates: bool = False
    ) -> Receipt:
        """The receipt of rows that are all stored, or were, or are all refused; after the commit.

        Raises UnavailableError (then the request may be repeated), RefusedError.
        """
        if self._waiting_rows > _MOST_WAITING_ROWS:
            raise UnavailableError("too many rows are waiting")
        loop = asyncio.get_running_loop()
        posting = Posting(service_code, rows, refuse_duplicates, loop.create_future())
        self._waiting.append(posting)
        self._waiting_rows += len(rows)
        if len(self._lanes) < LANES:
            lane = loop.create_task(self._drain())
            self._lanes.add(lane)
            lane.add_done_callback(self._lanes.discard)
        self._open.set(posting.receipt, loop, loop.time() + self._budget)
        try:
            return await posting.receipt
        finally:
            self._open.drop(posting.receipt)

    async def close(self) -> None:
        """Waits for the commits under way."""
        await asyncio.gather(*self._lanes)

    async def _drain(self) -> None:
        while group := self._next_group():
            error = await self._try(group)
            if isinstance(error, RefusedError) and len(group) > 1:
                # One of them holds what PostgreSQL refuses; the others must not suffer.
                for posting in group:
                    _fail([posting], await self._try([posting]))
            elif error is not None:
                _fail(group, error)

    async def _try(self, group: Sequence[Posting]) -> Exception | None:
        """What a group could not be committed for; every posting waits for an answer."""
        try:
            await self._commit(group)
        except Exception as error:
            return error
        return None

    async def _commit(self, group: Sequence[Posting]) -> None:
        now = time.monotonic()
        look_first = any(self._repeating.get(p.service_code, 0.0) > now for p in group)

        async def work(connection: Connection) -> list[Receipt]:
            nonlocal look_first
            try:
                return await store_group(connection, group, look_first=look_first)
            finally:
                look_first = True  # after a lost connection or another's commit

        started = time.perf_counter()
        receipts = await self._database.run(work)
        self._metrics.commit_seconds.observe(time.perf_counter() - started)
        self._metrics.group_requests.observe(len(group))
        for posting, receipt in zip(group, receipts, strict=True):
            if receipt.earlier:
                self._repeating[posting.service_code] = now + _REPEATS_REMEMBERED_SECONDS
            if not posting.receipt.done():
                posting.receipt.set_result(receipt)

    def _next_group(self) -> list[Posting]:
        group: list[Posting] = []
        rows = 0
        while self._waiting and len(group) < _MOST_REQUESTS:
            posting = self._waiting[0]
            if group and rows + len(posting.rows) > _MOST_ROWS:
                break
            self._waiting.popleft()
            self._waiting_rows -= len(posting.rows)
            if not posting.receipt.done():  # it gave up waiting, or its client did
                group.append(posting)
                rows += len(posting.rows)
        return group


def _give_up(receipt: asyncio.Future[Receipt]) -> None:
    if not receipt.done():
        receipt.set_exception(UnavailableError("no answer in time"))


def _fail(group: Sequence[Posting], error: Exception | None) -> None:
    for posting in group:
        if error is not None and not posting.receipt.done():
            posting.receipt.set_exception(error)
