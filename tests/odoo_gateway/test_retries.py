"""How often and how long a read is repeated."""

from __future__ import annotations

import time

import pytest

from odoo_gateway.errors import OdooRefusedError, OdooTransientError
from odoo_gateway.retries import PAUSES, repeated


class Failing:
    """Fails so many times, then answers 42."""

    def __init__(self, times: int, error: Exception) -> None:
        self.left = times
        self.error = error
        self.calls = 0

    def __call__(self) -> int:
        self.calls += 1
        if self.left:
            self.left -= 1
            raise self.error
        return 42


AWAY = OdooTransientError("away")


def test_pauses_are_short_and_few() -> None:
    assert len(PAUSES) == 3
    assert sum(PAUSES) < 3


@pytest.mark.parametrize("failures", [0, 1, 2])
def test_it_answers_once_it_can(failures: int) -> None:
    read = Failing(failures, AWAY)
    assert repeated(read, within=10, pauses=(0, 0)) == 42
    assert read.calls == failures + 1


def test_it_gives_up_after_the_last_pause() -> None:
    read = Failing(3, AWAY)
    with pytest.raises(OdooTransientError, match="away"):
        repeated(read, within=10, pauses=(0, 0))
    assert read.calls == 3


def test_a_refusal_is_final() -> None:
    read = Failing(1, OdooRefusedError("no"))
    with pytest.raises(OdooRefusedError):
        repeated(read, within=10, pauses=(0, 0))
    assert read.calls == 1


def test_it_pauses_for_half_the_time_at_least() -> None:
    started = time.monotonic()
    assert repeated(Failing(1, AWAY), within=10, pauses=(0.05,)) == 42
    assert time.monotonic() - started >= 0.025


def test_no_pause_ends_later_than_the_time_out() -> None:
    """A minute is not waited for where there is a second."""
    read = Failing(1, AWAY)
    started = time.monotonic()
    with pytest.raises(OdooTransientError):
        repeated(read, within=1, pauses=(60,))
    assert read.calls == 1
    assert time.monotonic() - started < 1
