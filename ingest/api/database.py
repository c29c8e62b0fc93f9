"""The endpoint's way to PostgreSQL: a small asyncpg pool in which every answer is bounded in time.

asyncpg cuts off a connection at once where psycopg 3 would wait for a hung server. Its pool is not
used: it makes a task and a proxy each time a connection is given back, and resets the connection.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias, TypeVar, cast
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import asyncpg

from ingest.api.deadlines import TimeLimits

T = TypeVar("T")
Connection: TypeAlias = Any  # asyncpg ships no types

POOL_SIZE = 8
BUDGET_SECONDS = 5.0
_CONNECT_SECONDS = 3.0
_ATTEMPTS = 4

# The server gives up before the client does, so that nothing lingers behind an answered 503.
_SESSION = {
    "application_name": "fusion-billing-ingest",
    "timezone": "UTC",
    "lock_timeout": "4s",
    "statement_timeout": "5s",
    "idle_in_transaction_session_timeout": "10s",
}

# Nothing was committed, or it was and the next attempt finds duplicates: safe to try again.
_TRY_AGAIN = (
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
    asyncpg.ConnectionDoesNotExistError,
    asyncpg.InvalidCachedStatementError,
    asyncpg.InternalClientError,  # a connection lost between two steps of the protocol
    ConnectionError,
)
# Values PostgreSQL cannot hold, and rows it cannot index.
_REFUSED = (
    asyncpg.DataError,
    asyncpg.IntegrityConstraintViolationError,
    asyncpg.ProgramLimitExceededError,
)


# libpq's settings of the client's side; asyncpg would send them to the server, which refuses.
_LIBPQ_ONLY = re.compile(
    "connect_timeout|keepalives.*|tcp_user_timeout|channel_binding|gssencmode|client_encoding"
    "|fallback_application_name|requirepeer|require_auth|sslsni|sslcompression|load_balance_hosts"
)


def asyncpg_url(url: str) -> str:
    """The same URL without the parameters that only libpq knows."""
    parts = urlsplit(url)
    kept = [(k, v) for k, v in parse_qsl(parts.query) if not _LIBPQ_ONLY.fullmatch(k)]
    return urlunsplit(parts._replace(query=urlencode(kept)))


class UnavailableError(Exception):
    """The database is away, busy beyond the budget, or not able to write. `reason` has no data."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class RefusedError(Exception):
    """PostgreSQL cannot store what was sent."""

    def __init__(self, sqlstate: str) -> None:
        super().__init__(sqlstate)
        self.sqlstate = sqlstate


class ContendedError(Exception):
    """Another transaction got in between; the work is to be done again from its start."""


class Database:
    """At most `size` connections, made on first use, and again by themselves after a restart."""

    def __init__(
        self, url: str, *, size: int = POOL_SIZE, budget_seconds: float = BUDGET_SECONDS
    ) -> None:
        self._url = asyncpg_url(url)
        self._budget = budget_seconds
        self._free = asyncio.Semaphore(size)
        self._size = size
        self._idle: list[Connection] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._limits = TimeLimits()

    async def close(self) -> None:
        """Waits for the work under way, within the budget, then closes."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._budget):
                for _ in range(self._size):
                    await self._free.acquire()
                for connection in self._idle:
                    await connection.close()
        for connection in self._idle:
            connection.terminate()
        self._idle.clear()

    async def run(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """What `work` returns, having been given a connection; the whole bounded by the budget.

        `work` is begun again on a fresh connection after a lost one, a deadlock or ContendedError,
        so it must be safe to repeat. Raises UnavailableError, RefusedError.
        """
        self._loop = loop = self._loop or asyncio.get_running_loop()  # see Endpoint
        task = cast("asyncio.Task[Any]", asyncio.current_task(loop))
        self._limits.set(task, loop, loop.time() + self._budget)
        try:
            return await self._attempts(work)
        except asyncio.CancelledError:
            if self._limits.is_over(task):
                raise UnavailableError("no answer in time") from None
            raise
        except TimeoutError:
            raise UnavailableError("no answer in time") from None
        except _REFUSED as error:
            raise RefusedError(error.sqlstate or "client") from None
        except asyncpg.PostgresError as error:
            raise UnavailableError(f"{type(error).__name__} {error.sqlstate}") from None
        except (asyncpg.InterfaceError, asyncpg.InternalClientError, OSError) as error:
            raise UnavailableError(type(error).__name__) from None
        finally:
            self._limits.drop(task)

    async def _attempts(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        attempt = 1
        while True:
            try:
                return await self._once(work)
            except ContendedError:
                await asyncio.sleep(0)  # whoever got in between has committed: this converges
            except _TRY_AGAIN:
                if attempt == _ATTEMPTS:
                    raise
                attempt += 1

    async def _once(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        async with self._free:
            connection = await self._connection()
            try:
                result = await work(connection)
            except ContendedError:
                self._idle.append(connection)
                raise
            except BaseException:
                # Its state is unknown, and asking a hung server about it would wait without bound.
                connection.terminate()
                raise
            self._idle.append(connection)
            return result

    async def _connection(self) -> Connection:
        while self._idle:
            connection = self._idle.pop()  # the one used last: the others may stay cold
            if not connection.is_closed():
                return connection
        connection = await asyncpg.connect(
            self._url, timeout=_CONNECT_SECONDS, server_settings=_SESSION
        )
        try:
            await _commit_for_real(connection)
        except BaseException:
            connection.terminate()
            raise
        return connection


async def _commit_for_real(connection: Connection) -> None:
    """With a server's `synchronous_commit=off` we would acknowledge what it can still lose."""
    await connection.execute(
        "select set_config('synchronous_commit', 'on', false) "
        "where current_setting('synchronous_commit') = 'off'"
    )


_WRITE_PROBE = """
begin;
lock table raw.ingest_batch, raw.usage_counter, raw.event_conflict in row exclusive mode;
select pg_logical_emit_message(true, 'fusion-health', '');
commit;
"""


async def write_probe(connection: Connection) -> None:
    """Raises unless a write of counters would go through now: tables, rights, locks, disk."""
    if await connection.fetchval("select current_setting('transaction_read_only')") == "on":
        raise asyncpg.ReadOnlySQLTransactionError
    await connection.execute(_WRITE_PROBE)
