"""Which billing interval, start and end make the period that a vector speaks of."""

from __future__ import annotations

from datetime import date, timedelta

from trials import Schedule
from vectors import VectorError

_UNITS = (("month", 1), ("month", 3), ("year", 1), ("week", 1), ("month", 6))

# Months of 31, 30, 28 and 29 days, quarters and years of every length, and a week.
_FULL_PERIODS = (
    date(2023, 3, 1),
    date(2023, 4, 1),
    date(2023, 2, 1),
    date(2024, 2, 1),
    date(2023, 1, 1),
    date(2023, 7, 1),
    date(2024, 1, 1),
    date(2023, 2, 6),
)


def schedule_for(first: date, after: date, nominal_days: int | None) -> Schedule:
    """A subscription whose period is first (included) to after (excluded), of a full period of
    `nominal_days`. It starts on the first day, and ends early where its period does. Raises
    VectorError where no interval gives such a period."""
    if after <= first:
        raise VectorError(f"a period from {first} to {after} has no day")
    loose: Schedule | None = None
    for billing_time in ("calendar", "anniversary"):
        for unit, value in _UNITS:
            start, end = nominal_period(first, unit, value, billing_time)
            if end < after:
                continue
            last = None if end == after else after - timedelta(days=1)
            schedule = Schedule(first, last, unit, value, billing_time)
            if nominal_days == (end - start).days or (
                nominal_days is None and (start, end) == (first, after)
            ):
                return schedule
            loose = loose or schedule
    if nominal_days is None and loose:
        return loose
    raise VectorError(
        f"no billing interval has a period from {first} to {after} within {nominal_days} days"
    )


def schedule_of_days(
    days: int, period_days: int, start: date | None, billed: date | None
) -> Schedule:
    """A subscription whose first period has `days` of a full period's `period_days`; from `start`
    to `billed` where these are known."""
    if not 0 < days <= period_days:
        raise VectorError(f"{days} of {period_days} days is no period")
    if start is not None:
        return schedule_for(start, billed or start + timedelta(days=days), period_days)
    for first in _FULL_PERIODS:
        for unit, value in _UNITS:
            begin, end = nominal_period(first, unit, value, "calendar")
            if begin == first and (end - begin).days == period_days:
                return Schedule(end - timedelta(days=days), None, unit, value)
    raise VectorError(f"no billing interval has {period_days} days")


def nominal_period(day: date, unit: str, value: int, billing_time: str) -> tuple[date, date]:
    """The full period that holds the day: by the calendar, or beginning on it."""
    if unit == "week":
        start = day if billing_time == "anniversary" else day - timedelta(days=day.weekday())
        return start, start + timedelta(days=7 * value)
    months = 12 * value if unit == "year" else value
    if billing_time == "anniversary":
        return day, plus_months(day, months)
    start = date(day.year, 1 + (day.month - 1) // months * months, 1)
    return start, plus_months(start, months)


def plus_months(day: date, months: int) -> date:
    """The same day months later, clamped to the month's end."""
    year, month = divmod(12 * day.year + day.month - 1 + months, 12)
    clamped = day.day
    while True:
        try:
            return date(year, month + 1, clamped)
        except ValueError:
            clamped -= 1
