"""A request's body: what its headers say of it, and reading it within bounds of size and time."""

from __future__ import annotations

import asyncio
from typing import Any, Self

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


async def read_body(receive: Receive, length: bytes, most: int) -> bytes:
    """The whole body. `length`: the Content-Length header, empty where chunks come.

    Raises ProblemError 413 above `most` bytes, without reading where the header says so; 408 where
    nothing comes for IDLE_SECONDS or it is not complete after BODY_SECONDS; HungUpError.
    """
    announced = int(length[:20]) if length.isdigit() else -1
    if announced > most:
        raise _too_large()
    parts: list[bytes] = []
    size = 0
    more = True
    with _Patience() as patience:
        while more:
            message: Any = await receive()
            if message["type"] != "http.request":
                raise HungUpError
            part = message.get("body", b"")
            size += len(part)
            if size > most:
                raise _too_large()
            # Complete is complete: another message would only say that no more comes.
            more = size != announced and message.get("more_body", False)
            if more or parts:
                parts.append(part)
                patience.renew()
    return b"".join(parts) if parts else part


class _Patience:
    """Raises ProblemError 408 where the block waits too long.

    `asyncio.timeout` does the same: measured, at a tenth of a single event's whole cost.
    """

    __slots__ = ("_deadline", "_loop", "_spent", "_task", "_timer")

    def __enter__(self) -> Self:
        self._loop = loop = asyncio.get_running_loop()
        self._task = asyncio.current_task(loop)
        self._spent = False
        self._deadline: float | None = None
        self._timer = loop.call_later(IDLE_SECONDS, self._give_up)
        return self

    def renew(self) -> None:
        """Something came: waits for IDLE_SECONDS more, though not beyond the whole's time."""
        now = self._loop.time()
        if self._deadline is None:
            self._deadline = now + BODY_SECONDS
        self._timer.cancel()
        self._timer = self._loop.call_at(min(self._deadline, now + IDLE_SECONDS), self._give_up)

    def _give_up(self) -> None:
        if self._task is not None:
            self._spent = True
            self._task.cancel()

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._timer.cancel()
        if self._spent and self._task is not None and self._task.uncancel() == 0 and kind:
            raise ProblemError(408, headers={"Connection": "close"}) from None


def _too_large() -> ProblemError:
    return ProblemError(413, headers={"Connection": "close"})
