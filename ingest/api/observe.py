"""One JSON line a request on standard error, without payloads or keys; X-Request-Id; metrics."""

from __future__ import annotations

import asyncio
import itertools
import re
import secrets
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

import msgspec
import structlog
from prometheus_client import Counter as PrometheusCounter

from ingest.api.metrics import Metrics

_REQUEST_ID = re.compile(r"[\x21-\x7e]{1,128}")
_UNKNOWN = "-"
LATE_SECONDS = 0.02
_METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))

# What is known of the request under way. A dict of its own per request, so that a fact noted in a
# task the request started is not lost with that task's context.
_facts: ContextVar[dict[str, Any] | None] = ContextVar("facts", default=None)
_json = msgspec.json.Encoder()


def _with_facts(_: Any, __: str, line: structlog.typing.EventDict) -> structlog.typing.EventDict:
    return {**(_facts.get() or {}), **line}


def _to_json(line: structlog.typing.EventDict, **_: Any) -> str:
    return _json.encode(line).decode()


log: structlog.stdlib.BoundLogger = structlog.wrap_logger(
    structlog.PrintLogger(sys.stderr),
    processors=[
        _with_facts,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        structlog.processors.JSONRenderer(_to_json),
    ],
    wrapper_class=structlog.make_filtering_bound_logger("info"),
)


def note(**facts: object) -> None:
    """Adds facts to the line of the request under way: counts and names, never payloads."""
    known = _facts.get()
    if known is not None:
        known.update(facts)


class Observer:
    """Writes the lines and counts the requests of one worker.

    What ends within LATE_SECONDS is one write: writing and counting cost by the turn, not by the
    request.
    """

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        # Of ids made here: two workers never make the same, and a random one each cost more.
        self._worker = secrets.token_hex(12)
        self._numbers = itertools.count(1)
        self._ended: list[dict[str, Any]] = []
        self._requests: dict[tuple[str, str, int], PrometheusCounter] = {}
        self._seconds: defaultdict[str, list[float]] = defaultdict(list)

    def begin(self, request_id: str) -> dict[str, Any]:
        """The facts of the request under way, to which `note` adds. `request_id`: as it came."""
        if not (request_id and _REQUEST_ID.fullmatch(request_id)):
            request_id = f"{self._worker}{next(self._numbers):08x}"
        facts: dict[str, Any] = {"request_id": request_id, "event": "request", "level": "info"}
        _facts.set(facts)
        return facts

    def end(
        self, facts: dict[str, Any], method: str, route: str, status: int, started: float
    ) -> None:
        """Counts and logs a request that began at `started` (of `time.perf_counter`)."""
        seconds = time.perf_counter() - started
        facts["method"] = method
        facts["route"] = route
        facts["status"] = status
        facts["ms"] = round(seconds * 1000, 2)
        self._ended.append(facts)
        self._seconds[route].append(seconds)
        if len(self._ended) == 1:
            asyncio.get_running_loop().call_later(LATE_SECONDS, self.flush)

    def flush(self) -> None:
        """Counts and logs what has ended. Does not raise where counting fails."""
        ended, self._ended = self._ended, []
        if not ended:
            return
        try:
            self._count(ended)
        except Exception as error:  # the counts' files are on a disk that may be full
            log.error("not_counted", requests=len(ended), reason=type(error).__name__)
        _write(ended)

    def _count(self, ended: Sequence[dict[str, Any]]) -> None:
        for route, seconds in self._seconds.items():
            self._metrics.took(route, seconds)
        self._seconds.clear()
        kinds = Counter([(known["method"], known["route"], known["status"]) for known in ended])
        for key, count in kinds.items():
            requests = self._requests.get(key)
            if requests is None:
                # A made-up method must not make a series of its own; a made-up path is no route.
                labels = (key[0] if key[0] in _METHODS else _UNKNOWN, *key[1:])
                requests = self._metrics.requests.labels(*labels)
                if key[0] in _METHODS:
                    self._requests[key] = requests
            requests.inc(count)
        for counter, name in (
            (self._metrics.rows, "accepted"),
            (self._metrics.duplicates, "duplicates"),
            (self._metrics.conflicts, "conflicts"),
        ):
            if found := sum([known.get(name, 0) for known in ended]):
                counter.inc(found)


def _write(ended: Sequence[dict[str, Any]]) -> None:
    """What `log.info("request", …)` writes, without the processors: there is one a request."""
    at = datetime.now(UTC).isoformat()[: -len("+00:00")] + "Z"
    for known in ended:
        known["at"] = at
    sys.stderr.write(_json.encode_lines(ended).decode())
