"""Reading stored counters and events back, one service's only."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

import asyncpg
import msgspec

from ingest.api.database import Connection, Database
from ingest.api.exact import filter_instant, iso_exact, iso_milliseconds, iso_seconds, plain
from ingest.api.payloads import EventsPage, PageMeta, StoredEvent
from ingest.api.problems import FORMAT, INVALID, Details, invalid
from ingest.api.rows import Identity, lago_id

DEFAULT_PER_PAGE = 100
MOST_PER_PAGE = 1_000
_MOST_PAGES = 10**9

_COLUMNS = """
select external_subscription_id, transaction_id, code, kind, window_start, window_end, value,
    revision, properties, precise_total_amount_cents, received_at
from raw.usage_counter
"""
_LAST = "order by window_start desc, transaction_id, external_subscription_id"


class Selection(NamedTuple):
    """Which of a service's rows, and which page of them."""

    code: str | None
    external_subscription_id: str | None
    timestamp_from: datetime | None
    timestamp_to: datetime | None
    page: int
    per_page: int


def selection(query: Mapping[str, str | None]) -> Selection:
    """The query's filters. Raises ProblemError 422 that names every bad one."""
    details: Details = {}

    def text(name: str) -> str | None:
        value = query.get(name) or None
        if value is not None and "\x00" in value:
            details[name] = [INVALID]
        return value

    def moment(name: str) -> datetime | None:
        value = query.get(name) or None
        found = None if value is None else filter_instant(value)
        if value is not None and found is None:
            details[name] = [FORMAT]
        return found

    def count(name: str, default: int, most: int) -> int:
        value = query.get(name) or str(default)
        if not (value.isascii() and value.isdigit() and 1 <= int(value[:12]) <= most):
            details[name] = [INVALID]
            return default
        return int(value)

    chosen = Selection(
        text("code"),
        text("external_subscription_id"),
        moment("timestamp_from"),
        moment("timestamp_to"),
        count("page", 1, _MOST_PAGES),
        count("per_page", DEFAULT_PER_PAGE, MOST_PER_PAGE),
    )
    if details:
        raise invalid(details)
    return chosen


async def find_event(
    database: Database, service_code: str, transaction_id: str
) -> StoredEvent | None:
    """The first stored row with the transaction id, over all subscriptions of the service."""
    if "\x00" in transaction_id:
        return None

    async def work(connection: Connection) -> asyncpg.Record | None:
        return await connection.fetchrow(
            f"{_COLUMNS} where service_code = $1 and transaction_id = $2 "
            "order by received_at, external_subscription_id limit 1",
            service_code,
            transaction_id,
        )

    row = await database.run(work)
    return None if row is None else stored_event(service_code, row)


async def list_events(database: Database, service_code: str, chosen: Selection) -> EventsPage:
    """One page of what is stored, the latest window first, with Lago's `meta`."""
    conditions = ["service_code = $1"]
    arguments: list[object] = [service_code]
    for condition, value in (
        ("code = ${}", chosen.code),
        ("external_subscription_id = ${}", chosen.external_subscription_id),
        ("window_start >= ${}", chosen.timestamp_from),
        ("window_start <= ${}", chosen.timestamp_to),
    ):
        if value is not None:
            arguments.append(value)
            conditions.append(condition.format(len(arguments)))
    where = "where " + " and ".join(conditions)  # fixed fragments: values travel as arguments
    offset = (chosen.page - 1) * chosen.per_page
    count = f"select count(*) from raw.usage_counter {where}"  # noqa: S608
    page = f"{_COLUMNS} {where} {_LAST} limit {chosen.per_page} offset {offset}"

    async def work(connection: Connection) -> tuple[int, list[asyncpg.Record]]:
        # One snapshot, so that the rows and their count agree.
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            total = await connection.fetchval(count, *arguments)
            rows = await connection.fetch(page, *arguments)
        return total, rows

    total, rows = await database.run(work)
    return EventsPage(
        [stored_event(service_code, row) for row in rows],
        page_meta(total, chosen.page, chosen.per_page),
    )


def page_meta(total: int, page: int, per_page: int) -> PageMeta:
    """Lago's `meta`: no neighbours for a page out of range, all zero where there is nothing."""
    if total == 0:
        return PageMeta(0, None, None, 0, 0)
    pages = -(-total // per_page)
    return PageMeta(
        current_page=page,
        next_page=page + 1 if page < pages else None,
        prev_page=page - 1 if 1 < page <= pages else None,
        total_pages=pages,
        total_count=total,
    )


def stored_event(service_code: str, row: asyncpg.Record) -> StoredEvent:
    """A row in Lago's form; a counter of POST /usage also with what Lago has no field for."""
    cents = row["precise_total_amount_cents"]
    identity = Identity(row["external_subscription_id"], row["transaction_id"])
    event = StoredEvent(
        lago_id=lago_id(service_code, identity),
        transaction_id=identity.transaction_id,
        lago_customer_id=None,
        code=row["code"],
        timestamp=iso_milliseconds(row["window_start"]),
        precise_total_amount_cents=None if cents is None else plain(cents),
        properties=msgspec.Raw(row["properties"].encode()),
        lago_subscription_id=None,
        external_subscription_id=identity.external_subscription_id or None,
        created_at=iso_seconds(row["received_at"]),
    )
    if row["kind"] != "event":
        event.kind = row["kind"]
        event.from_ = iso_exact(row["window_start"])
        event.to = iso_exact(row["window_end"])
        event.value = format(row["value"], "f")
        event.revision = row["revision"]
    return event
