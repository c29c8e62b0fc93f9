"""One JSON line a request on standard error, without payloads or keys, and X-Request-Id."""

from __future__ import annotations

import re
import sys
import time
import uuid

import structlog
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

_REQUEST_ID = re.compile(rb"[\x21-\x7e]{1,128}")

log: structlog.stdlib.BoundLogger = structlog.wrap_logger(
    structlog.PrintLogger(sys.stderr),
    processors=[
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        structlog.processors.JSONRenderer(),
    ],
    wrapper_class=structlog.make_filtering_bound_logger("info"),
)


def note(**facts: object) -> None:
    """Adds facts to the line of the request under way: counts and names, never payloads."""
    structlog.contextvars.bind_contextvars(**facts)


def observed(app: ASGIApp) -> ASGIApp:
    """The app with a request id in and out, and a line in the log for each request."""

    async def middleware(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await app(scope, receive, send)
            return
        started = time.perf_counter()
        request_id = _request_id(scope)
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        status = 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [
                    *message["headers"],
                    (b"x-request-id", request_id.encode("ascii")),
                ]
            await send(message)

        await app(scope, receive, send_with_id)
        log.info(
            "request",
            method=scope["method"],
            # The route, not the path: a path can hold an app's identifiers.
            route=scope.get("path_template", "-"),
            status=status,
            ms=round((time.perf_counter() - started) * 1000, 2),
        )

    return middleware


def _request_id(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _REQUEST_ID.fullmatch(value):
            return value.decode("ascii")
    return uuid.uuid4().hex
