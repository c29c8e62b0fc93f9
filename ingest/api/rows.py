"""From a decoded item to the row of raw.usage_counter it means, or to all that is wrong with it."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple, TypeVar

from ingest.api.exact import epoch_instant, instant, microseconds, number, plain
from ingest.api.payloads import Counter, Event
from ingest.api.problems import FORMAT, INVALID, MANDATORY, Details, invalid
from ingest.api.properties import NONE, Properties, read_properties

ItemT = TypeVar("ItemT")

MOST_ITEMS = 10_000
LONGEST_IDENTIFIER = 255  # two of them, at four bytes a character, still fit a btree entry
AHEAD = timedelta(days=1)
_LARGEST_REVISION = 2**31 - 1
_LAGO_ID_NAMESPACE = uuid.UUID("7a4a3a52-6c0f-5b0e-9d55-0f8c2f1f5b1e")


class Identity(NamedTuple):
    """What makes a row one row within its service; '' where an event names no subscription."""

    external_subscription_id: str
    transaction_id: str


class Row(NamedTuple):
    """One row to store. `window_*` None: an event without timestamp; it gets the receive time."""

    identity: Identity
    code: str
    kind: str
    window_start: datetime | None
    window_end: datetime | None
    value: Decimal | None
    revision: int
    properties: str
    amount_cents: Decimal | None
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
    window = f"{microseconds(start)}\0{microseconds(end)}"
    if not transaction_id:
        transaction_id = _derived_id(subscription, code, window, properties.canonical, revision)
    digest = _digest(code, kind, window, plain(value), revision, properties.canonical, "")
    return Row(
        Identity(subscription, transaction_id),
        code,
        kind,
        start,
        end,
        value,
        revision,
        properties.json,
        None,
        digest,
    )


def event_row(event: Event, latest: datetime) -> Row | _Errors:
    """The row of one Lago event, or its errors. The metric finds the value in the properties."""
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
    # Without a timestamp the receive time counts, and is no part of the meaning: a retry is equal.
    window = "" if moment is None else str(microseconds(moment))
    cents = "" if amount is None else plain(amount)
    return Row(
        Identity(subscription, transaction_id),
        code,
        "event",
        moment,
        moment,
        None,
        0,
        properties.json,
        amount,
        _digest(code, "event", window, "", 0, properties.canonical, cents),
    )


def rows_of(
    items: Sequence[ItemT], row_of: Callable[[ItemT, datetime], Row | _Errors]
) -> list[Row]:
    """One row an item, in their order. Raises ProblemError 422 with every error of every index."""
    latest = datetime.now(UTC) + AHEAD
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


def lago_id(service_code: str, identity: Identity) -> str:
    """The stable uuid that Lago's `lago_id` asks for: derived from the identity, never stored."""
    name = "\0".join((service_code, *identity))
    return str(uuid.uuid5(_LAGO_ID_NAMESPACE, name))


def _digest(*meaning: object) -> bytes:
    """SHA-256 over what a row means. NUL separates: no stored text holds one."""
    return hashlib.sha256("1\0{}\0{}\0{}\0{}\0{}\0{}\0{}".format(*meaning).encode()).digest()


def _derived_id(*parts: Any) -> str:
    """The transaction id of a counter that came without one: the same for the same window."""
    return "auto-" + hashlib.sha256("\0".join(map(str, parts)).encode()).hexdigest()[:32]
