"""The framework on Granian's RSGI: an ASGI application answers what the direct routes do not.

Granian's own ASGI hands every message through its runtime and back: an empty handler that reads
its body answered half as often there. RSGI hands a body over as bytes.
"""

from __future__ import annotations

import asyncio
from typing import Any, cast
from urllib.parse import quote

from litestar import Litestar
from litestar.types import ASGIApp, HTTPScope, Message

from ingest.api.body import CLOSE, HUNG_UP, Body, HungUpError, answer_broken_off, has_body
from ingest.api.rsgi import Exchange, Scope, value_of

_UNKNOWN = "-"
_DISCONNECTED: dict[str, Any] = {"type": "http.disconnect"}


async def bridge(
    app: ASGIApp, scope: Scope, exchange: Exchange, request_id: str
) -> tuple[int, str]:
    """Answers a request by the app; returns the answer's status and the route, `-` for none."""
    asgi = asgi_scope(scope)
    body = Body(scope.headers, exchange)
    told = hung_up = False
    status, headers = 0, [("x-request-id", request_id)]
    content: list[bytes] = []

    async def receive() -> Any:
        nonlocal told, hung_up
        if told:
            await exchange.client_disconnect()
            return _DISCONNECTED
        try:
            part = b"" if body.ended else await body.read()
        except HungUpError:
            told = hung_up = True
            return _DISCONNECTED
        told = body.ended
        return {"type": "http.request", "body": part, "more_body": not told}

    async def send(message: Message) -> None:
        nonlocal status
        if message["type"] == "http.response.start":
            status = message["status"]
            headers[:0] = [
                (name.decode("latin-1"), value.decode("latin-1"))
                for name, value in message["headers"]
            ]
            if not body.ended and has_body(scope.headers):
                headers.append(CLOSE)
        elif message["type"] == "http.response.body":
            content.append(message["body"])
            if not (message["more_body"] or hung_up):
                exchange.response_bytes(status, headers, b"".join(content))

    await app(asgi, receive, send)
    if hung_up:
        answer_broken_off(exchange, request_id)
        status = HUNG_UP
    # The route, not the path: a path can hold an app's identifiers.
    return status, asgi.get("path_template", _UNKNOWN)


def asgi_scope(scope: Scope) -> HTTPScope:
    """The request as ASGI describes it."""
    sent = scope.headers
    shown = sent.items()
    hidden = set(sent) - {name for name, _ in shown}
    pairs = [*shown, *((name, value_of(sent, name)) for name in hidden)]
    headers = [(name.encode(), value.encode()) for name, value in pairs]
    if "host" not in sent:
        headers.insert(0, (b"host", (scope.authority or "").encode()))
    asgi = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": scope.http_version,
        "server": _address(scope.server),
        "client": _address(scope.client),
        "scheme": scope.scheme,
        "method": scope.method,
        "root_path": "",
        "path": scope.path,
        "raw_path": quote(scope.path).encode(),  # RSGI tells the decoded one only
        "query_string": scope.query_string.encode(),
        "headers": headers,
        "extensions": {},
        "state": {},
    }
    return cast(HTTPScope, asgi)


def _address(text: str) -> tuple[str, int]:
    """Host and port of `127.0.0.1:80` or `[::1]:80`."""
    host, _, port = text.rpartition(":")
    return host.strip("[]"), int(port)


class Lifespan:
    """Opens and closes an application before and after its worker serves, in one task."""

    def __init__(self, app: Litestar) -> None:
        self._app = app

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """To be called before the loop runs. Raises what the application's start does."""
        started = loop.create_future()
        self._stopping = loop.create_future()
        self._task = loop.create_task(self._live(started))
        loop.run_until_complete(asyncio.wait((started, self._task), return_when="FIRST_COMPLETED"))
        if not started.done():
            self._task.result()

    def stop(self, loop: asyncio.AbstractEventLoop) -> None:
        """To be called when the loop has stopped; returns when everything is closed."""
        self._stopping.set_result(None)
        loop.run_until_complete(self._task)

    async def _live(self, started: asyncio.Future[None]) -> None:
        async with self._app.lifespan():
            started.set_result(None)
            await self._stopping
