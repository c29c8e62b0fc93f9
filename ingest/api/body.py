"""A request's body: what its headers say of it, and reading it within bounds of size and time."""

from __future__ import annotations

import asyncio
from typing import Any

from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler
from litestar.types import Receive

from ingest.api.problems import ProblemError

BODY_SECONDS = 60.0  # for the whole of it
IDLE_SECONDS = 10.0  # between two pieces of it


class HungUpError(Exception):
    """The client went away before its body was complete; nobody waits for an answer."""


def require_json(content_type: str, encoding: str) -> None:
    """Raises ProblemError 415 for what is no JSON in UTF-8; no type counts as JSON."""
    if content_type in ("", "application/json") and encoding in ("", "identity"):
        return
    media_type, *parameters = (part.strip() for part in content_type.lower().split(";"))
    charset = [
        part.partition("=")[2].strip('"') for part in parameters if part.startswith("charset=")
    ]
    is_json = media_type in ("", "application/json") or (
        media_type.startswith("application/") and media_type.endswith("+json")
    )
    plain = encoding.lower() in ("", "identity")
    if not is_json or charset not in ([], ["utf-8"], ["utf8"]) or not plain:
        raise ProblemError(415)


async def json_only(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
    """A guard: `require_json` on the connection's headers. (A plain function would cost a thread
    a request.)"""
    headers = connection.headers
    require_json(headers.get("content-type", ""), headers.get("content-encoding", ""))


async def read_body(receive: Receive, length: str, most: int) -> bytes:
    """The whole body. `length`: the Content-Length header, empty where chunks come.

    Raises ProblemError 413 above `most` bytes, without reading where the header says so; 408 where
    nothing comes for IDLE_SECONDS or it is not complete after BODY_SECONDS; HungUpError.
    """
    if length.isdigit() and int(length[:20]) > most:
        raise _too_large()
    parts: list[bytes] = []
    size = 0
    more = True
    try:
        async with asyncio.timeout(IDLE_SECONDS) as patience:
            clock = asyncio.get_running_loop().time
            deadline = clock() + BODY_SECONDS
            while more:
                message: Any = await receive()
                if message["type"] != "http.request":
                    raise HungUpError
                parts.append(message.get("body", b""))
                size += len(parts[-1])
                if size > most:
                    raise _too_large()
                more = message.get("more_body", False)
                if more:
                    patience.reschedule(min(deadline, clock() + IDLE_SECONDS))
    except TimeoutError:
        raise ProblemError(408, headers={"Connection": "close"}) from None
    return b"".join(parts)


def _too_large() -> ProblemError:
    return ProblemError(413, headers={"Connection": "close"})
