"""The content of an exported document: its canonical JSON, hashed, and what a database refuses."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# PostgreSQL's numeric holds 131,072. A document with more than these is broken.
_MOST_DIGITS = 1000
_exact = msgspec.json.Decoder(float_hook=Decimal)


def checked(document: bytes | msgspec.Raw) -> Any:
    """The document as Python values, numbers exact.

    Raises ValueError, naming the path, on a NUL character or a number that a database refuses.
    """
    try:
        found = _exact.decode(document)
    except InvalidOperation:
        raise ValueError("holds a number without end") from None
    _refuse(found, "$")
    return found


def _refuse(value: Any, path: str) -> None:
    if isinstance(value, dict):
        for key, item in value.items():
            if "\0" in key:
                raise ValueError(f"holds a NUL character - in a name at `{path}`")
            _refuse(item, f"{path}.{key}")
    elif isinstance(value, list):
        for number, item in enumerate(value):
            _refuse(item, f"{path}[{number}]")
    elif isinstance(value, str):
        if "\0" in value:
            raise ValueError(f"holds a NUL character - at `{path}`")
    elif isinstance(value, Decimal) and (
        abs(value.adjusted()) > _MOST_DIGITS or len(value.as_tuple().digits) > _MOST_DIGITS
    ):
        raise ValueError(f"holds a number beyond {_MOST_DIGITS} digits - at `{path}`")


def sha256_of(document: Any) -> bytes:
    """SHA-256 of the canonical JSON: names sorted, no spaces, numbers in their shortest form, so
    that 1.50 and 1.5 are the same content."""
    text = json.dumps(
        document, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=_shortest
    )
    return hashlib.sha256(text.encode()).digest()


def _shortest(value: Any) -> int | str:
    if not isinstance(value, Decimal):
        raise TypeError(f"{type(value)} is not JSON")
    return int(value) if value == value.to_integral_value() else f"{value.normalize():f}"


def aware(instant: datetime | None) -> datetime | None:
    """The same instant. Raises ValueError on a time without offset: nobody knows which it is."""
    if instant is not None and instant.tzinfo is None:
        raise ValueError(f"{instant.isoformat()} has no offset")
    return instant


def from_epoch(seconds: int) -> datetime:
    """Epoch seconds as an instant. Raises ValueError outside of the years 1 to 9999."""
    try:
        return _EPOCH + timedelta(seconds=seconds)
    except OverflowError:
        raise ValueError(f"{seconds} is no time in epoch seconds") from None


def ordered(
    start: datetime | None, end: datetime | None
) -> tuple[datetime | None, datetime | None]:
    """The same period. Raises ValueError where it ends before it begins."""
    if start is not None and end is not None and end < start:
        raise ValueError(f"its period ends ({end.isoformat()}) before it begins")
    return start, end


def text_of(document: bytes | msgspec.Raw) -> str:
    """The JSON text as exported, for a jsonb column."""
    return bytes(document).decode()
