"""Lago's events: POST /events, POST /events/batch, GET /events, GET /events/{transaction_id}."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated

import msgspec
from litestar import get, post
from litestar.params import Parameter

from ingest.api.auth import ServiceRequest
from ingest.api.body import json_only
from ingest.api.database import Database
from ingest.api.exact import iso_milliseconds, iso_seconds, milliseconds_of_text, plain
from ingest.api.judging import Receipt
from ingest.api.payloads import (
    Event,
    EventAnswer,
    EventRequest,
    EventsAnswer,
    EventsPage,
    EventsRequest,
    ExactJson,
    StoredEvent,
)
from ingest.api.problems import RESPONSES, ProblemError, invalid, not_found, parameter_missing
from ingest.api.reading import MOST_PER_PAGE, find_event, list_events, selection
from ingest.api.rows import MOST_ITEMS, Row, event_row, lago_id, rows_of
from ingest.api.usage import already_there, note_counts, refusal
from ingest.api.writer import Writer


@post(
    "/events",
    status_code=200,
    dto=ExactJson[EventRequest],
    return_dto=None,
    guards=[json_only],
    responses=RESPONSES,
    summary="Post one Lago event",
)
async def post_event(
    data: EventRequest,
    request: ServiceRequest,
    database: Database,
    writer: Writer,
    strict_duplicates: bool,
) -> EventAnswer:
    """Stores one event; whether its metric and subscription exist is judged later."""
    return await accept_event(data, request.auth, database, writer, strict_duplicates)


_NOTHING = Event()


async def accept_event(
    data: EventRequest, service_code: str, database: Database, writer: Writer, strict: bool
) -> EventAnswer:
    """Stores a service's event. Raises ProblemError, UnavailableError."""
    if data.event is None or data.event == _NOTHING:
        raise parameter_missing("event")
    try:
        answers = await _store(database, writer, service_code, [data.event], strict)
    except ProblemError as problem:
        # Lago keys the errors of a single event by field alone.
        details = problem.body.error_details
        if details is not None and "0" in details:
            raise invalid(details["0"]) from None
        raise
    return EventAnswer(answers[0])


@post(
    "/events/batch",
    status_code=200,
    dto=ExactJson[EventsRequest],
    return_dto=None,
    guards=[json_only],
    responses=RESPONSES,
    summary="Post Lago events",
)
async def post_events(
    data: EventsRequest,
    request: ServiceRequest,
    database: Database,
    writer: Writer,
    strict_duplicates: bool,
) -> EventsAnswer:
    """Stores 1 to 10,000 events, all or none."""
    return await accept_events(data, request.auth, database, writer, strict_duplicates)


async def accept_events(
    data: EventsRequest, service_code: str, database: Database, writer: Writer, strict: bool
) -> EventsAnswer:
    """Stores a service's events, all or none. Raises ProblemError, UnavailableError."""
    if data.events is None:
        raise parameter_missing("events")
    if not data.events:
        raise invalid({"events": ["no_events"]})
    if len(data.events) > MOST_ITEMS:
        raise invalid({"events": ["too_many_events"]})
    return EventsAnswer(await _store(database, writer, service_code, data.events, strict))


@get("/events/{transaction_id:path}", responses=RESPONSES, summary="Read one event or counter back")
async def get_event(
    transaction_id: str, request: ServiceRequest, database: Database
) -> EventAnswer:
    """The first event or counter with this transaction id; 404 `event_not_found`."""
    event = await find_event(database, request.auth, transaction_id.removeprefix("/"))
    if event is None:
        raise not_found("event")
    return EventAnswer(event)


_Text = Annotated[str | None, Parameter(required=False)]
_Moment = Annotated[
    str | None,
    Parameter(required=False, description="ISO-8601 (UTC without an offset) or epoch seconds."),
]
_Count = Annotated[
    str | None,
    Parameter(required=False, description=f"A whole number from 1; per_page to {MOST_PER_PAGE}."),
]


@get("/events", responses=RESPONSES, summary="List events and counters")
async def get_events(
    request: ServiceRequest,
    database: Database,
    code: _Text = None,
    external_subscription_id: _Text = None,
    timestamp_from: _Moment = None,
    timestamp_to: _Moment = None,
    page: _Count = None,
    per_page: _Count = None,
) -> EventsPage:
    """The service's events and counters, the latest window first; both timestamps inclusive."""
    chosen = selection(
        {
            "code": code,
            "external_subscription_id": external_subscription_id,
            "timestamp_from": timestamp_from,
            "timestamp_to": timestamp_to,
            "page": page,
            "per_page": per_page,
        }
    )
    return await list_events(database, request.auth, chosen)


async def _store(
    database: Database, writer: Writer, service_code: str, events: Sequence[Event], strict: bool
) -> list[StoredEvent]:
    rows = rows_of(events, event_row)
    receipt = await writer.store(service_code, rows, refuse_duplicates=strict)
    note_counts(receipt)
    if receipt.conflicts:
        raise await refusal(database, service_code, events, rows, receipt)
    if strict and receipt.duplicates:
        raise already_there(sorted(receipt.duplicates))
    return [_answer(service_code, row, index, receipt) for index, row in enumerate(rows)]


def _answer(service_code: str, row: Row, index: int, receipt: Receipt) -> StoredEvent:
    moment, received_at = receipt.times(row.identity)
    event = StoredEvent(
        lago_id=lago_id(service_code, row.identity),
        transaction_id=row.identity.transaction_id,
        lago_customer_id=None,
        code=row.code,
        timestamp=(
            iso_milliseconds(moment)
            if row.window is None
            else milliseconds_of_text(row.window.start_text)
        ),
        precise_total_amount_cents=row.amount_cents and plain(Decimal(row.amount_cents)),
        properties=msgspec.Raw(row.properties.encode()),
        lago_subscription_id=None,
        external_subscription_id=row.identity.external_subscription_id or None,
        created_at=iso_seconds(received_at),
    )
    if index in receipt.duplicates:
        event.duplicate = True
    return event
