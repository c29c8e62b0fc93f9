"""The measure of a request: handlers that do nothing, on the same server: as Litestar's on ASGI, on
ASGI without a framework, and on RSGI."""

from __future__ import annotations

import os
from functools import partial
from typing import Any

from granian.constants import Interfaces
from granian.log import LogLevels
from granian.server import Server
from litestar import Litestar, Request, post


@post("/empty", status_code=200)
async def empty() -> None:
    """Answers at once."""


@post("/read", status_code=200)
async def read(request: Request[Any, Any, Any]) -> None:
    """Answers once the body is there."""
    await request.body()


def load(*_: Any) -> Litestar:
    return Litestar([empty, read], openapi_config=None, logging_config=None)


async def bare(scope: Any, receive: Any, send: Any) -> None:
    """The same without a framework."""
    if scope["type"] != "http":
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


async def rsgi(scope: Any, exchange: Any) -> None:
    """The same by the interface that our endpoint uses; `/read` reads the body first."""
    if scope.path == "/read":
        async for _ in exchange:
            break
    exchange.response_empty(200, [])


_TARGETS = {"litestar": load, "none": lambda *_: bare, "rsgi": lambda *_: rsgi}

if __name__ == "__main__":
    framework = os.environ.get("FRAMEWORK", "none")
    Server(
        "bench.empty_handler",
        address="127.0.0.1",
        port=int(os.environ["PORT"]),
        workers=int(os.environ.get("WORKERS", "1")),
        interface=Interfaces.RSGI if framework == "rsgi" else Interfaces.ASGI,
        websockets=False,
        log_level=LogLevels.warning,
        log_access=False,
    ).serve(target_loader=partial(_TARGETS[framework]), wrap_loader=False)
