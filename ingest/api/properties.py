"""An item's `properties`: a JSON object kept as sent, and its one canonical spelling."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

import msgspec

LONGEST = 65_536  # bytes of JSON
DEEPEST = 32
_SHORT = 100  # characters
_as_sent = msgspec.json.Encoder(decimal_format="number")
_canonical = msgspec.json.Encoder(decimal_format="number", order="sorted")


class Properties(NamedTuple):
    """The object as JSON, and the same with sorted keys and normalised numbers."""

    json: str
    canonical: str


NONE = Properties("{}", "{}")


def read_properties(value: object) -> Properties | None:
    """Decoded properties made ready to store; None where they cannot be stored.

    Refused: what is no object, NUL characters (PostgreSQL's text cannot hold them), more than
    32 levels, more than 64 KiB.
    """
    if value is None or value == {}:
        return NONE
    if not isinstance(value, dict):
        return None
    if len(value) == 1:
        ((key, only),) = value.items()
        if type(only) is str and len(key) + len(only) <= _SHORT:
            # One short text under one key has one spelling: measured, the common case by far.
            one = _as_sent.encode(value).decode()
            return None if "\\u0000" in one else Properties(one, one)
    try:
        normal = _normal(value, DEEPEST)
    except ValueError:
        return None
    sent = _as_sent.encode(value)
    if len(sent) > LONGEST:
        return None
    return Properties(sent.decode(), _canonical.encode(normal).decode())


def _normal(value: object, levels: int) -> object:
    """The value with equal numbers spelt equally. Raises ValueError where it cannot be stored."""
    if isinstance(value, str):
        if "\x00" in value:
            raise ValueError("NUL character")
        return value
    if isinstance(value, Decimal):
        if not value or (value == value.to_integral_value() and value.adjusted() <= 40):
            return int(value)
        sign, digits, exponent = value.as_tuple()
        text = "".join(map(str, digits))
        kept = text.rstrip("0") or "0"
        return Decimal(f"{'-' if sign else ''}{kept}E{int(exponent) + len(text) - len(kept)}")
    if isinstance(value, dict):
        if levels == 0:
            raise ValueError("too deep")
        return {_normal(key, 0): _normal(item, levels - 1) for key, item in value.items()}
    if isinstance(value, list):
        if levels == 0:
            raise ValueError("too deep")
        return [_normal(item, levels - 1) for item in value]
    return value
