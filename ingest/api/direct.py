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
from litestar import Litestar

from ingest.api.auth import Keys, authorize
from ingest.api.body import (
    CLOSE,
    HUNG_UP,
    HungUpError,
    answer_broken_off,
    has_body,
    read_body,
    require_json,
)
from ingest.api.bridge import Lifespan, bridge
from ingest.api.limits import RateLimit
from ingest.api.observe import Observer
from ingest.api.payloads import decode
from ingest.api.problems import problem_of
from ingest.api.rsgi import Exchange, Headers, Scope, value_of

_encode = msgspec.json.Encoder().encode
_JSON = ("content-type", "application/json")


class Direct(NamedTuple):
    """A POST route: the struct of its body, and what answers it for a service."""

    body: type
    answer: Callable[[Any, str], Awaitable[msgspec.Struct]]


class Endpoint:
    """What a worker serves, by Granian's RSGI: POST on exactly these paths, and the app for
    everything else; every request observed."""

    def __init__(
        self,
        app: Litestar,
        routes: Mapping[str, Direct],
        keys: Keys,
        rate_limit: RateLimit | None,
        most_bytes: int,
        observer: Observer,
    ) -> None:
        self._app = app
        self._routes = routes
        self._keys = keys
        self._rate_limit = rate_limit
        self._most_bytes = most_bytes
        self._observer = observer
        self._lifespan = Lifespan(app)

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        # Kept: to be asked for the running loop, CPython 3.11 asks the system for the process's id.
        self._loop = loop
        self._lifespan.start(loop)

    def __rsgi_del__(self, loop: asyncio.AbstractEventLoop) -> None:
        try:
            self._lifespan.stop(loop)
        finally:
            self._observer.flush()

    async def __call__(self, scope: Scope, exchange: Exchange) -> None:
        started = time.perf_counter()
        facts = self._observer.begin(scope.headers.get("x-request-id") or "")
        method, path = scope.method, scope.path
        route = self._routes.get(path) if method == "POST" else None
        if route is None:
            self._observer.flush()  # it may ask for the counts
            status, path = await bridge(self._app, scope, exchange, facts["request_id"])
        else:
            status = await self._answer(route, scope.headers, exchange, facts)
        self._observer.end(facts, method, path, status, started)

    async def _answer(
        self, route: Direct, headers: Headers, exchange: Exchange, facts: dict[str, Any]
    ) -> int:
        """Answers a direct route's request; returns the answer's status."""
        told: dict[str, str] = {}
        body = None
        try:
            authorization = headers.get("authorization") or ""
            service_code = None
            if self._rate_limit is None:  # at once, where the key was valid a moment ago
                service_code = self._keys.remembered(authorization.partition(" ")[2])
            if service_code is None:
                service_code = await authorize(self._keys, self._rate_limit, authorization, told)
            facts["service"] = service_code
            require_json(value_of(headers, "content-type"), value_of(headers, "content-encoding"))
            body = await read_body(headers, exchange, self._most_bytes, self._loop)
            answer = await route.answer(decode(route.body, body), service_code)
            status, content = 200, _encode(answer)
        except HungUpError:
            answer_broken_off(exchange, facts["request_id"])
            return HUNG_UP
        except asyncio.CancelledError:
            raise
        except Exception as error:  # the outermost boundary: nothing may reach the server's log
            problem = problem_of(error)
            status, content = problem.body.status, _encode(problem.body)
            told |= problem.headers
        sent = [_JSON, ("x-request-id", facts["request_id"])]
        if told:
            sent += [(name.lower(), value) for name, value in told.items()]
        if body is None and CLOSE not in sent and has_body(headers):
            sent.append(CLOSE)
        exchange.response_bytes(status, sent, content)
        return status
