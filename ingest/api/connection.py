"""HTTP/1.1 in the loop that stores: httptools parses, uvicorn keeps the processes, this is between.

A server that reads in threads of its own hands an event over three times, and each time one thread
waits until another wakes: a quarter of what two cores had for an event. uvicorn's own protocol
speaks ASGI, which costs as much. docs/benchmarks.md has the figures.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Coroutine
from contextvars import Context
from typing import Any, Protocol, cast

import httptools
from uvicorn.config import Config
from uvicorn.server import ServerState

from ingest.api.answer_head import BODILESS, Fields, head_of
from ingest.api.deadlines import Timetable
from ingest.api.observe import log
from ingest.api.problems import ProblemError, bad_request
from ingest.api.request import Request

HEAD_SECONDS = 10.0  # for a request's head, from its first byte or the connection's beginning
IDLE_SECONDS = 10.0  # between two pieces of a body, and for a short one as a whole
_BODY_SECONDS = 60.0  # for the whole of a long one
KEEP_ALIVE_SECONDS = 75.0  # between two requests
LINGER_SECONDS = 5.0  # for a closed connection's last bytes, either way
_MOST_SILENT_BYTES = 65_536  # of a head, or between two pieces of a body
_MOST_WAITING_BYTES = 262_144  # of a body that nobody has read yet
_SLICE_BYTES = 8_192  # are parsed at a time: so many requests, sent ahead, may wait


class Application(Protocol):
    """What answers requests, and what is none; `timetable` is of all its worker's connections."""

    timetable: Timetable

    def answer(self, request: Request) -> Coroutine[Any, Any, None]: ...
    def refuse(self, problem: ProblemError) -> tuple[Fields, bytes]: ...


class Connection(asyncio.Protocol):
    """One client's connection: requests are answered one after the other, in their order.

    uvicorn makes it (its `http` setting) and calls `shutdown`. A request is handed over when its
    short body is whole, one with a long body as soon as its head is.
    """

    due = math.inf

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self._application = cast(Application, config.loaded_app)
        self._loop = _loop or asyncio.get_running_loop()
        self._server = server_state
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport = None  # type: ignore[assignment]  # until connected
        self._current: Request | None = None  # is being answered
        self._behind: deque[Request] = deque()  # were sent before that one was answered
        self._coming: Request | None = None  # its body is not complete
        self._url = b""
        self._fields: list[tuple[bytes, bytes]] = []
        self._left = b""  # came, and waits until requests before it are answered
        self._is_half = False  # whether a request has begun to come and has not ended
        self._silent = 0  # bytes since a head ended or a piece of a body came
        self._until = math.inf  # for the whole of a body
        self._raw = 0  # bytes of a body that the parser takes for another protocol's
        self._paused = self._stalled = False  # whether it reads; whether the client does not
        self._deaf = False  # what still comes is thrown away
        self._all_came = False  # the client sends no more
        self._last = False  # no request after those that are here
        self._closing = self._gone = False
        self._unsent = math.inf  # bytes of answers, when that was last looked at

    # What uvicorn and the loop call.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is no subclass of it
        self._server.connections.add(self)  # type: ignore[arg-type]  # uvicorn's own kinds
        self.due = self._loop.time() + HEAD_SECONDS
        self._application.timetable.add(self, self._loop)

    def connection_lost(self, error: Exception | None) -> None:
        self._gone = self._last = self._deaf = True
        self._server.connections.discard(self)  # type: ignore[arg-type]
        self._application.timetable.discard(self)
        self._behind.clear()
        self._break_off()
        self._parser = self._left = self._fields = None  # type: ignore[assignment]  # a cycle
        if self._current is not None:
            self._current.broken = True
            self._current.wake()

    def eof_received(self) -> bool:
        """The client sends no more; it may wait for its answers."""
        self._last = self._deaf = self._all_came = True
        if self._current is None and self._coming is None:
            return False
        self._break_off()
        return True

    def data_received(self, data: bytes) -> None:
        self._left = self._left + data if self._left else data
        self._take()

    def pause_writing(self) -> None:
        self._stalled = True
        self._pause()

    def resume_writing(self) -> None:
        self._stalled = False
        self._unsent = math.inf
        self._go_on()

    def shutdown(self) -> None:
        """No request after those whose head is here."""
        self._last = True
        if self._coming is None:
            self._deaf = True
            if self._current is None:
                self._close()

    def expire(self, now: float) -> None:
        """What was to happen by `due` has not."""
        waited_for = self._coming if self._current in (None, self._coming) else None
        if self._closing or (self._stalled and self._current is None):
            unsent, self._unsent = self._unsent, self._transport.get_write_buffer_size()
            if 0 < self._unsent < unsent:
                self.due = now + IDLE_SECONDS  # it reads, if slowly
            else:
                self._transport.abort()
        elif self._paused or (self._current is not None and waited_for is None):
            self.due = now + IDLE_SECONDS  # it waits for us
        elif waited_for is not None:
            waited_for.is_late = self._deaf = True
            self._break_off()
        else:
            self._close()

    # What the parser calls.

    def on_message_begin(self) -> None:
        self._url = b""
        self._fields = []
        self._is_half = True
        self.due = self._loop.time() + HEAD_SECONDS

    def on_url(self, part: bytes) -> None:
        self._url += part

    def on_header(self, name: bytes, value: bytes) -> None:
        self._fields.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        parser = self._parser
        self._silent = 0
        method = parser.get_method().decode("ascii")
        request = Request(self, method, self._url, parser.get_http_version(), self._fields)
        self._fields = []  # what follows are trailers, which nobody looks at
        request.keep_alive = request.keep_alive and parser.should_keep_alive()
        if parser.should_upgrade():
            if request.announced is None:
                raise ValueError("no other protocol is spoken here, send the body without Upgrade")
            self._raw = request.announced
        self._coming = request
        now = self._loop.time()
        self._until = now + _BODY_SECONDS
        self.due = now + IDLE_SECONDS
        if not request.is_short:
            self._hand_over(request)

    def on_body(self, part: bytes) -> None:
        self._silent = 0
        request = self._coming
        if request is None:
            return
        if request.add(part) > _MOST_WAITING_BYTES:
            self._pause()
        if not request.is_short:
            self.due = min(self._until, self._loop.time() + IDLE_SECONDS)

    def on_message_complete(self) -> None:
        self._silent = 0
        request = self._coming
        if request is None or self._raw:
            return
        self._coming = None
        self._is_half = False
        self._deaf = self._deaf or self._last
        request.ended = True
        if request.is_short:
            self._hand_over(request)
        else:
            request.wake()

    # What a request calls.

    def address(self, end: str) -> tuple[str, int] | None:
        """Host and port of one of its ends; None where it has none."""
        found = self._transport.get_extra_info(end)
        return (str(found[0]), int(found[1])) if isinstance(found, tuple) else None

    def write(self, data: bytes) -> None:
        """Unless the client is gone."""
        if not self._is_gone():
            self._transport.write(data)

    def read_on(self) -> None:
        """Reads what the client sends, where that was held up and need not be any more."""
        if self._paused and not (self._behind or self._stalled or self._is_gone()):
            self._paused = False
            self._transport.resume_reading()

    def end(self, request: Request, status: int, fields: Fields, content: bytes) -> None:
        """Writes the answer to the current request, and goes on to the next or closes."""
        self._current = None
        self._server.total_requests += 1
        if self._is_gone():
            return
        last = not (request.keep_alive and request.ended) or (self._last and not self._behind)
        head = head_of(self._server.default_headers, status, fields, len(content), last)
        bare = request.method == "HEAD" or status in BODILESS
        self._transport.write(head if bare else head + content)
        if last:
            self._close()
            return
        self.due = self._loop.time() + (IDLE_SECONDS if self._is_half else KEEP_ALIVE_SECONDS)
        self._go_on()

    # The rest.

    def _is_gone(self) -> bool:
        # The second a turn of the loop before the first: a write has failed.
        return self._gone or self._transport.is_closing()

    def _take(self) -> None:
        """Parses what has come, as far as requests can be begun: a client may send any number."""
        data, at = self._left, 0
        try:
            while at < len(data) and not (self._behind or self._stalled or self._deaf):
                part = data[at : at + _SLICE_BYTES]  # itself, where it is no longer
                at += self._take_raw(part) if self._raw else self._parse(part)
                if self._silent > _MOST_SILENT_BYTES:
                    raise ProblemError(431)
        except httptools.HttpParserError as error:
            self._refuse(bad_request(str(error.__context__ or error)))
        except ProblemError as problem:
            self._refuse(problem)
        self._left = b"" if self._deaf else data[at:]

    def _parse(self, data: bytes) -> int:
        """Returns how much it took: less where a head asks for another protocol, which is answered
        in this."""
        self._silent += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            return int(upgrade.args[0])
        return len(data)

    def _take_raw(self, data: bytes) -> int:
        part = data[: self._raw]
        self._raw -= len(part)
        self.on_body(part)
        if not self._raw:
            self.on_message_complete()
        return len(part)

    def _hand_over(self, request: Request) -> None:
        if self._current is None and not self._stalled:
            self._begin(request)
        else:
            self._behind.append(request)
            self._pause()

    def _go_on(self) -> None:
        if self._behind and self._current is None and not self._stalled:
            self._begin(self._behind.popleft())
        if self._left:
            self._take()
        self.read_on()

    def _begin(self, request: Request) -> None:
        self._current = request
        # Its own: this may run in the task of the request before, whose facts are none of its.
        context = Context()
        task = self._loop.create_task(self._application.answer(request), context=context)
        self._server.tasks.add(task)
        task.add_done_callback(self._done, context=context)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._server.tasks.discard(task)
        if task.cancelled() or task.exception() is not None:
            log.error("not_answered", reason="cancelled" if task.cancelled() else "exception")
            self._transport.abort()

    def _break_off(self) -> None:
        """No more comes of what was coming; who answers it will be told."""
        request, self._coming = self._coming, None
        if request is None:
            return
        request.broken = True
        request.wake()
        if request.is_short:
            self._hand_over(request)

    def _refuse(self, problem: ProblemError) -> None:
        """What came is no HTTP: the connection ends after the requests before it."""
        self._deaf = self._last = True
        if self._coming is not None:
            self._break_off()
        elif self._current is None:
            fields, content = Context().run(self._application.refuse, problem)
            head = head_of(
                self._server.default_headers, problem.body.status, fields, len(content), True
            )
            self._transport.write(head + content)
            self._close()

    def _pause(self) -> None:
        if not (self._paused or self._is_gone()):
            self._paused = True
            self._transport.pause_reading()

    def _close(self) -> None:
        """Ends the connection. What is still on its way is thrown away for a while: closed at once,
        it would take the answer with it."""
        self.due = self._loop.time() + LINGER_SECONDS
        if self._closing:
            return
        nothing_comes = self._all_came or (self._coming is None and not self._deaf)
        self._closing = self._deaf = True
        self._coming = None
        self._behind.clear()
        self._unsent = math.inf
        if nothing_comes or self._is_gone():
            self._transport.close()
            return
        self._stalled = False
        self._transport.write_eof()
        self.read_on()
