"""Amounts of exports: minor units to major ones, exactly, and one amount shared over lines."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_FLOOR, Decimal, localcontext

from warehouse.currencies import minor_digits

# Beyond this no invoice of anybody lies; a longer number is a broken export.
_TOO_MUCH = 10**15
_TOO_LONG = 30


def currency_code(text: str) -> str:
    """The ISO code in capitals. Raises ValueError on anything else."""
    code = text.upper()
    if not (len(code) == 3 and code.isascii() and code.isalpha()):
        raise ValueError(f"{text!r} is not an ISO 4217 currency")
    return code


def major_units(minor: int, currency: str, digits: int | None = None) -> Decimal:
    """Cents to dollars, exactly, by the currency's number of digits (JPY 0, CAD 2, KWD 3) or by
    `digits`, where a biller counts otherwise. Raises ValueError on what can be no amount."""
    if abs(minor) >= _TOO_MUCH:
        shown = str(minor)
        raise ValueError(f"{shown[:20]}… ({len(shown)} digits) is more than any amount")
    return Decimal(minor).scaleb(-(minor_digits(currency) if digits is None else digits))


def stated(minor: int | None, currency: str, digits: int | None = None) -> Decimal | None:
    """An amount that a document may leave out, in major units."""
    return None if minor is None else major_units(minor, currency, digits)


def negative(minor: int | None) -> int | None:
    """What a credit note or refund states as a positive amount."""
    return None if minor is None else -minor


def finite(number: Decimal | None) -> Decimal | None:
    """The same number. Raises ValueError on NaN and infinity, which JSON text can spell, and on
    more digits than any quantity has."""
    if number is None:
        return None
    if not number.is_finite():
        raise ValueError(f"{number} is not a number")
    exponent = number.as_tuple().exponent
    if number.adjusted() >= _TOO_LONG or (isinstance(exponent, int) and exponent < -_TOO_LONG):
        raise ValueError(f"{str(number)[:20]}… has more digits than any quantity")
    return number


def shared(total: int, weights: Sequence[Decimal]) -> list[int]:
    """`total` over the weights, in whole numbers that sum to it: the largest fractions are rounded
    up, the earlier first. Without any weight all of it stands on the first."""
    if not weights:
        return []
    whole = sum(weights, Decimal(0))
    if whole == 0:
        return [total] + [0] * (len(weights) - 1)
    with localcontext() as context:
        context.prec = 60
        exact = [total * weight / whole for weight in weights]
        floors = [int(share.to_integral_value(ROUND_FLOOR)) for share in exact]
    by_fraction = sorted(range(len(exact)), key=lambda i: (floors[i] - exact[i], i))
    for i in by_fraction[: total - sum(floors)]:
        floors[i] += 1
    return floors
