"""Delivering what is due, many receivers at once and none at the expense of the others."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple, TypeVar

import httpx
from sqlalchemy.engine import Engine

from exports.webhooks import queue
from exports.webhooks.queue import Claim
from exports.webhooks.sending import Sender
from exports.webhooks.signing import headers
from warehouse.version import code_version
from warehouse.webhooks import TargetPolicy

T = TypeVar("T")


class Bounds(NamedTuple):
    """Attempts under way in all and to one endpoint; seconds after which nothing new is begun."""

    at_once: int = 64
    at_once_each: int = 4
    seconds: float = 120.0


@dataclass(frozen=True)
class Delivered:
    """Attempts by how they ended; `dead` were the last of theirs, `lost` another process's."""

    delivered: int
    failed: int
    dead: int
    lost: int


def make_sender(policy: TargetPolicy) -> Sender:
    """A sender that trusts the usual authorities, or those of SSL_CERT_FILE."""
    return Sender(policy, httpx.create_ssl_context())


def deliver(engine: Engine, sender: Sender, bounds: Bounds | None = None) -> Delivered:
    """Attempts every delivery that is due, until none is or the time is up.

    Any number of processes may do so at once. Killed at any moment, what it was at is attempted
    again after queue.LEASE: a receiver may hear an event twice, always under the same unique key.
    """
    return asyncio.run(_Run(engine, sender, bounds or Bounds()).to_its_end())


class _Run:
    def __init__(self, engine: Engine, sender: Sender, bounds: Bounds) -> None:
        self._engine = engine
        self._sender = sender
        self._bounds = bounds
        self._ended: Counter[str | None] = Counter()
        self._version = code_version()

    async def to_its_end(self) -> Delivered:
        deadline = time.monotonic() + self._bounds.seconds
        # A name server may hang, and the default pool is a handful of threads.
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(self._bounds.at_once))
        under_way: set[asyncio.Task[None]] = set()
        with ThreadPoolExecutor(2, thread_name_prefix="webhook-queue") as threads:
            while True:
                free = self._bounds.at_once - len(under_way)
                if free and time.monotonic() < deadline:
                    wanted = partial(queue.claim, self._engine, free, self._bounds.at_once_each)
                    for claimed in await _in(threads, wanted):
                        under_way.add(asyncio.create_task(self._attempt(claimed, threads)))
                if not under_way:
                    break
                # What ends may be what the next of its subscription, or of its endpoint, waits for.
                done, under_way = await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
        ended = self._ended
        return Delivered(ended["delivered"], ended["pending"], ended["dead"], ended[None])

    async def _attempt(self, claimed: Claim, threads: ThreadPoolExecutor) -> None:
        body = claimed.payload.encode()
        signed = headers(claimed.secret, str(claimed.event_id), int(time.time()), body)
        told = {
            "Content-Type": "application/json",
            "User-Agent": f"fusion-billing/{self._version}",
            **signed,
        }
        status, error = await self._sender.send(claimed.url, body, told)
        settled = partial(queue.settle, self._engine, claimed, status, error)
        self._ended[await _in(threads, settled)] += 1


async def _in(threads: ThreadPoolExecutor, work: Callable[[], T]) -> T:
    return await asyncio.get_running_loop().run_in_executor(threads, work)
