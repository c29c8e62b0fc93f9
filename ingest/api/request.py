"""One HTTP request as the endpoint sees it: its head, its body, its one answer."""

from __future__ import annotations

import asyncio
from typing import Protocol

import httptools

from ingest.api.answer_head import Fields
from ingest.api.problems import ProblemError

SHORT_BYTES = 65_536  # a body up to this is there before its request is answered
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Wire(Protocol):
    """The connection that a request came by."""

    def address(self, end: str) -> tuple[str, int] | None: ...
    def write(self, data: bytes) -> None: ...
    def read_on(self) -> None: ...
    def end(self, request: Request, status: int, fields: Fields, content: bytes) -> None: ...


class HungUpError(Exception):
    """The client went away before its body was complete, or broke it off."""


class Request:
    """One request. Its head is there; its body is, or comes by `read`; it gets one answer.

    Of a header that comes twice the first counts. Headers are read as Latin-1, as HTTP has them.
    """

    __slots__ = (
        "_connection",
        "_expects",
        "_headers",
        "_parts",
        "_unread",
        "_waiting",
        "announced",
        "answered",
        "broken",
        "ended",
        "fields",
        "is_late",
        "is_short",
        "keep_alive",
        "method",
        "path",
        "target",
        "version",
    )

    def __init__(
        self,
        connection: Wire,
        method: str,
        target: bytes,
        version: str,
        fields: list[tuple[bytes, bytes]],
    ) -> None:
        self._connection = connection
        self._headers: dict[bytes, bytes] = dict(reversed(fields))
        self._parts: list[bytes] = []
        self._unread = 0
        self._waiting: asyncio.Future[None] | None = None
        self.method = method
        self.target = target  # as it was sent: the path and what follows it
        self.path = _path(target)
        self.version = version
        self.fields = fields
        self.announced = self._announced()
        self.is_short = self.announced is not None and self.announced <= SHORT_BYTES
        self._expects = self._headers.get(b"expect", b"").lower() == b"100-continue"
        if self._expects:
            self.is_short = False  # it is sent when it is asked for
        self.ended = False  # whether the body is here, whole
        self.broken = False  # whether no more of it comes
        self.is_late = False  # because it did not come in time
        self.answered = False
        self.keep_alive = version == "1.1"

    def header(self, name: bytes) -> str:
        """A header's value; empty where it was not sent. `name`: lower case."""
        value = self._headers.get(name)
        return value.decode("latin-1") if value else ""

    def whole(self) -> bytes:
        """What has come of the body and was not read."""
        parts = self._parts
        return parts[0] if len(parts) == 1 else b"".join(parts)

    async def read(self) -> bytes:
        """What has come of the body since the last call, once something has; empty at its end.

        Raises HungUpError, and ProblemError 408 where nothing came for IDLE_SECONDS or it was not
        whole in time.
        """
        while not self._parts:
            if self.ended:
                return b""
            if self.is_late:
                raise ProblemError(408)
            if self.broken:
                raise HungUpError
            if self._expects:
                self._expects = False
                self._connection.write(_CONTINUE)
            self._waiting = asyncio.get_running_loop().create_future()
            await self._waiting
        piece = self.whole()
        self._parts.clear()
        self._unread = 0
        self._connection.read_on()
        return piece

    async def closed(self) -> None:
        """Returns when the connection is gone."""
        while not self.broken:
            self._waiting = asyncio.get_running_loop().create_future()
            await self._waiting

    def respond(self, status: int, fields: Fields, content: bytes) -> None:
        """The answer; the first counts. Content-Length, Date and Connection are set here."""
        if not self.answered:
            self.answered = True
            self._connection.end(self, status, fields, content)

    def address(self, end: str) -> tuple[str, int] | None:
        """Host and port of this end (`sockname`) or the client's (`peername`)."""
        return self._connection.address(end)

    def add(self, part: bytes) -> int:
        """A part of the body has come. Returns the bytes that nobody has read."""
        self._parts.append(part)
        self._unread += len(part)
        self.wake()
        return self._unread

    def wake(self) -> None:
        """Who waits in `read` or `closed` looks again."""
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    def _announced(self) -> int | None:
        """The body's length, as the parser let it pass; None for one in chunks."""
        if b"transfer-encoding" in self._headers:
            return None
        return int(self._headers.get(b"content-length", b"0"))


def _path(target: bytes) -> str:
    """Quoted, as it was sent. A proxy may send the whole address."""
    if target[:1] != b"/":
        target = httptools.parse_url(target).path or b"/"
    return target.partition(b"?")[0].decode("latin-1")
