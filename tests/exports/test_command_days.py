"""The days of commands, worked out on a calendar."""

from __future__ import annotations

from datetime import date
from zoneinfo import ZoneInfo

import pytest

from exports.commands.days import first_day, last_day, period_start

TORONTO = ZoneInfo("America/Toronto")


@pytest.mark.parametrize(
    ("moment", "first", "last"),
    [
        ("2026-09-15", "2026-09-15", "2026-09-15"),
        ("2026-09-15T03:59:59+00:00", "2026-09-14", "2026-09-14"),
        # Local midnight, in summer and in winter: the day begins, and the day before has ended.
        ("2026-09-15T04:00:00+00:00", "2026-09-15", "2026-09-14"),
        ("2026-12-15T05:00:00+00:00", "2026-12-15", "2026-12-14"),
        ("2026-09-15T04:00:00.000001+00:00", "2026-09-15", "2026-09-15"),
    ],
)
def test_local_days(moment: str, first: str, last: str) -> None:
    assert first_day(moment, TORONTO).isoformat() == first
    assert last_day(moment, TORONTO).isoformat() == last


@pytest.mark.parametrize(
    ("start", "today", "unit", "value", "calendar", "begins"),
    [
        # Anniversary, counted from the anchor: the 31st comes back after a short month.
        ("2026-01-31", "2026-02-27", "month", 1, False, "2026-01-31"),
        ("2026-01-31", "2026-02-28", "month", 1, False, "2026-02-28"),
        ("2026-01-31", "2026-03-30", "month", 1, False, "2026-02-28"),
        ("2026-01-31", "2026-03-31", "month", 1, False, "2026-03-31"),
        ("2026-01-15", "2026-09-14", "month", 3, False, "2026-07-15"),
        ("2024-02-29", "2026-02-27", "year", 1, False, "2025-02-28"),
        ("2024-02-29", "2026-02-28", "year", 1, False, "2026-02-28"),
        ("2026-09-01", "2026-09-15", "week", 2, False, "2026-09-15"),
        ("2026-09-01", "2026-09-14", "week", 2, False, "2026-09-01"),
        # Calendar: months and quarters from January, weeks from Monday, never before the start.
        ("2026-07-20", "2026-07-31", "month", 1, True, "2026-07-20"),
        ("2026-07-20", "2026-09-15", "month", 1, True, "2026-09-01"),
        ("2026-02-10", "2026-09-15", "month", 3, True, "2026-07-01"),
        ("2026-02-10", "2026-09-15", "year", 1, True, "2026-02-10"),
        ("2026-09-02", "2026-09-15", "week", 1, True, "2026-09-14"),
        ("2026-09-02", "2026-09-06", "week", 1, True, "2026-09-02"),
        # Five months do not divide a year: from the month of the start.
        ("2026-02-10", "2026-09-15", "month", 5, True, "2026-07-01"),
        # Not begun yet.
        ("2026-10-05", "2026-09-15", "month", 1, True, "2026-10-05"),
    ],
)
def test_the_period_that_holds_a_day(
    start: str, today: str, unit: str, value: int, calendar: bool, begins: str
) -> None:
    found = period_start(
        date.fromisoformat(start), date.fromisoformat(today), unit, value, calendar=calendar
    )
    assert found.isoformat() == begins
