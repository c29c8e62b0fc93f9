"""Numbers and instants as apps send them, without a float on the way."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Context, Decimal, DecimalException, Inexact, InvalidOperation, Overflow, Rounded
from functools import lru_cache
from typing import TypeGuard

_NUMERIC = re.compile(r"-?\d+(\.\d+)?([eE][+-]?\d{1,4})?", re.ASCII)
_PLAIN = re.compile(r"-?\d+\.\d+", re.ASCII)
_USUAL = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?", re.ASCII)
_LONGEST_TEXT = 100
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_SECOND = 253_402_300_799  # 9999-12-31T23:59:59Z
_MICROSECOND = timedelta(microseconds=1)

# 38 digits in all, at most 38 before and 38 after the point. Rounding of any kind is an error.
_EXACT = Context(prec=38, Emax=37, Emin=-1, traps=[Inexact, Rounded, Overflow, InvalidOperation])


def literal(text: str) -> Decimal:
    """A JSON number with a point or an exponent, digit for digit: msgspec's `float_hook`.

    Raises ValueError for one that no double could hold either, so that `1e999999999` cannot
    grow into a gigabyte of zeros further on.
    """
    if len(text) > 400:
        raise ValueError("number is too long")
    try:
        value = Decimal(text)
    except DecimalException:
        raise ValueError("number is out of range") from None
    if not -400 <= value.adjusted() <= 400:
        raise ValueError("number is out of range")
    return value


def number(value: object) -> Decimal | None:
    """A decoded JSON number or a numeric string, as sent; None where it is neither or too long."""
    if type(value) is str and len(value) <= 38 and _PLAIN.fullmatch(value):
        return Decimal(value)  # nothing to round: at most 37 digits
    if isinstance(value, Decimal):
        exact = value
    elif _is_whole(value) or _is_numeric(value):
        exact = Decimal(value)
    else:
        return None
    try:
        return _EXACT.plus(exact)
    except DecimalException:
        return None


def _is_whole(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_numeric(value: object) -> TypeGuard[str]:
    return (
        isinstance(value, str)
        and len(value) <= _LONGEST_TEXT
        and _NUMERIC.fullmatch(value) is not None
    )


def plain(value: Decimal) -> str:
    """The one spelling of a number: no exponent, no trailing zeros, no negative zero.

    (`Decimal.normalize` would round to the context's 28 digits.)
    """
    text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def plain_of_text(text: str) -> str | None:
    """`plain` of a number in its usual spelling; None for any other text."""
    if len(text) > 38 or not _USUAL.fullmatch(text):
        return None
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def epoch_instant(value: object) -> datetime | None:
    """Epoch seconds (number or numeric string) in UTC, cut to the microsecond; None where not."""
    if type(value) is int:  # most of them
        return _EPOCH + timedelta(seconds=value) if 0 <= value <= _LAST_SECOND else None
    seconds = number(value)
    if seconds is None or not 0 <= seconds <= _LAST_SECOND:
        return None
    return _EPOCH + int(seconds * 1_000_000) * _MICROSECOND


def iso_instant(text: str) -> datetime | None:
    """ISO-8601 with an offset, in UTC; None where it is anything else."""
    if len(text) > _LONGEST_TEXT:
        return None
    try:
        moment = datetime.fromisoformat(text)
        return None if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def instant(value: object) -> datetime | None:
    """An ISO-8601 instant with an offset, or epoch seconds; None where it is neither."""
    if type(value) is str and len(value) <= _LONGEST_TEXT:
        return _text_instant(value)
    return None if isinstance(value, str) else epoch_instant(value)


@lru_cache(maxsize=4096)  # the counters of a batch share their windows
def _text_instant(text: str) -> datetime | None:
    if _NUMERIC.fullmatch(text):
        return epoch_instant(text)
    moment = iso_instant(text)
    return None if moment is None or moment < _EPOCH else moment


def filter_instant(text: str) -> datetime | None:
    """A query's instant: ISO date or date-time, UTC where it names no offset, or epoch seconds."""
    if _NUMERIC.fullmatch(text):
        return epoch_instant(text)
    if "T" in text:  # an unescaped `+00:00` arrives as ` 00:00`
        text = text.replace(" ", "+")
    try:
        moment = datetime.fromisoformat(text)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def microseconds(moment: datetime) -> int:
    """Microseconds since 1970 of an aware instant."""
    return (moment - _EPOCH) // _MICROSECOND


_OFFSET = len("+00:00")


def iso_milliseconds(moment: datetime) -> str:
    """`2023-11-14T22:13:20.000Z`, Lago's form of an event's timestamp."""
    return _in_utc(moment).isoformat(timespec="milliseconds")[:-_OFFSET] + "Z"


def milliseconds_of_text(text: str) -> str:
    """`iso_milliseconds` of what `isoformat(" ")` wrote in UTC, at a tenth of the cost."""
    return f"{text[:10]}T{text[11:19]}.{text[20:23] if text[19] == '.' else '000'}Z"


@lru_cache(maxsize=256)  # what was stored together was received together
def iso_seconds(moment: datetime) -> str:
    """`2023-11-14T22:13:20Z`, Lago's form of `created_at`."""
    return _in_utc(moment).isoformat(timespec="seconds")[:-_OFFSET] + "Z"


def iso_exact(moment: datetime) -> str:
    """ISO-8601 in UTC with the microseconds, where there are any."""
    return _in_utc(moment).isoformat()[:-_OFFSET] + "Z"


def _in_utc(moment: datetime) -> datetime:
    return moment if moment.tzinfo is UTC else moment.astimezone(UTC)
