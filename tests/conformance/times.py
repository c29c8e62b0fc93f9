"""Moments as vectors write them, all in UTC."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

from vectors import VectorError


def moment(value: object, name: str) -> datetime:
    """An ISO date (its midnight), an ISO instant, or epoch seconds. VectorError names the key."""
    if isinstance(value, int) and not isinstance(value, bool):
        return datetime.fromtimestamp(value, UTC)
    try:
        if not isinstance(value, str):
            raise ValueError
        read = datetime.fromisoformat(value)
    except ValueError:
        raise VectorError(f"{name} is {value!r}, not a time") from None
    return read.replace(tzinfo=UTC) if read.tzinfo is None else read.astimezone(UTC)


def day(value: object, name: str) -> date:
    return moment(value, name).date()


def day_after(end: datetime) -> date:
    """The first day that a period up to this instant, included, does not hold any more."""
    return end.date() if end.time() == time() else end.date() + timedelta(days=1)
