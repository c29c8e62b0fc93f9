"""Deadlines of many things with one timer: a timer for each was a twentieth of an event's cost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

T = TypeVar("T", bound=Hashable)

_TICK_SECONDS = 0.25


class Deadlines(Generic[T]):
    """Calls `expired` with what has been set and not dropped in time, at most a tick late."""

    def __init__(self, expired: Callable[[T], object]) -> None:
        self._expired = expired
        self._due: dict[T, float] = {}
        self._ticking = False

    def set(self, item: T, loop: asyncio.AbstractEventLoop, at: float) -> None:
        """`at`: of `loop.time()`; replaces the item's earlier deadline."""
        self._due[item] = at
        if not self._ticking:
            self._ticking = True
            loop.call_later(_TICK_SECONDS, self._tick, loop)

    def drop(self, item: T) -> None:
        """The item has no deadline any more, whether it had one or not."""
        self._due.pop(item, None)

    def _tick(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        for item in [item for item, at in self._due.items() if at <= now]:
            del self._due[item]
            self._expired(item)
        self._ticking = bool(self._due)
        if self._ticking:
            loop.call_later(_TICK_SECONDS, self._tick, loop)
