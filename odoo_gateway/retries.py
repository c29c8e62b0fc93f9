"""Reads are repeated when they failed in passing. What changes something never is: a lost answer
does not tell whether the work was done, so the caller settles that by reading."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from odoo_gateway.errors import OdooTransientError

T = TypeVar("T")

# Seconds before the second, third and fourth try: a proxy's hiccup, a worker that is replaced.
PAUSES = (0.2, 0.6, 1.8)


def repeated(read: Callable[[], T], *, within: float, pauses: Sequence[float] = PAUSES) -> T:
    """What `read` returns, tried once more after each pause while it raises OdooTransientError.

    No try starts later than `within` seconds after the first one: a time-out, after which Odoo is
    still at work, is not repeated. Pauses are cut by up to a half, so that clients which failed
    together do not come back together.
    """
    deadline = time.monotonic() + within
    for pause in pauses:
        try:
            return read()
        except OdooTransientError:
            pause *= random.uniform(0.5, 1)  # noqa: S311 - spreads load, guards nothing
            if time.monotonic() + pause >= deadline:
                raise
        time.sleep(pause)
    return read()
