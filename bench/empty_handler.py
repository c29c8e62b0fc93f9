"""The measure of a request: handlers that do nothing, on the same server: Litestar's and none on
uvicorn's own protocol, and one on the protocol that the endpoint has."""

from __future__ import annotations

import os
from typing import Any

import uvicorn
from litestar import Litestar, Request, post

from ingest.api import http1
from ingest.api.deadlines import Timetable


@post("/empty", status_code=200)
async def empty() -> None:
    """Answers at once."""


@post("/read", status_code=200)
async def read(request: Request[Any, Any, Any]) -> None:
    """Answers once the body is there."""
    await request.body()


async def bare(scope: Any, receive: Any, send: Any) -> None:
    """The same without a framework."""
    await send(
        {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]}
    )
    await send({"type": "http.response.body", "body": b""})


class Own:
    """The same without ASGI: a short body is there before its request is."""

    def __init__(self) -> None:
        self.timetable = Timetable()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """uvicorn takes what is an ASGI application; nobody asks it."""

    async def answer(self, request: http1.Request) -> None:
        request.respond(200, [], b"")


if __name__ == "__main__":
    framework = os.environ.get("FRAMEWORK", "none")
    litestar = Litestar([empty, read], openapi_config=None, logging_config=None)
    applications: dict[str, Any] = {"litestar": litestar, "none": bare, "own": Own()}
    uvicorn.run(
        applications[framework],
        port=int(os.environ["PORT"]),
        loop="uvloop",
        http=http1.Connection if framework == "own" else "httptools",
        interface="asgi3",
        ws="none",
        lifespan="off",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        log_level="warning",
    )
