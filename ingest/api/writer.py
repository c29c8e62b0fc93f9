"""Group commit: requests that wait while a commit is under way share the next one.

A lone request starts at once. One commit is under way at a time, up to LANES where many rows wait
or one takes long; whatever queues up behind them goes into one transaction together. Each request
keeps its own receipt, its own conflicts and its own refusal.
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
from ingest.api.deadlines import Timeouts
from ingest.api.judging import Posting, Receipt
from ingest.api.metrics import Metrics
from ingest.api.rows import Row
from ingest.api.store import store_group

LANES = 2
LONG_SECONDS = 0.05
_CROWD = 100  # rows
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
        self._waiting: deque[Posting] = deque()
        self._waiting_rows = 0
        # Not the tasks' number: one that has ended is forgotten a turn of the loop later, and who
        # came meanwhile would wait for it.
        self._draining = 0
        self._rows_under_way = 0
        self._began = 0.0
        self._open: Timeouts[Receipt] = Timeouts(budget_seconds, _give_up)
        self._lanes: set[asyncio.Task[None]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._repeating: dict[str, float] = {}

    def store(
        self, service_code: str, rows: Sequence[Row], *, refuse_duplicates: bool = False
    ) -> asyncio.Future[Receipt]:
        """The receipt of rows that are all stored, or were, or are all refused; after the commit.

        Raises UnavailableError (then the request may be repeated), here or when awaited; then also
        RefusedError. No coroutine: one less for each event.
        """
        if self._waiting_rows > _MOST_WAITING_ROWS:
            raise UnavailableError("too many rows are waiting")
        loop = self._loop = self._loop or asyncio.get_running_loop()  # see Endpoint
        posting = Posting(service_code, rows, refuse_duplicates, loop.create_future())
        self._waiting.append(posting)
        self._waiting_rows += len(rows)
        if not self._draining or (self._draining < LANES and self._is_crowded()):
            self._draining += 1
            lane = loop.create_task(self._drain())
            self._lanes.add(lane)
            lane.add_done_callback(self._lanes.discard)
        self._open.add(posting.receipt, loop)
        return posting.receipt

    async def close(self) -> None:
        """Waits for the commits under way."""
        await asyncio.gather(*self._lanes)

    def _is_crowded(self) -> bool:
        """Whether one commit at a time is not enough: many rows, or it takes long. A few are better
        served by one group than by two, for each has a cost of its own, that of twenty rows."""
        return (
            self._waiting_rows > _CROWD
            or self._rows_under_way > _CROWD
            or time.monotonic() - self._began > LONG_SECONDS
        )

    async def _drain(self) -> None:
        try:
            while group := self._next_group():
                rows = sum([len(posting.rows) for posting in group])
                self._rows_under_way += rows
                self._began = time.monotonic()
                await self._settle(group)
                self._rows_under_way -= rows
                if self._draining > 1 and not self._is_crowded():
                    break
        finally:
            self._draining -= 1

    async def _settle(self, group: Sequence[Posting]) -> None:
        """Commits a group; every posting has its receipt then, or its error."""
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
    receipt.set_exception(UnavailableError("no answer in time"))


def _fail(group: Sequence[Posting], error: Exception | None) -> None:
    for posting in group:
        if error is not None and not posting.receipt.done():
            posting.receipt.set_exception(error)
