"""How many requests a second a key may send: a token bucket per key and worker."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from typing import NamedTuple

_MOST_KEYS = 10_000


class Allowance(NamedTuple):
    """What Lago's clients read: `limit` a second, `remaining` now, `reset` seconds until full."""

    limit: int
    remaining: int
    reset: int
    retry_after: int  # 0: this request may pass

    def headers(self) -> dict[str, str]:
        """`x-ratelimit-*`, and `Retry-After` where the request has to wait."""
        told = {
            "x-ratelimit-limit": str(self.limit),
            "x-ratelimit-remaining": str(self.remaining),
            "x-ratelimit-reset": str(self.reset),
        }
        return told | ({"Retry-After": str(self.retry_after)} if self.retry_after else {})


class RateLimit:
    """A bucket of one second's requests for each key, refilled steadily.

    `per_second` is what one worker lets through: with several, a key may get as much from each.
    """

    def __init__(self, per_second: int) -> None:
        self._rate = per_second
        self._buckets: OrderedDict[bytes, tuple[float, float]] = OrderedDict()

    def take(self, key: bytes, now: float | None = None) -> Allowance:
        """Counts one request of the key at `now` (monotonic seconds), if its bucket holds one."""
        now = time.monotonic() if now is None else now
        tokens, then = self._buckets.get(key, (float(self._rate), now))
        tokens = min(float(self._rate), tokens + (now - then) * self._rate)
        passes = tokens >= 1
        tokens -= passes
        self._buckets[key] = (tokens, now)
        self._buckets.move_to_end(key)
        if len(self._buckets) > _MOST_KEYS:
            self._buckets.popitem(last=False)
        reset = math.ceil((self._rate - tokens) / self._rate)
        retry_after = 0 if passes else max(1, math.ceil((1 - tokens) / self._rate))
        return Allowance(self._rate, int(tokens), reset, retry_after)
