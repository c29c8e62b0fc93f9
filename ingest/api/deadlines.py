"""Deadlines of many things with one timer: a timer for each was a twentieth of an event's cost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable
from typing import Any, Generic, TypeVar

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


class TimeLimits(Deadlines[asyncio.Task[Any]]):
    """`asyncio.timeout` for the short blocks of many tasks: cancels a task that is late.

    The block sets a deadline and drops it at its end; where it is cancelled, `is_over` tells
    whether that was its deadline or somebody else.
    """

    def __init__(self) -> None:
        super().__init__(self._cancel)
        self._late: set[asyncio.Task[Any]] = set()

    def drop(self, item: asyncio.Task[Any]) -> None:
        super().drop(item)
        self._late.discard(item)

    def is_over(self, task: asyncio.Task[Any]) -> bool:
        """Whether the CancelledError just caught is the deadline's, and no one else's as well."""
        return task in self._late and task.uncancel() == 0

    def _cancel(self, task: asyncio.Task[Any]) -> None:
        self._late.add(task)
        task.cancel()
