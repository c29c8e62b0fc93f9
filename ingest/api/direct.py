"""The routes that apps call all day, answered without the framework's detours.

Litestar resolves dependencies in task groups and decodes through a DTO: measured, most of
what a single event costs. These routes stand in Litestar too, for the OpenAPI document and for
whatever is spelt unusually (a slash at the end); both ways call the same functions.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple

import msgspec
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Receive, Scope, Send

from ingest.api.auth import Keys, authorize
from ingest.api.body import HungUpError, read_body, require_json
from ingest.api.limits import RateLimit
from ingest.api.observe import Observer
from ingest.api.payloads import decode
from ingest.api.problems import problem_of

_encode = msgspec.json.Encoder().encode
_HUNG_UP = 0  # as a status in the log and in the counts


class Direct(NamedTuple):
    """A POST route: the struct of its body, and what answers it for a service."""

    body: type
    answer: Callable[[Any, str], Awaitable[msgspec.Struct]]


def direct(
    app: ASGIApp,
    routes: Mapping[str, Direct],
    keys: Keys,
    rate_limit: RateLimit | None,
    most_bytes: int,
    observer: Observer,
) -> ASGIApp:
    """The app, with POST on exactly these paths answered here, and observed."""

    async def respond(
        route: Direct, headers: dict[bytes, bytes], receive: Receive
    ) -> tuple[int, bytes, dict[str, str]]:
        told: dict[str, str] = {}
        try:
            service_code = await authorize(
                keys, rate_limit, headers.get(b"authorization", b"").decode("latin-1"), told
            )
            require_json(
                headers.get(b"content-type", b"").decode("latin-1"),
                headers.get(b"content-encoding", b"").decode("latin-1"),
            )
            body = await read_body(receive, headers.get(b"content-length", b""), most_bytes)
            answer = await route.answer(decode(route.body, body), service_code)
            return 200, _encode(answer), told
        except (HungUpError, asyncio.CancelledError):
            raise
        except Exception as error:  # the outermost boundary: nothing may reach the server's log
            problem = problem_of(error)
            return problem.body.status, _encode(problem.body), told | problem.headers

    async def way(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP or scope["method"] != "POST":
            await app(scope, receive, send)
            return
        path = scope["path"]
        if path not in routes:
            await app(scope, receive, send)
            return
        started = time.perf_counter()
        sent = dict(scope["headers"])
        facts = observer.begin(sent.get(b"x-request-id", b""))
        status = _HUNG_UP
        try:
            status, content, told = await respond(routes[path], sent, receive)
            headers = [
                (b"content-type", b"application/json"),
                (b"content-length", b"%d" % len(content)),
                (b"x-request-id", facts["request_id"].encode()),
            ]
            if told:
                headers += [(name.lower().encode(), value.encode()) for name, value in told.items()]
            await send({"type": "http.response.start", "status": status, "headers": headers})
            await send({"type": "http.response.body", "body": content, "more_body": False})
        except HungUpError:
            pass
        observer.end(facts, "POST", path, status, started)

    return way
