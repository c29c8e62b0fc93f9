"""Deadlines of many things with one timer: a timer for each was a twentieth of an event's cost."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar

T = TypeVar("T")

_TICK_SECONDS = 0.25


class _Ticker(ABC):
    """The one timer: `_expire` runs every tick for as long as it says that something is open."""

    _ticking = False

    def _start(self, loop: asyncio.AbstractEventLoop) -> None:
        if not self._ticking:
            self._ticking = True
            loop.call_later(_TICK_SECONDS, self._tick, loop)

    def _tick(self, loop: asyncio.AbstractEventLoop) -> None:
        self._ticking = False
        if self._expire(loop.time()):
            self._start(loop)

    @abstractmethod
    def _expire(self, now: float) -> bool: ...


class Timeouts(_Ticker, Generic[T]):
    """Futures that all have the same time to be settled; `expired` gets what is not, at most a tick
    late. Nothing is to be done where one is settled in time: the next tick forgets it."""

    def __init__(self, seconds: float, expired: Callable[[asyncio.Future[T]], object]) -> None:
        self._seconds = seconds
        self._expired = expired
        self._open: list[tuple[float, asyncio.Future[T]]] = []

    def add(self, future: asyncio.Future[T], loop: asyncio.AbstractEventLoop) -> None:
        """Its time begins."""
        self._open.append((loop.time() + self._seconds, future))
        self._start(loop)

    def _expire(self, now: float) -> bool:
        # All that is settled goes, not only what came before the first that waits: a receipt of ten
        # thousand duplicates is megabytes.
        waiting = [(at, future) for at, future in self._open if not future.done()]
        self._open = [(at, future) for at, future in waiting if at > now]
        for _, future in waiting[: len(waiting) - len(self._open)]:
            self._expired(future)
        return bool(self._open)


class TimeLimits(_Ticker):
    """`asyncio.timeout` for the short blocks of many tasks: cancels a task that is late, at most a
    tick.

    The block sets a deadline and drops it at its end; where it is cancelled, `is_over` tells
    whether that was its deadline or somebody else.
    """

    def __init__(self) -> None:
        self._due: dict[asyncio.Task[Any], float] = {}
        self._late: set[asyncio.Task[Any]] = set()

    def set(self, task: asyncio.Task[Any], loop: asyncio.AbstractEventLoop, at: float) -> None:
        """`at`: of `loop.time()`; replaces the task's earlier deadline."""
        self._due[task] = at
        self._start(loop)

    def drop(self, task: asyncio.Task[Any]) -> None:
        """The task has no deadline any more, whether it had one or not."""
        self._due.pop(task, None)
        if self._late:
            self._late.discard(task)

    def is_over(self, task: asyncio.Task[Any]) -> bool:
        """Whether the CancelledError just caught is the deadline's, and no one else's as well."""
        return task in self._late and task.uncancel() == 0

    def _expire(self, now: float) -> bool:
        for task in [task for task, at in self._due.items() if at <= now]:
            del self._due[task]
            self._late.add(task)
            task.cancel()
        return bool(self._due)


class Due(Protocol):
    """What is to go on by `due` (of `loop.time()`); told that it has not, it sets a new one."""

    due: float

    def expire(self, now: float) -> None: ...


class Timetable(_Ticker):
    """Many things, each with a deadline that it moves by itself."""

    def __init__(self) -> None:
        self._open: set[Due] = set()

    def add(self, thing: Due, loop: asyncio.AbstractEventLoop) -> None:
        """Its `due` counts from now on."""
        self._open.add(thing)
        self._start(loop)

    def discard(self, thing: Due) -> None:
        """Its `due` counts no more."""
        self._open.discard(thing)

    def _expire(self, now: float) -> bool:
        for thing in [thing for thing in self._open if thing.due <= now]:
            thing.expire(now)
        return bool(self._open)
