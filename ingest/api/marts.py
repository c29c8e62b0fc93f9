"""Reading dbt's marts over HTTP: bounded, never half, and 503 until they are built."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from decimal import ROUND_HALF_UP, Decimal, localcontext
from typing import NamedTuple, TypeVar

import asyncpg

from ingest.api.database import Connection, Database
from ingest.api.exact import plain
from ingest.api.observe import log
from ingest.api.problems import ProblemError
from warehouse.currencies import minor_digits
from warehouse.lago_ids import lago_id as lago_id

T = TypeVar("T")

_BUILD_TAKES_SECONDS = 60
_NOT_BUILT = (asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError)

# The marts' names for aggregations, in Lago's words.
AGGREGATION_TYPES = {
    "sum": "sum_agg",
    "count": "count_agg",
    "max": "max_agg",
    "last": "latest_agg",
    "unique": "unique_count_agg",
    "weighted_sum": "weighted_sum_agg",
}


class Company(NamedTuple):
    """What shapes the arithmetic: COMPANY_TIMEZONE (IANA) and COMPANY_CURRENCY (ISO 4217)."""

    timezone: str
    currency: str


async def read_marts(database: Database, work: Callable[[Connection], Awaitable[T]]) -> T:
    """What `work` returns, each of its statements on its own snapshot.

    Not one snapshot for all: dbt replaces a table by renaming, and a snapshot taken before would
    find the new table and none of its rows. Raises ProblemError 503 while a mart is not built,
    UnavailableError as Database.run.
    """

    async def guarded(connection: Connection) -> tuple[T] | None:
        try:
            return (await work(connection),)
        except _NOT_BUILT as error:
            log.warning("marts_not_built", sqlstate=error.sqlstate)
            return None

    found = await database.run(guarded)
    if found is None:
        raise ProblemError(503, headers={"Retry-After": str(_BUILD_TAKES_SECONDS)})
    return found[0]


def cents(amount: Decimal, currency: str) -> int:
    """A major amount in minor units, half-up and away from zero, as the rated lines round."""
    with localcontext(prec=2_000):  # a product of two numeric columns is never rounded before
        return int(amount.scaleb(minor_digits(currency)).to_integral_value(rounding=ROUND_HALF_UP))


def units(quantity: Decimal) -> str:
    """A quantity as Lago writes it: `4.0`, `12.75`."""
    text = plain(quantity)
    return text if "." in text else f"{text}.0"
