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
from litestar.types import Receive, Scope, Send

from ingest.api.answer_head import Fields
from ingest.api.auth import Keys, authorize
from ingest.api.body import HUNG_UP, answer_broken_off, read_body, require_json
from ingest.api.bridge import bridge
from ingest.api.deadlines import Timetable
from ingest.api.limits import RateLimit
from ingest.api.observe import Observer
from ingest.api.payloads import decode
from ingest.api.problems import ProblemError, problem_of
from ingest.api.request import HungUpError, Request

_encode = msgspec.json.Encoder().encode
_JSON = ("content-type", "application/json")


class Direct(NamedTuple):
    """A POST route: the struct of its body, and what answers it for a service."""

    body: type
    answer: Callable[[Any, str], Awaitable[msgspec.Struct]]


class Endpoint:
    """What a worker serves: POST on exactly these paths, and the app for everything else; every
    request observed. To uvicorn it is an ASGI application that only opens and closes."""

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
        self.timetable = Timetable()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Opens the app, and closes it when the worker stops: ASGI's lifespan."""
        try:
            await self._app(scope, receive, send)
        finally:
            self._observer.flush()

    async def answer(self, request: Request) -> None:
        """Answers a request. Does not raise."""
        started = time.perf_counter()
        facts = self._observer.begin(request.header(b"x-request-id"))
        method, path = request.method, request.path
        route = self._routes.get(path) if method == "POST" else None
        if route is None:
            self._observer.flush()  # it may ask for the counts
            status, path = await bridge(self._app, request, facts["request_id"])
        else:
            status = await self._answer(route, request, facts)
        self._observer.end(facts, method, path, status, started)

    def refuse(self, problem: ProblemError) -> tuple[Fields, bytes]:
        """The answer to what is no request."""
        facts = self._observer.begin("")
        self._observer.end(facts, "-", "-", problem.body.status, time.perf_counter())
        return [_JSON, ("x-request-id", facts["request_id"])], _encode(problem.body)

    async def _answer(self, route: Direct, request: Request, facts: dict[str, Any]) -> int:
        """Answers a direct route's request; returns the answer's status."""
        told: dict[str, str] = {}
        try:
            authorization = request.header(b"authorization")
            service_code = None
            if self._rate_limit is None:  # at once, where the key was valid a moment ago
                service_code = self._keys.remembered(authorization.partition(" ")[2])
            if service_code is None:
                service_code = await authorize(self._keys, self._rate_limit, authorization, told)
            facts["service"] = service_code
            require_json(request.header(b"content-type"), request.header(b"content-encoding"))
            body = await read_body(request, self._most_bytes)
            answer = await route.answer(decode(route.body, body), service_code)
            status, content = 200, _encode(answer)
        except HungUpError:
            answer_broken_off(request, facts["request_id"])
            return HUNG_UP
        except asyncio.CancelledError:
            raise
        except Exception as error:  # the outermost boundary: nothing may reach the server's log
            problem = problem_of(error)
            status, content = problem.body.status, _encode(problem.body)
            told |= problem.headers
        fields = [_JSON, ("x-request-id", facts["request_id"])]
        if told:
            fields += [(name.lower(), value) for name, value in told.items()]
        request.respond(status, fields, content)
        return status
