"""Errors in Lago's shapes, and how every exception becomes one of them."""

from __future__ import annotations

import traceback
from http import HTTPStatus
from typing import Any

import msgspec
from litestar import MediaType, Request, Response
from litestar.exceptions import HTTPException, MethodNotAllowedException
from litestar.openapi.datastructures import ResponseSpec
from litestar.types import ExceptionHandlersMap

from ingest.api.database import RefusedError, UnavailableError
from ingest.api.observe import log

Details = dict[str, Any]

MANDATORY = "value_is_mandatory"
EXISTS = "value_already_exist"
INVALID = "value_is_invalid"
FORMAT = "invalid_format"

_CODES = {
    404: "resource_not_found",
    405: "method_not_allowed",
    408: "request_timeout",
    413: "body_too_large",
    415: "unsupported_media_type",
    429: "too_many_requests",
    503: "service_unavailable",
}
_RETRY_AFTER_SECONDS = 1


class ErrorBody(msgspec.Struct, omit_defaults=True):
    """Lago's error: 400, 401 and 500 carry no `code`, only 422 carries `error_details`."""

    status: int
    error: str
    code: str | None = None
    error_details: Details | None = None


class ProblemError(Exception):
    """An answer other than 200."""

    def __init__(
        self,
        status: int,
        error: str | None = None,
        *,
        code: str | None = None,
        details: Details | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        phrase = "Unprocessable Entity" if status == 422 else HTTPStatus(status).phrase
        self.body = ErrorBody(status, error or phrase, code or _CODES.get(status), details)
        self.headers = headers or {}
        super().__init__(self.body.error)


def bad_request(reason: str) -> ProblemError:
    """400: the body is not what the route takes at all."""
    return ProblemError(400, f"BadRequest: {reason}")


def parameter_missing(name: str) -> ProblemError:
    """400 as Lago words it, where the root key is missing or empty."""
    return bad_request(f"param is missing or the value is empty: {name}")


def invalid(details: Details) -> ProblemError:
    """422 with `error_details`: field → codes, or index → field → codes."""
    return ProblemError(422, code="validation_errors", details=details)


def not_found(resource: str) -> ProblemError:
    """404 `<resource>_not_found`."""
    return ProblemError(404, code=f"{resource}_not_found")


def problem_of(error: Exception) -> ProblemError:
    """The answer that an exception means. Logs what the person on call has to know, no payload."""
    if isinstance(error, ProblemError):
        return error
    if isinstance(error, UnavailableError):
        log.warning("database_unavailable", reason=error.reason)
        return ProblemError(503, headers={"Retry-After": str(_RETRY_AFTER_SECONDS)})
    if isinstance(error, RefusedError):
        # What slipped through validation and PostgreSQL cannot store is still the sender's error.
        log.warning("database_refused", sqlstate=error.sqlstate)
        return invalid({"base": [INVALID]})
    if isinstance(error, MethodNotAllowedException):
        return ProblemError(405, headers=dict(error.headers or {}))
    if isinstance(error, HTTPException):
        if error.status_code == 400:
            return bad_request("the request cannot be read")
        return ProblemError(error.status_code)
    # The message could quote a payload; the places cannot.
    frames = traceback.extract_tb(error.__traceback__)[-6:]
    places = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
    log.error("unexpected", exception=type(error).__qualname__, places=places)
    return ProblemError(500)


def _respond(_: Request[Any, Any, Any], error: Exception) -> Response[ErrorBody]:
    problem = problem_of(error)
    return Response(
        problem.body,
        status_code=problem.body.status,
        headers=problem.headers,
        media_type=MediaType.JSON,
    )


RESPONSES: dict[int, ResponseSpec] = {
    status: ResponseSpec(ErrorBody, description=description, generate_examples=False)
    for status, description in (
        (400, "Not JSON, or without the root key."),
        (401, "No key, or not a valid one."),
        (404, "Nothing of the key's service has this id."),
        (408, "The body did not arrive in time."),
        (413, "The body is above MAX_BODY_MB."),
        (415, "The body is not JSON in UTF-8."),
        (422, "`error_details` names every bad field, in lists by index."),
        (429, "More requests than RATE_LIMIT_PER_SECOND; `Retry-After` tells when."),
        (503, "The database is away or busy; repeat the request after `Retry-After` seconds."),
    )
}

EXCEPTION_HANDLERS: ExceptionHandlersMap = {HTTPException: _respond, Exception: _respond}
