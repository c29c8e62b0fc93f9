"""Which rows of a group of requests are new, which were there before, which contradict.

Pure: what is stored already comes in as a mapping. Requests are judged in the order they came; a
refused one leaves nothing behind that the next could be a duplicate of.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple, TypeAlias

from msgspec import Struct

from ingest.api.rows import Identity, Row


class Earlier(NamedTuple):
    """What an earlier request stored under an identity."""

    payload_hash: bytes
    window_start: datetime
    received_at: datetime


class Receipt(Struct, frozen=True, gc=False):
    """What became of a request's rows. `conflicts`: nothing was stored, because of these indices.

    `duplicates` are the indices of rows stored before, or earlier in the same request.
    """

    accepted: int
    duplicates: frozenset[int]
    conflicts: tuple[int, ...]
    batch_id: int | None
    received_at: datetime | None
    earlier: Mapping[Identity, Earlier]

    def times(self, identity: Identity) -> tuple[datetime, datetime]:
        """When a timestamp-less row's window starts, and when the row was received."""
        before = self.earlier.get(identity)
        if before is not None:
            return before.window_start, before.received_at
        if self.received_at is None:
            raise LookupError("nothing was stored")
        return self.received_at, self.received_at


class Posting(Struct, eq=False):
    """One request's rows, and where its receipt goes. With `refuse_duplicates` (Lago's way) a
    duplicate stops the request like a conflict does."""

    service_code: str
    rows: Sequence[Row]
    refuse_duplicates: bool
    receipt: asyncio.Future[Receipt]


class Verdict(Struct, frozen=True, gc=False):
    """A request's rows, judged. Nothing is `fresh` where the request is refused."""

    fresh: Sequence[Row]
    duplicates: frozenset[int]
    conflicts: tuple[int, ...]
    refused: bool


Stored: TypeAlias = Mapping[str, Mapping[Identity, Earlier]]  # by service


def judge(postings: Sequence[Posting], stored: Stored) -> list[Verdict]:
    """One verdict a request, given what is stored under their rows' identities."""
    claimed: dict[str, dict[Identity, bytes]] = {}
    verdicts = []
    for posting in postings:
        known = claimed.setdefault(posting.service_code, {})
        verdict = _judge(posting, stored.get(posting.service_code, {}), known)
        verdicts.append(verdict)
        if len(postings) > 1:
            for row in verdict.fresh:
                known[row.identity] = row.payload_hash
    return verdicts


_NONE: frozenset[int] = frozenset()


def _judge(
    posting: Posting, stored: Mapping[Identity, Earlier], claimed: Mapping[Identity, bytes]
) -> Verdict:
    rows = posting.rows
    if not stored and len(rows) == 1:  # most of them
        if rows[0].identity not in claimed:
            return Verdict(rows, _NONE, (), False)
    elif not stored:
        identities = {row.identity for row in rows}
        if len(identities) == len(rows) and claimed.keys().isdisjoint(identities):
            return Verdict(rows, _NONE, (), False)
    own: dict[Identity, bytes] = {}
    fresh: list[Row] = []
    duplicates: list[int] = []
    conflicts: list[int] = []
    for index, row in enumerate(rows):
        before = stored.get(row.identity)
        known = before.payload_hash if before else claimed.get(row.identity)
        if known is None:
            known = own.get(row.identity)
        if known is None:
            own[row.identity] = row.payload_hash
            fresh.append(row)
        elif known == row.payload_hash:
            duplicates.append(index)
        else:
            conflicts.append(index)
    refused = bool(conflicts) or (posting.refuse_duplicates and bool(duplicates))
    return Verdict([] if refused else fresh, frozenset(duplicates), tuple(conflicts), refused)
