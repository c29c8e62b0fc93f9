"""A request's body: what its headers say of it, and reading it within bounds of size and time."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any, cast

import msgspec
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from ingest.api.deadlines import TimeLimits
from ingest.api.problems import ProblemError, bad_request
from ingest.api.rsgi import Exchange, Headers, ProtocolClosed, value_of

BODY_SECONDS = 60.0  # for the whole of it
IDLE_SECONDS = 10.0  # between two pieces of it, and for a short one as a whole
_SHORT_BYTES = 65_536
HUNG_UP = 0  # as a status in the log and in the counts
CLOSE = ("connection", "close")


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


class Body:
    """A request's body in pieces, and whether it came to its end.

    Granian hands over an empty piece for the end, and one more before it for trailers or where a
    body breaks off. So trailers count only where they were announced.
    """

    __slots__ = ("_exchange", "_parts", "_received", "_trailers", "announced", "ended")

    def __init__(self, headers: Headers, exchange: Exchange) -> None:
        self.announced = _announced(headers)
        self.ended = self.announced == 0
        self._received = 0
        self._trailers = self.announced is None and "trailer" in headers
        self._exchange = exchange
        self._parts: AsyncIterator[bytes] | None = None

    async def read(self) -> bytes:
        """The next piece; empty, if at all, at the end. Raises HungUpError."""
        if self._parts is None:
            self._parts = aiter(self._exchange)
        part = await anext(self._parts)
        if part:
            self._received += len(part)
            # Complete is complete: another piece would only say that no more comes.
            self.ended = self._received == self.announced
            return part
        if self.announced is not None:
            raise HungUpError
        with contextlib.suppress(StopAsyncIteration):
            if self._trailers:
                await anext(self._parts)
            # With a default, `anext` and Granian's awaitable crash CPython 3.11.
            await anext(self._parts)
            raise HungUpError
        self.ended = True
        return b""


def answer_broken_off(exchange: Exchange, request_id: str) -> None:
    """400: mostly nobody is there any more, but where the body was no HTTP, somebody is."""
    problem = bad_request("the body is not complete").body
    headers = [("content-type", "application/json"), CLOSE, ("x-request-id", request_id)]
    exchange.response_bytes(problem.status, headers, msgspec.json.encode(problem))


async def read_body(
    headers: Headers, exchange: Exchange, most: int, loop: asyncio.AbstractEventLoop
) -> bytes:
    """The whole body. Raises ProblemError 413 above `most` bytes, without reading where the header
    says so; 408 where nothing comes for IDLE_SECONDS or it is not complete after BODY_SECONDS (a
    short one: IDLE_SECONDS); HungUpError.
    """
    announced = _announced(headers)
    if announced is not None and announced > most:
        raise _too_large()
    if announced == 0:
        return b""
    task = cast("asyncio.Task[Any]", asyncio.current_task(loop))
    _patience.set(task, loop, loop.time() + IDLE_SECONDS)
    try:
        if announced is not None and announced <= _SHORT_BYTES:
            whole = await exchange()  # a tenth of an empty request's cost less than in pieces
            if len(whole) != announced:  # over HTTP/2 a stream may be reset without an error
                raise HungUpError
            return whole
        return await _read_in_pieces(Body(headers, exchange), most, loop, task)
    except ProtocolClosed:
        raise HungUpError from None
    except asyncio.CancelledError:
        if _patience.is_over(task):
            raise ProblemError(408, headers={"Connection": "close"}) from None
        raise
    finally:
        _patience.drop(task)


async def _read_in_pieces(
    body: Body, most: int, loop: asyncio.AbstractEventLoop, task: asyncio.Task[Any]
) -> bytes:
    began = loop.time()
    part = await body.read()
    parts, size = [part], len(part)
    while size <= most and not body.ended:
        _patience.set(task, loop, min(began + BODY_SECONDS, loop.time() + IDLE_SECONDS))
        part = await body.read()
        size += len(part)
        parts.append(part)
    if size > most:
        raise _too_large()
    return b"".join(parts)


def has_body(headers: Headers) -> bool:
    """Whether one follows. Answered without having read it, a request ends its connection, and the
    client has to be told: it would send the next one there."""
    return (_announced(headers) or 0) > 0 or "transfer-encoding" in headers


def _announced(headers: Headers) -> int | None:
    """The body's length as the header tells it; None where it does not."""
    length = value_of(headers, "content-length")
    return int(length[:20]) if length.isdigit() else None


_patience = TimeLimits()


def _too_large() -> ProblemError:
    return ProblemError(413, headers={"Connection": "close"})
