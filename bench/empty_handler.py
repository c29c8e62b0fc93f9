"""The measure of a request: handlers that do nothing. Litestar's on the same server, by uvicorn's
own protocol and on Granian, where the endpoint was before; one without a framework; and one on the
endpoint's own protocol."""

from __future__ import annotations

import os
from typing import Any

import uvicorn
from litestar import Litestar, Request, post

from ingest.api.connection import Connection
from ingest.api.deadlines import Timetable
from ingest.api.request import Request as OwnRequest


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

    async def answer(self, request: OwnRequest) -> None:
        request.respond(200, [], b"")


def framework() -> Litestar:
    return Litestar([empty, read], openapi_config=None, logging_config=None)


def on_granian(port: int) -> None:
    # Imported here, for its worker imports this module again.
    from granian.constants import Interfaces
    from granian.log import LogLevels
    from granian.server import Server

    Server(
        "bench.empty_handler",
        address="127.0.0.1",
        port=port,
        interface=Interfaces.ASGI,
        websockets=False,
        log_level=LogLevels.warning,
        log_access=False,
    ).serve(target_loader=lambda *_: framework(), wrap_loader=False)


def on_uvicorn(application: Any, port: int, protocol: Any) -> None:
    uvicorn.run(
        application,
        port=port,
        loop="uvloop",
        http=protocol,
        interface="asgi3",
        ws="none",
        lifespan="off",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        log_level="warning",
    )


def main(kind: str, port: int) -> None:
    if kind == "granian":
        on_granian(port)
    elif kind == "own":
        on_uvicorn(Own(), port, Connection)
    else:
        on_uvicorn(framework() if kind == "litestar" else bare, port, "httptools")


if __name__ == "__main__":
    main(os.environ["KIND"], int(os.environ["PORT"]))
