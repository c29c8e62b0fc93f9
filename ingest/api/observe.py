"""One JSON line a request on standard error, without payloads or keys; X-Request-Id; metrics."""

from __future__ import annotations

import asyncio
import re
import sys
import time
import uuid
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

import msgspec
import structlog
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from ingest.api.metrics import Metrics

_REQUEST_ID = re.compile(rb"[\x21-\x7e]{1,128}")
_UNKNOWN = "-"
_METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))

# What is known of the request under way. A dict of its own per request, so that a fact noted in a
# task the request started is not lost with that task's context.
_facts: ContextVar[dict[str, object] | None] = ContextVar("facts", default=None)
_json = msgspec.json.Encoder()


def _with_facts(_: Any, __: str, line: structlog.typing.EventDict) -> structlog.typing.EventDict:
    return {**(_facts.get() or {}), **line}


def _to_json(line: structlog.typing.EventDict, **_: Any) -> str:
    return _json.encode(line).decode()


log: structlog.stdlib.BoundLogger = structlog.wrap_logger(
    structlog.PrintLogger(sys.stderr),
    processors=[
        _with_facts,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        structlog.processors.JSONRenderer(_to_json),
    ],
    wrapper_class=structlog.make_filtering_bound_logger("info"),
)


def note(**facts: object) -> None:
    """Adds facts to the line of the request under way: counts and names, never payloads."""
    known = _facts.get()
    if known is not None:
        known.update(facts)


def observed(app: ASGIApp, metrics: Metrics) -> ASGIApp:
    """The app with a request id in and out, and for each request a line in the log and counts."""

    lines: list[str] = []

    async def middleware(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await app(scope, receive, send)
            return
        started = time.perf_counter()
        request_id = _request_id(scope)
        facts: dict[str, object] = {"request_id": request_id}
        _facts.set(facts)
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
        seconds = time.perf_counter() - started
        # The route, not the path: a path can hold an app's identifiers.
        route = scope.get("path_template", _UNKNOWN)
        facts["method"] = scope["method"]
        facts["route"] = route
        facts["status"] = status
        facts["ms"] = round(seconds * 1000, 2)
        _write_line(lines, facts)
        _count(metrics, scope["method"], route, status, seconds, facts)

    return middleware


def _write_line(lines: list[str], facts: dict[str, object]) -> None:
    """What `log.info("request", …)` writes, without the processors: there is one a request."""
    at = datetime.now(UTC).replace(tzinfo=None).isoformat() + "Z"
    lines.append(_json.encode(facts | {"event": "request", "level": "info", "at": at}).decode())
    if len(lines) == 1:
        # What ends in the same turn of the loop, as after a shared commit, is one write.
        asyncio.get_running_loop().call_soon(_flush, lines)


def _flush(lines: list[str]) -> None:
    sys.stderr.write("\n".join(lines) + "\n")
    lines.clear()


def _count(
    metrics: Metrics, method: str, route: str, status: int, seconds: float, facts: dict[str, Any]
) -> None:
    # A made-up method must not make a series of its own; a made-up path is no route.
    known = method if method in _METHODS else _UNKNOWN
    metrics.requests.labels(known, route, status).inc()
    metrics.request_seconds.labels(route).observe(seconds)
    for counter, name in (
        (metrics.rows, "accepted"),
        (metrics.duplicates, "duplicates"),
        (metrics.conflicts, "conflicts"),
    ):
        if found := facts.get(name):
            counter.inc(found)


def _request_id(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _REQUEST_ID.fullmatch(value):
            return str(value.decode("ascii"))
    return uuid.uuid4().hex
