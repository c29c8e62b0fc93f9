"""The framework behind the endpoint's own HTTP: an ASGI application answers what the direct routes
do not."""

from __future__ import annotations

from typing import Any, cast
from urllib.parse import unquote_to_bytes

from litestar.types import ASGIApp, HTTPScope, Message

from ingest.api.body import HUNG_UP, answer_broken_off
from ingest.api.request import HungUpError, Request

_UNKNOWN = "-"
_DISCONNECTED: dict[str, Any] = {"type": "http.disconnect"}
_OURS = ("content-length", "connection")  # are the connection's to tell


async def bridge(app: ASGIApp, request: Request, request_id: str) -> tuple[int, str]:
    """Answers a request by the app; returns the answer's status and the route, `-` for none."""
    scope = asgi_scope(request)
    told = hung_up = False
    status, fields = 0, [("x-request-id", request_id)]
    content: list[bytes] = []

    async def receive() -> Any:
        nonlocal told, hung_up
        if told:
            await request.closed()
            return _DISCONNECTED
        try:
            part = await request.read()
        except HungUpError:
            told = hung_up = True
            return _DISCONNECTED
        told = request.ended
        return {"type": "http.request", "body": part, "more_body": not told}

    async def send(message: Message) -> None:
        nonlocal status
        if message["type"] == "http.response.start":
            status = message["status"]
            pairs = [
                (name.decode("latin-1"), value.decode("latin-1"))
                for name, value in message["headers"]
            ]
            fields[:0] = [(name, value) for name, value in pairs if name.lower() not in _OURS]
        elif message["type"] == "http.response.body":
            content.append(message["body"])
            if not (message["more_body"] or hung_up):
                request.respond(status, fields, b"".join(content))

    await app(scope, receive, send)
    if hung_up:
        answer_broken_off(request, request_id)
        status = HUNG_UP
    # The route, not the path: a path can hold an app's identifiers.
    return status, scope.get("path_template", _UNKNOWN)


def asgi_scope(request: Request) -> HTTPScope:
    """The request as ASGI describes it."""
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": request.version,
        "server": request.address("sockname"),
        "client": request.address("peername"),
        "scheme": "http",
        "method": request.method,
        "root_path": "",
        "path": unquote_to_bytes(request.path.encode("latin-1")).decode(errors="replace"),
        "raw_path": request.path.encode("latin-1"),
        "query_string": request.target.partition(b"?")[2],
        "headers": request.fields,
        "extensions": {},
        "state": {},
    }
    return cast(HTTPScope, scope)
