"""What travels over /webhook_endpoints, in Lago's shapes, and what its fields may be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, TypeVar

import msgspec
from litestar.openapi.spec import Schema
from msgspec import UNSET, Meta, Struct, UnsetType

from ingest.api.payloads import ExactJson, PageMeta
from ingest.api.problems import (
    INVALID,
    MANDATORY,
    Details,
    ProblemError,
    bad_request,
    invalid,
    parameter_missing,
)
from ingest.api.strictness import fields_twice
from warehouse.webhooks import WEBHOOK_TYPES, TargetPolicy, TargetRefusedError, parse_target

T = TypeVar("T")

ROOT = "webhook_endpoint"
REQUIRED = {"WebhookEndpointRequest": [ROOT]}
_LONGEST_NAME = 255


def _described(description: str, *schemas: Schema) -> Meta:
    return Meta(extra_json_schema={"description": description, "extra": {"any_of": [*schemas]}})


_TEXT, _NULL = Schema(type="string"), Schema(type="null")  # type: ignore[arg-type]
_TYPES = Schema(
    type="array",  # type: ignore[arg-type]
    items=Schema(type="string", enum=["*", *WEBHOOK_TYPES]),  # type: ignore[arg-type]
)


class WebhookEndpointInput(Struct):
    """A receiver. What is absent stays as it is, or takes its default in a new one."""

    webhook_url: Annotated[
        Any, _described("https, a public address; at most 2,000 characters.", _TEXT)
    ] = UNSET
    signature_algo: Annotated[Any, _described("`hmac`, the default; no `jwt`.", _TEXT, _NULL)] = (
        UNSET
    )
    name: Annotated[Any, _described("At most 255 characters.", _TEXT, _NULL)] = UNSET
    event_types: Annotated[Any, _described('Null or `["*"]`: all.', _TYPES, _NULL)] = UNSET


class WebhookEndpointRequest(Struct):
    """A receiver under its root key."""

    webhook_endpoint: WebhookEndpointInput | None = None


class WebhookEndpoint(Struct):
    """A receiver as stored. `secret`, which signs, is told once: in the answer to POST."""

    lago_id: str
    lago_organization_id: str
    webhook_url: str
    created_at: str
    signature_algo: str
    name: str | None
    event_types: list[str] | None
    secret: str | UnsetType = UNSET


class WebhookEndpointAnswer(Struct):
    webhook_endpoint: WebhookEndpoint


class WebhookEndpointsPage(Struct):
    webhook_endpoints: list[WebhookEndpoint]
    meta: PageMeta


class OneReceiver(ExactJson[T]):
    """Decodes a body of one receiver. Raises ProblemError 400 or 422."""

    def decode_bytes(self, value: bytes) -> Any:
        return decode(value)


_decoder = msgspec.json.Decoder(WebhookEndpointRequest)


def decode(body: bytes) -> WebhookEndpointRequest:
    """The body; keys that come twice and a missing root are errors. Raises ProblemError."""
    try:
        request = _decoder.decode(body)
        if request.webhook_endpoint is None:
            raise parameter_missing(ROOT)
        twice = fields_twice(body, ROOT, WebhookEndpointInput.__struct_fields__)
    except msgspec.ValidationError as error:
        if f"$.{ROOT}" in str(error):
            raise invalid({ROOT: [INVALID]}) from None
        raise bad_request("the body is not a JSON object") from None
    except (UnicodeDecodeError, RecursionError, msgspec.DecodeError):
        raise bad_request("the body is not JSON in UTF-8") from None
    if -1 in twice:
        raise bad_request(f"{ROOT} comes twice")
    if twice:
        raise invalid({name: [INVALID] for name in twice[0]})
    return request


def judged(request: WebhookEndpointRequest, policy: TargetPolicy, *, new: bool) -> dict[str, Any]:
    """The columns of ops.webhook_endpoint that the request sets.

    Raises ProblemError 422 that names every bad field; a new receiver needs a URL.
    """
    sent = request.webhook_endpoint or WebhookEndpointInput()
    details: Details = {}
    columns: dict[str, Any] = {}
    judges: dict[str, tuple[str, Callable[[object], object]]] = {
        "webhook_url": ("url", lambda value: _url(value, policy)),
        "signature_algo": ("signature_algo", _algorithm),
        "name": ("name", _name),
        "event_types": ("event_types", _types),
    }
    for field, (column, judge) in judges.items():
        value = getattr(sent, field)
        if value is UNSET and not (new and field == "webhook_url"):
            continue
        try:
            columns[column] = judge(value)
        except _BadFieldError as error:
            details[field] = [str(error)]
    if details:
        raise invalid(details)
    return columns


class _BadFieldError(Exception):
    """The message is the code that the answer carries."""


def _url(value: object, policy: TargetPolicy) -> str:
    if value is UNSET or value is None or value == "":
        raise _BadFieldError(MANDATORY)
    if not isinstance(value, str):
        raise _BadFieldError(INVALID)
    try:
        parse_target(value, policy)
    except TargetRefusedError as error:
        raise _BadFieldError(str(error)) from None
    return value


def _algorithm(value: object) -> str:
    if value == "jwt":
        raise _BadFieldError("only_hmac_is_supported")
    if value is not None and value != "hmac":
        raise _BadFieldError(INVALID)
    return "hmac"


def _name(value: object) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or len(value) > _LONGEST_NAME or "\x00" in value:
        raise _BadFieldError(INVALID)
    return value


def _types(value: object) -> list[str] | None:
    if value is None or value == ["*"]:
        return None
    if not isinstance(value, list) or not value:
        raise _BadFieldError(INVALID)
    if not all(isinstance(one, str) and one in WEBHOOK_TYPES for one in value):
        raise _BadFieldError(INVALID)
    return list(dict.fromkeys(value))


def problem_of_url(code: str) -> ProblemError:
    """422 on the URL."""
    return invalid({"webhook_url": [code]})
