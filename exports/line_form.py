"""How a ledger line looks in Odoo: quantity and price that survive its precision, and its text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any

from exports.canonical import decimal_text

CENT = Decimal("0.01")
# Python's default of 28 digits would round a product first, and refuse to round a large one.
_EXACT = Context(prec=1000, rounding=ROUND_HALF_UP)
# Beyond it, a product of doubles may lie on the other side of half a cent.
_LARGEST = Decimal(10) ** 12
_SYMBOLS = {"CAD": "$", "USD": "US$", "EUR": "€"}


@dataclass(frozen=True)
class Precision:
    """Decimal digits that Odoo keeps of a quantity (Product Unit) and a price (Product Price)."""

    quantity: int
    price: int


@dataclass(frozen=True)
class Form:
    """What goes onto the order line; quantity × price is the ledger's amount to the cent."""

    quantity: Decimal
    price: Decimal


def line_form(quantity: Decimal, price: Decimal, amount: Decimal, precision: Precision) -> Form:
    """Quantity × unit price where Odoo can hold both and their product is the amount without any
    rounding, else one unit at the amount (major units, two digits).

    Without rounding, because Odoo's Canadian chart rounds taxes globally: an invoice of several
    lines at fractions of a cent totals otherwise than the sum of its lines (seen on Odoo 19).
    """
    fits = (
        quantity > 0
        and _digits(quantity) <= precision.quantity
        and _digits(price) <= precision.price
        and _EXACT.multiply(quantity, price) == amount < _LARGEST
        and _is_a_double(quantity)
        and _is_a_double(price)
    )
    return Form(quantity, price) if fits else Form(Decimal(1), amount)


def to_cents(*factors: Decimal) -> Decimal:
    """The product, half-up to cents, exact up to there however many digits the factors have."""
    product = Decimal(1)
    for factor in factors:
        product = _EXACT.multiply(product, factor)
    return _EXACT.quantize(product, CENT)


def _is_a_double(value: Decimal) -> bool:
    """Odoo computes in binary doubles: a number with more digits would come back as another."""
    return Decimal(repr(float(value))) == value


def _digits(value: Decimal) -> int:
    text = decimal_text(value)
    return len(text.partition(".")[2])


def describe(line: Mapping[str, Any]) -> str:
    """What the customer reads: metric, period, used, included, price.

    "API calls, Oct 2026: 1,240 used, 1,000 included, 240 × $0.0023"; an adjustment says so first.
    """
    unit = f" {line['unit']}" if line["unit"] else ""
    symbol = _SYMBOLS.get(line["currency"], f"{line['currency']} ")
    price = f"{symbol}{_price(line['unit_price'])}"
    parts = [f"{_number(line['quantity_used'])}{unit} used"]
    if line["quantity_included"]:
        parts.append(f"{_number(line['quantity_included'])} included")
    parts.append(f"{_number(line['quantity_billed'])} × {price}")
    if not line["quantity_used"] and not line["quantity_billed"]:
        parts = [f"corrected price {price}"]
    prefix = {"late_usage": "Late usage: ", "correction": "Correction: "}.get(line["reason"], "")
    period = period_text(line["period_start"], line["period_end"])
    return f"{prefix}{line['charge_name']}, {period}: {', '.join(parts)}"


def period_text(start: date, end: date) -> str:
    """`Oct 2026` for a whole calendar month, else `15 Oct – 14 Nov 2026`; `end` is exclusive."""
    last = end - timedelta(days=1)
    if start.day == 1 and end.day == 1 and (start.year, start.month) == (last.year, last.month):
        return f"{start:%b %Y}"
    year = "" if start.year == last.year else f" {start.year}"
    return f"{start.day} {start:%b}{year} – {last.day} {last:%b %Y}"


def _price(value: Decimal) -> str:
    """At least two decimals, as on a price tag: 9.00, 0.10, 0.0023."""
    whole, _, fraction = decimal_text(value).partition(".")
    return f"{whole}.{fraction:0<2}"


def _number(value: Decimal) -> str:
    whole, _, fraction = decimal_text(abs(value)).partition(".")
    sign = "−" if value < 0 else ""
    return f"{sign}{int(whole):,}" + (f".{fraction}" if fraction else "")
