"""How the page writes a value: figures grouped, a true minus, every digit that the value has."""

from __future__ import annotations

import datetime as dt
from decimal import ROUND_HALF_UP, Decimal

from exports.canonical import decimal_text
from exports.finance.tables import Kind, Value

MINUS = "\N{MINUS SIGN}"
_CENT = Decimal("0.01")


def _signed(text: str) -> str:
    return text.replace("-", MINUS)


def money(value: Decimal) -> str:
    """Two decimals, half-up, thousands apart: `−1,234.50`. Never a negative zero."""
    cents = value.quantize(_CENT, ROUND_HALF_UP)
    return _signed(f"{cents if cents else abs(cents):,}")


def count(value: int) -> str:
    return _signed(f"{value:,}")


def number(value: Decimal) -> str:
    """All digits of a quantity or a price."""
    whole, point, decimals = decimal_text(value).lstrip("-").partition(".")
    return f"{MINUS if value < 0 else ''}{int(whole):,}{point}{decimals}"


def percent(ratio: Decimal | None) -> str:
    """Of a ratio where 1 is all: `12.3 %`; a dash where there is none."""
    if ratio is None:
        return "–"
    return _signed(f"{(ratio * 100).quantize(Decimal('0.1'), ROUND_HALF_UP)} %")


def shown(value: Value, kind: Kind) -> str:
    """A value as text; empty for null. A ratio is in per cent already, as the marts hold it."""
    if value is None:
        return ""
    if isinstance(value, Decimal):
        if kind is Kind.MONEY:
            return money(value)
        return percent(value / 100) if kind is Kind.RATIO else number(value)
    if isinstance(value, int):
        return count(value) if kind is Kind.INTEGER else str(value)
    if isinstance(value, dt.datetime):
        return f"{value.astimezone(dt.UTC):%Y-%m-%d %H:%M:%S}"
    return value.isoformat() if isinstance(value, dt.date) else value
