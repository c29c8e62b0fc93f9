"""The measure of a request: handlers that do nothing, on the same framework and server."""

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


if __name__ == "__main__":
    target = partial(load) if os.environ.get("FRAMEWORK") == "litestar" else lambda *_: bare
    Server(
        "bench.empty_handler",
        address="127.0.0.1",
        port=int(os.environ["PORT"]),
        workers=int(os.environ.get("WORKERS", "1")),
        interface=Interfaces.ASGI,
        websockets=False,
        log_level=LogLevels.warning,
        log_access=False,
    ).serve(target_loader=target, wrap_loader=False)
