"""What travels over HTTP: the bodies of requests and answers.

Fields of a request are typed `Any` where JSON offers several forms of one thing (`1.5` and `"1.5"`,
epoch seconds and ISO-8601) and where one bad item must not hide the next: rows.py judges each
field and names every error by index. What a field may be stands in the OpenAPI document.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Sequence
from functools import cache
from typing import Annotated, Any, TypeVar

import msgspec
from litestar.dto import AbstractDTO, DTOFieldDefinition
from litestar.openapi.spec import Reference, Schema
from litestar.typing import FieldDefinition
from msgspec import UNSET, Meta, Struct, UnsetType

from ingest.api.exact import literal
from ingest.api.problems import INVALID, Details, ProblemError, bad_request, invalid
from ingest.api.strictness import fields_twice, may_hold_twice, place_of_no_json

T = TypeVar("T")


def _any_of(*kinds: str, description: str, **more: Any) -> Meta:
    extra = {"any_of": [Schema(type=kind) for kind in kinds]}  # type: ignore[arg-type]
    return Meta(extra_json_schema={"description": description, "extra": extra | more})


Identifier = Annotated[
    Any,
    _any_of("string", "integer", description="1 to 255 characters; an integer counts as its text."),
]
Code = Annotated[Any, _any_of("string", description="The metric's code, 1 to 255 characters.")]
Instant = Annotated[
    Any,
    _any_of(
        "string",
        "number",
        description="ISO-8601 with an offset, or epoch seconds, also as a string.",
    ),
]
EpochSeconds = Annotated[
    Any,
    _any_of(
        "string", "number", "null", description="Epoch seconds, also as a string; default: now."
    ),
]
Number = Annotated[
    Any,
    _any_of(
        "string", "number", description="A number or numeric string of at most 38 digits, exact."
    ),
]
OptionalNumber = Annotated[
    Any,
    _any_of("string", "number", "null", description="A number or numeric string, in cents."),
]
OptionalIdentifier = Annotated[
    Any, _any_of("string", "integer", "null", description="1 to 255 characters.")
]
Kind = Annotated[
    Any,
    _any_of("string", "null", description="`delta` (default) or `cumulative`: a meter reading."),
]
Revision = Annotated[
    Any,
    _any_of("integer", "null", description="Default 0; the highest revision of a window counts."),
]
FreeProperties = Annotated[
    Any, _any_of("object", "null", description="A JSON object of at most 64 KiB, kept as sent.")
]


# --- requests --------------------------------------------------------------------------------


class Counter(Struct, rename={"from_": "from"}):
    """What a subscription used of one metric in one half-open window."""

    external_subscription_id: Identifier = None
    code: Code = None
    from_: Instant = None
    to: Instant = None
    value: Number = None
    transaction_id: OptionalIdentifier = None
    revision: Revision = None
    kind: Kind = None
    properties: FreeProperties = None


class UsageRequest(Struct):
    """1 to 10,000 counters, stored all or none."""

    counters: list[Counter] | None = None


class Event(Struct):
    """A Lago event."""

    transaction_id: Identifier = None
    code: Code = None
    external_subscription_id: OptionalIdentifier = None
    timestamp: EpochSeconds = None
    precise_total_amount_cents: OptionalNumber = None
    properties: FreeProperties = None


class EventRequest(Struct):
    """One Lago event under its root key."""

    event: Event | None = None


class EventsRequest(Struct):
    """1 to 10,000 Lago events, stored all or none."""

    events: list[Event] | None = None


REQUIRED = {
    "Counter": ["external_subscription_id", "code", "from", "to", "value"],
    "UsageRequest": ["counters"],
    "Event": ["transaction_id", "code"],
    "EventRequest": ["event"],
    "EventsRequest": ["events"],
}


# --- answers ---------------------------------------------------------------------------------


class UsageReceipt(Struct):
    """`accepted` were stored now, `duplicates` earlier; `batch_id` is null where nothing was."""

    accepted: int
    duplicates: int
    batch_id: int | None


class UsageAnswer(Struct):
    usage: UsageReceipt


class StoredEvent(Struct, rename={"from_": "from"}):
    """A Lago event as stored; for a counter also its window, value, kind and revision."""

    lago_id: str
    transaction_id: str
    lago_customer_id: str | None
    code: str
    timestamp: str
    precise_total_amount_cents: str | None
    properties: Annotated[msgspec.Raw, Meta(extra_json_schema={"extra": {"type": "object"}})]
    lago_subscription_id: str | None
    external_subscription_id: str | None
    created_at: str
    duplicate: bool | UnsetType = UNSET
    kind: str | UnsetType = UNSET
    from_: str | UnsetType = UNSET
    to: str | UnsetType = UNSET
    value: str | UnsetType = UNSET
    revision: int | UnsetType = UNSET


class EventAnswer(Struct):
    event: StoredEvent


class EventsAnswer(Struct):
    events: list[StoredEvent]


class PageMeta(Struct):
    """Lago's pagination; all zero and null where nothing matches."""

    current_page: int
    next_page: int | None
    prev_page: int | None
    total_pages: int
    total_count: int


class EventsPage(Struct):
    events: list[StoredEvent]
    meta: PageMeta


class Health(Struct):
    """`database` is `ok` when a write would go through now, else `unavailable`."""

    status: str
    version: str
    database: str


# --- decoding --------------------------------------------------------------------------------


class ExactJson(AbstractDTO[T]):
    """Decodes a body with `float_hook`, so that no number passes through a float.

    Raises ProblemError: 400 for what is no JSON, or no object; 422 by index for an item that is
    no object or holds an impossible number.
    """

    @classmethod
    def generate_field_definitions(
        cls, model_type: type[Any]
    ) -> Generator[DTOFieldDefinition, None, None]:
        yield from ()

    @classmethod
    def detect_nested_field(cls, field_definition: FieldDefinition) -> bool:
        return False

    @classmethod
    def create_for_field_definition(cls, *_: Any, **__: Any) -> None:
        """No transfer model: the struct is decoded as it stands."""

    @classmethod
    def create_openapi_schema(
        cls, field_definition: FieldDefinition, handler_id: str, schema_creator: Any
    ) -> Reference | Schema:
        schema: Reference | Schema = schema_creator.for_field_definition(field_definition)
        return schema

    def decode_bytes(self, value: bytes) -> Any:
        return decode(self.model_type, value)


def decode(model: type[T], body: bytes) -> T:
    """The body as the struct, numbers digit for digit and no key twice.

    Raises ProblemError 400 or 422.
    """
    kind: Any = model
    root, decoder = _reader(kind)
    try:
        decoded: T = decoder.decode(body)
        content = getattr(decoded, root)
        items = content if isinstance(content, list) else [] if content is None else [content]
        if may_hold_twice(body, items):
            _refuse_twice(body, root, items, single=not isinstance(content, list))
    except msgspec.ValidationError as error:
        raise _misfits(decoder, root, body) or _misfit(str(error)) from None
    except UnicodeDecodeError:
        raise bad_request("the body is not UTF-8") from None
    except msgspec.DecodeError as error:
        place = place_of_no_json(body, root)
        raise bad_request(str(error) + (f" at {place}" if place else "")) from None
    except RecursionError:
        raise bad_request("the JSON is nested too deeply") from None
    return decoded


def _refuse_twice(body: bytes, root: str, items: Sequence[Struct], *, single: bool) -> None:
    """Raises ProblemError 422 for keys that came twice, 400 where the root did."""
    fields = items[0].__struct_encode_fields__ if items else ()
    found = fields_twice(body, root, fields)
    if -1 in found:
        raise bad_request(f"{root} comes twice")
    if found:
        details: Details = {
            str(index): {name: [INVALID] for name in names} for index, names in found.items()
        }
        raise invalid(details["0"] if single else details)


@cache
def _reader(model: Any) -> tuple[str, msgspec.json.Decoder[Any]]:
    """The root key, which is the struct's one field, and the decoder."""
    (root,) = model.__struct_fields__
    return root, msgspec.json.Decoder(model, float_hook=literal)


_MOST_ITEMS = 10_000  # of a batch; its route refuses more by their number
_PLACE = re.compile(r" - at `\$\.(\w+)(?:\[(\d+)\])?(?:\.(\w+))?")


def _misfits(decoder: msgspec.json.Decoder[Any], root: str, body: bytes) -> ProblemError | None:
    """The errors of every item of a list, which the decoder leaves at the first; None where what is
    wrong is no item, or where there are more than any route takes."""
    details: Details = {}
    try:
        items = msgspec.json.decode(body, type=dict[str, list[msgspec.Raw]])[root]
        for index, item in enumerate(items if len(items) <= _MOST_ITEMS else ()):
            try:
                decoder.decode(b'{"%s":[%s]}' % (root.encode(), bytes(item)))
            except msgspec.ValidationError as error:
                details[str(index)] = (_misfit(str(error)).body.error_details or {})["0"]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, KeyError):
        return None
    return invalid(details) if details else None


def _misfit(message: str) -> ProblemError:
    """The error for JSON that is well formed but not of the route's form."""
    place = _PLACE.search(message)
    if place is None:
        return bad_request("the body is not a JSON object")
    root, index, field = place.groups()
    if index is None:
        return invalid({field or root: [INVALID]})
    return invalid({index: {field or root.removesuffix("s"): [INVALID]}})
