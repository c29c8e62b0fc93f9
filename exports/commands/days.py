"""The days that a command means, in company time, and where a billing period begins."""

from __future__ import annotations

import re
from calendar import monthrange
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_MICROSECOND = timedelta(microseconds=1)


def first_day(moment: str, zone: ZoneInfo) -> date:
    """The local day that holds a moment, an ISO-8601 instant; a bare date is that day."""
    if _DATE.fullmatch(moment):
        return date.fromisoformat(moment)
    return datetime.fromisoformat(moment).astimezone(zone).date()


def last_day(moment: str, zone: ZoneInfo) -> date:
    """The last local day before a moment; a bare date is that day itself, in full."""
    if _DATE.fullmatch(moment):
        return date.fromisoformat(moment)
    return (datetime.fromisoformat(moment) - _MICROSECOND).astimezone(zone).date()


def period_start(start: date, today: date, unit: str, value: int, *, calendar: bool) -> date:
    """The first day of the period that holds `today`, not before `start`.

    Periods of `value` units (week, month, year) are counted from the start (month-end clamped), or
    begin with the week, month or year where `calendar`. Of N calendar months, N must divide twelve
    to count from January; else they count from the month of the start. (DECISIONS.md, Periods.)
    """
    if today <= start:
        return start
    anchor = _calendar_anchor(start, unit, value) if calendar else start
    if unit == "week":
        steps = (today - anchor).days // (7 * value)
        return max(start, anchor + timedelta(weeks=steps * value))
    months = value * (12 if unit == "year" else 1)
    steps = ((today.year - anchor.year) * 12 + today.month - anchor.month) // months
    if _plus_months(anchor, steps * months) > today:
        steps -= 1
    return max(start, _plus_months(anchor, steps * months))


def _calendar_anchor(start: date, unit: str, value: int) -> date:
    if unit == "week":
        return start - timedelta(days=start.weekday())
    if unit == "year" or value % 12 == 0 or 12 % value == 0:
        return date(start.year, 1, 1)
    return start.replace(day=1)


def _plus_months(day: date, months: int) -> date:
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))
