"""The routes that apps call all day, answered without the framework's detours.

Litestar resolves dependencies in task groups and decodes through a DTO: measured, most of
what a single event costs. These routes stand in Litestar too, for the OpenAPI document and for
whatever is spelt unusually (a slash at the end); both ways call the same functions.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple

import msgspec
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Receive, Scope, Send

from ingest.api.auth import Keys, authorize
from ingest.api.body import HungUpError, read_body, require_json
from ingest.api.limits import RateLimit
from ingest.api.payloads import decode
from ingest.api.problems import problem_of

_encode = msgspec.json.Encoder().encode


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
) -> ASGIApp:
    """The app, with POST on exactly these paths answered here."""

    async def respond(scope: Any, receive: Receive) -> tuple[int, bytes, dict[str, str]]:
        told: dict[str, str] = {}
        try:
            route = routes[scope["path"]]
            headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
            service_code = await authorize(
                keys, rate_limit, headers.get(b"authorization", ""), told
            )
            require_json(headers.get(b"content-type", ""), headers.get(b"content-encoding", ""))
            body = await read_body(receive, headers.get(b"content-length", ""), most_bytes)
            answer = await route.answer(decode(route.body, body), service_code)
            return 200, _encode(answer), told
        except (HungUpError, asyncio.CancelledError):
            raise
        except Exception as error:  # the outermost boundary: nothing may reach the server's log
            problem = problem_of(error)
            return problem.body.status, _encode(problem.body), told | problem.headers

    async def way(scope: Scope, receive: Receive, send: Send) -> None:
        if (
            scope["type"] != ScopeType.HTTP
            or scope["method"] != "POST"
            or scope["path"] not in routes
        ):
            await app(scope, receive, send)
            return
        scope["path_template"] = scope["path"]
        try:
            status, content, told = await respond(scope, receive)
        except HungUpError:
            return
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(content)).encode()),
            *((name.lower().encode(), value.encode()) for name, value in told.items()),
        ]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": content, "more_body": False})

    return way
