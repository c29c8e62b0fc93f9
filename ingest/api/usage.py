"""POST /usage: aggregated counters, the preferred way in."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from litestar import post

from ingest.api.auth import ServiceRequest
from ingest.api.body import json_only
from ingest.api.database import Database
from ingest.api.judging import Receipt
from ingest.api.observe import note
from ingest.api.payloads import (
    Counter,
    Event,
    ExactJson,
    UsageAnswer,
    UsageReceipt,
    UsageRequest,
)
from ingest.api.problems import EXISTS, RESPONSES, Details, invalid, parameter_missing
from ingest.api.rows import MOST_ITEMS, Row, counter_row, rows_of
from ingest.api.store import record_conflicts
from ingest.api.writer import Writer

_as_sent = msgspec.json.Encoder(decimal_format="number")


@post(
    "/usage",
    status_code=200,
    dto=ExactJson[UsageRequest],
    return_dto=None,
    guards=[json_only],
    responses=RESPONSES,
    summary="Post counters",
)
async def post_usage(
    data: UsageRequest, request: ServiceRequest, database: Database, writer: Writer
) -> UsageAnswer:
    """Stores 1 to 10,000 counters, all or none; the answer leaves after the commit."""
    return await accept_usage(data, request.auth, database, writer)


async def accept_usage(
    data: UsageRequest, service_code: str, database: Database, writer: Writer
) -> UsageAnswer:
    """Stores a service's counters, all or none. Raises ProblemError, UnavailableError."""
    counters = data.counters
    if counters is None:
        raise parameter_missing("counters")
    if not counters:
        raise invalid({"counters": ["no_counters"]})
    if len(counters) > MOST_ITEMS:
        raise invalid({"counters": ["too_many_counters"]})
    rows = rows_of(counters, counter_row)
    receipt = await writer.store(service_code, rows)
    note_counts(receipt)
    if receipt.conflicts:
        raise await refusal(database, service_code, counters, rows, receipt)
    return UsageAnswer(UsageReceipt(receipt.accepted, len(receipt.duplicates), receipt.batch_id))


def note_counts(receipt: Receipt) -> None:
    """Adds what became of the rows to the request's line."""
    note(
        accepted=receipt.accepted,
        duplicates=len(receipt.duplicates),
        conflicts=len(receipt.conflicts),
    )


async def refusal(
    database: Database,
    service_code: str,
    items: Sequence[Counter | Event],
    rows: Sequence[Row],
    receipt: Receipt,
) -> Exception:
    """Records the conflicts; returns the ProblemError 422 that names them."""
    await record_conflicts(
        database,
        service_code,
        [rows[index] for index in receipt.conflicts],
        [_as_sent.encode(items[index]).decode() for index in receipt.conflicts],
    )
    return already_there(receipt.conflicts)


def already_there(indices: Sequence[int]) -> Exception:
    """422 `value_already_exist` on the transaction id of each index."""
    details: Details = {str(index): {"transaction_id": [EXISTS]} for index in indices}
    return invalid(details)
