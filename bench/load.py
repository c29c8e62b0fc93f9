"""A load generator that costs little: prepared requests over keep-alive connections."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import uvloop

_LONGEST_SECONDS = 600


@dataclass(frozen=True)
class Load:
    """What came back: answers a second, and the latencies in seconds, sorted."""

    requests: int
    seconds: float
    latencies: list[float]

    @property
    def rate(self) -> float:
        return self.requests / self.seconds

    def quantile(self, share: float) -> float:
        """The latency that this share of the requests did not exceed, in seconds."""
        return self.latencies[min(len(self.latencies) - 1, int(share * len(self.latencies)))]


class _Connection(asyncio.Protocol):
    """Sends the next request as soon as the answer to the last is complete."""

    def __init__(self, queue: deque[bytes], latencies: list[float], ended: asyncio.Future[None]):
        self._queue = queue
        self._latencies = latencies
        self._ended = ended
        self._seen = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is no subclass of it
        self._next()

    def data_received(self, data: bytes) -> None:
        seen = self._seen = self._seen + data
        end = seen.find(b"\r\n\r\n")
        if end < 0:
            return
        head = seen[:end].lower()
        length = int(head.partition(b"content-length:")[2].split(b"\r\n", 1)[0] or 0)
        if len(seen) < end + 4 + length:
            return
        if not seen.startswith(b"HTTP/1.1 2"):
            self._ended.set_exception(RuntimeError(seen[:500].decode(errors="replace")))
            self._transport.close()
            return
        self._latencies.append(time.perf_counter() - self._sent_at)
        self._next()

    def connection_lost(self, error: Exception | None) -> None:
        if not self._ended.done():
            self._ended.set_exception(error or RuntimeError("the server hung up"))

    def _next(self) -> None:
        self._seen = b""
        if not self._queue:
            self._ended.set_result(None)
            self._transport.close()
            return
        self._sent_at = time.perf_counter()
        self._transport.write(self._queue.popleft())


def send(requests: Sequence[bytes], *, port: int, connections: int) -> Load:
    """Sends every request once, over so many connections. Raises RuntimeError on any but a 2xx."""

    async def run() -> Load:
        queue, latencies = deque(requests), []  # type: ignore[var-annotated]
        loop = asyncio.get_running_loop()
        ends = [loop.create_future() for _ in range(connections)]
        started = time.perf_counter()
        for end in ends:
            await loop.create_connection(
                lambda end=end: _Connection(queue, latencies, end), "127.0.0.1", port
            )
        async with asyncio.timeout(_LONGEST_SECONDS):
            await asyncio.gather(*ends)
        return Load(len(latencies), time.perf_counter() - started, sorted(latencies))

    return uvloop.run(run())
