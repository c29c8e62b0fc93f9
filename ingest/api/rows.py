"""From a decoded item to the row of raw.usage_counter it means, or to all that is wrong with it."""

from __future__ import annotations

import hashlib
import time
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple, TypeVar

from ingest.api.exact import epoch_instant, instant, microseconds, number, plain, plain_of_text
from ingest.api.payloads import Counter, Event
from ingest.api.problems import FORMAT, INVALID, MANDATORY, Details, invalid
from ingest.api.properties import NONE, Properties, read_properties

ItemT = TypeVar("ItemT")

MOST_ITEMS = 10_000
LONGEST_IDENTIFIER = 255  # two of them, at four bytes a character, still fit a btree entry
AHEAD = timedelta(days=1)
_LONGEST_INSTANT = 100  # what is longer is none, and should not be remembered
_LARGEST_REVISION = 2**31 - 1
_LAGO_ID_NAMESPACE = uuid.UUID("7a4a3a52-6c0f-5b0e-9d55-0f8c2f1f5b1e").bytes


class Identity(NamedTuple):
    """What makes a row one row within its service; '' where an event names no subscription."""

    external_subscription_id: str
    transaction_id: str


class Window(NamedTuple):
    """From when to when, half-open; as instants, and as PostgreSQL reads them."""

    start: datetime
    end: datetime
    start_text: str
    end_text: str
    meaning: str  # what of it goes into a payload's hash


class Row(NamedTuple):
    """One row to store, numbers as the text that PostgreSQL reads.

    `window` None: an event without timestamp; it gets the receive time.
    """

    identity: Identity
    code: str
    kind: str
    window: Window | None
    value: str | None
    revision: int
    properties: str
    amount_cents: str | None
    payload_hash: bytes


class _Errors(dict[str, list[str]]):
    """Field → codes."""

    def identifier(self, field: str, value: object, *, mandatory: bool) -> str:
        """The text of an id; '' where there is none. An integer counts as its text, as in Lago."""
        if (
            type(value) is str
            and 0 < len(value) <= LONGEST_IDENTIFIER
            and "\x00" not in value
            and not value.isspace()
        ):
            return value
        if type(value) is int:
            value = str(value) if -(10**38) < value < 10**38 else False
        if value is None or (isinstance(value, str) and not value.strip()):
            if mandatory:
                self[field] = [MANDATORY]
            return ""
        if not isinstance(value, str) or len(value) > LONGEST_IDENTIFIER or "\x00" in value:
            self[field] = [INVALID]
            return ""
        return value

    def code(self, value: object) -> str:
        """The metric's code: text only."""
        if type(value) is int:
            self["code"] = [INVALID]
            return ""
        return self.identifier("code", value, mandatory=True)

    def properties(self, value: object) -> Properties:
        """The properties, made ready to store."""
        properties = read_properties(value)
        if properties is None:
            self["properties"] = [INVALID]
            return NONE
        return properties

    def moment(self, field: str, value: object, latest: datetime) -> datetime | None:
        """A window's edge, no later than `latest`."""
        if value is None or value == "":
            self[field] = [MANDATORY]
            return None
        return self._not_after(latest, field, instant(value))

    def timestamp(self, value: object, latest: datetime) -> datetime | None:
        """An event's time in epoch seconds; None where it is absent."""
        if value is None:
            return None
        return self._not_after(latest, "timestamp", epoch_instant(value))

    def _not_after(self, latest: datetime, field: str, moment: datetime | None) -> datetime | None:
        if moment is None:
            self[field] = [FORMAT]
        elif moment > latest:
            self[field] = [INVALID]
        return moment


def counter_row(counter: Counter, latest: datetime) -> Row | _Errors:
    """The row of a counter of POST /usage, or its errors. No window edge may be after `latest`."""
    return _usual_row(counter, latest) or _judged_row(counter, latest)


def _usual_row(counter: Counter, latest: datetime) -> Row | None:
    """The row of a counter in its usual spelling: ids are plain texts; None for any other.

    Nothing but a short way: `_judged_row` returns the same for what this one takes.
    """
    subscription, code, start, end, value, transaction_id, revision, kind, properties = (
        counter.external_subscription_id,
        counter.code,
        counter.from_,
        counter.to,
        counter.value,
        counter.transaction_id,
        counter.revision,
        counter.kind,
        counter.properties,
    )
    if not (
        revision is None
        and kind is None
        and (type(start) is int or (type(start) is str and len(start) <= _LONGEST_INSTANT))
        and (type(end) is int or (type(end) is str and len(end) <= _LONGEST_INSTANT))
        and type(transaction_id) is str
        and type(subscription) is str
        and type(code) is str
        and 0 < len(transaction_id) <= LONGEST_IDENTIFIER
        and len(subscription) <= LONGEST_IDENTIFIER
        and len(code) <= LONGEST_IDENTIFIER
        and transaction_id.isprintable()
        and not transaction_id.isspace()
        and _is_identifier(subscription)
        and _is_identifier(code)
    ):
        return None
    meant = plain_of_text(value) if type(value) is str else None
    if meant is None:
        exact = number(value)
        if exact is None:
            return None
        value, meant = str(exact), plain(exact)
    window = _usual_window(start, end)
    read = read_properties(properties)
    if window is None or window.end > latest or read is None:
        return None
    digest = _digest(code, "delta", window.meaning, meant, 0, read.canonical, "")
    identity = Identity(subscription, transaction_id)
    return Row(identity, code, "delta", window, value, 0, read.json, None, digest)


def _judged_row(counter: Counter, latest: datetime) -> Row | _Errors:
    errors = _Errors()
    subscription = errors.identifier(
        "external_subscription_id", counter.external_subscription_id, mandatory=True
    )
    code = errors.code(counter.code)
    start = errors.moment("from", counter.from_, latest)
    end = errors.moment("to", counter.to, latest)
    value = number(counter.value)
    if value is None:
        errors["value"] = [MANDATORY if counter.value in (None, "") else INVALID]
    revision = 0 if counter.revision is None else counter.revision
    if type(revision) is not int or not 0 <= revision <= _LARGEST_REVISION:
        errors["revision"] = [INVALID]
    kind = "delta" if counter.kind is None else counter.kind
    if kind not in ("delta", "cumulative"):
        errors["kind"] = [INVALID]
    if start and end and not errors and (end < start or (end == start and kind == "delta")):
        errors["to"] = [INVALID]
    transaction_id = errors.identifier("transaction_id", counter.transaction_id, mandatory=False)
    properties = errors.properties(counter.properties)
    if errors or start is None or end is None or value is None:
        return errors
    window = window_of(start, end)
    if not transaction_id:
        meaning = window.meaning
        transaction_id = _derived_id(subscription, code, meaning, properties.canonical, revision)
    digest = _digest(code, kind, window.meaning, plain(value), revision, properties.canonical, "")
    identity = Identity(subscription, transaction_id)
    return Row(identity, code, kind, window, str(value), revision, properties.json, None, digest)


def event_row(event: Event, latest: datetime) -> Row | _Errors:
    """The row of one Lago event, or its errors. The metric finds the value in the properties."""
    return _usual_event_row(event, latest) or _judged_event_row(event, latest)


def _usual_event_row(event: Event, latest: datetime) -> Row | None:
    """As `_usual_row`: the row of an event whose ids are plain texts and that names no amount."""
    transaction_id, code, subscription = (
        event.transaction_id,
        event.code,
        event.external_subscription_id,
    )
    if not (
        event.precise_total_amount_cents is None
        and type(transaction_id) is str
        and type(subscription) is str
        and type(code) is str
        and 0 < len(transaction_id) <= LONGEST_IDENTIFIER
        and len(subscription) <= LONGEST_IDENTIFIER
        and len(code) <= LONGEST_IDENTIFIER
        and transaction_id.isprintable()
        and not transaction_id.isspace()
        and _is_identifier(subscription)
        and _is_identifier(code)
    ):
        return None
    window = None
    if event.timestamp is not None:
        window = _usual_moment(event.timestamp) if type(event.timestamp) is int else None
        if window is None or window.end > latest:
            return None
    properties = read_properties(event.properties)
    if properties is None:
        return None
    meaning = "" if window is None else window.meaning
    digest = _digest(code, "event", meaning, "", 0, properties.canonical, "")
    identity = Identity(subscription, transaction_id)
    return Row(identity, code, "event", window, None, 0, properties.json, None, digest)


def _judged_event_row(event: Event, latest: datetime) -> Row | _Errors:
    errors = _Errors()
    transaction_id = errors.identifier("transaction_id", event.transaction_id, mandatory=True)
    code = errors.code(event.code)
    subscription = errors.identifier(
        "external_subscription_id", event.external_subscription_id, mandatory=False
    )
    moment = errors.timestamp(event.timestamp, latest)
    amount = None
    if event.precise_total_amount_cents is not None:
        amount = number(event.precise_total_amount_cents)
        if amount is None:
            errors["precise_total_amount_cents"] = [INVALID]
    properties = errors.properties(event.properties)
    if errors:
        return errors
    window = None if moment is None else moment_of(moment)
    # Without a timestamp the receive time counts, and is no part of the meaning: a retry is equal.
    meaning = "" if window is None else window.meaning
    cents, spelt = (None, "") if amount is None else (str(amount), plain(amount))
    digest = _digest(code, "event", meaning, "", 0, properties.canonical, spelt)
    identity = Identity(subscription, transaction_id)
    return Row(identity, code, "event", window, None, 0, properties.json, cents, digest)


def window_of(start: datetime, end: datetime) -> Window:
    """The window between two instants in UTC."""
    meaning = f"{microseconds(start)}\0{microseconds(end)}"
    return Window(start, end, start.isoformat(" "), end.isoformat(" "), meaning)


def moment_of(moment: datetime) -> Window:
    """The window of an event: an instant in UTC."""
    text = moment.isoformat(" ")
    return Window(moment, moment, text, text, str(microseconds(moment)))


@lru_cache(maxsize=4096)  # the counters of a batch share their windows
def _usual_window(start: str | int, end: str | int) -> Window | None:
    first, last = instant(start), instant(end)
    return window_of(first, last) if first and last and first < last else None


@lru_cache(maxsize=4096)  # events of the same second
def _usual_moment(timestamp: int) -> Window | None:
    moment = epoch_instant(timestamp)
    return None if moment is None else moment_of(moment)


@lru_cache(maxsize=16384)  # subscriptions and metrics come again and again
def _is_identifier(text: str) -> bool:
    """Surely one; False may still be one."""
    return text.isprintable() and bool(text.strip())


def rows_of(
    items: Sequence[ItemT], row_of: Callable[[ItemT, datetime], Row | _Errors]
) -> list[Row]:
    """One row an item, in their order. Raises ProblemError 422 with every error of every index."""
    latest = _latest(int(time.time()))
    rows: list[Row] = []
    details: Details = {}
    for index, item in enumerate(items):
        row = row_of(item, latest)
        if isinstance(row, Row):
            rows.append(row)
        else:
            details[str(index)] = row
    if details:
        raise invalid(details)
    return rows


@lru_cache(maxsize=1)
def _latest(second: int) -> datetime:
    return datetime.fromtimestamp(second, UTC) + AHEAD


def lago_id(service_code: str, identity: Identity) -> str:
    """The stable uuid that Lago's `lago_id` asks for: derived from the identity, never stored.

    A version 5 uuid, made without the standard library's object of it: that was 4 % of an event.
    """
    name = f"{service_code}\0{identity.external_subscription_id}\0{identity.transaction_id}"
    digest = hashlib.sha1(_LAGO_ID_NAMESPACE + name.encode(), usedforsecurity=False).hexdigest()
    return (
        f"{digest[:8]}-{digest[8:12]}-5{digest[13:16]}-"
        f"{_VARIANTS[digest[16]]}{digest[17:20]}-{digest[20:32]}"
    )


_VARIANTS = {f"{digit:x}": "89ab"[digit & 3] for digit in range(16)}  # RFC 9562


def _digest(
    code: str, kind: str, window: str, value: str, revision: int, properties: str, cents: str
) -> bytes:
    """SHA-256 over what a row means. NUL separates: no stored text holds one."""
    meaning = f"1\0{code}\0{kind}\0{window}\0{value}\0{revision}\0{properties}\0{cents}"
    return hashlib.sha256(meaning.encode()).digest()


def _derived_id(*parts: Any) -> str:
    """The transaction id of a counter that came without one: the same for the same window."""
    return "auto-" + hashlib.sha256("\0".join(map(str, parts)).encode()).hexdigest()[:32]
