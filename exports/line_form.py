"""How a ledger line looks in Odoo: quantity and price that survive its precision, and its text."""

from __future__ import annotations

import json
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


def line_form(
    quantity: Decimal, price: Decimal | None, amount: Decimal, precision: Precision
) -> Form:
    """Quantity × unit price where Odoo can hold both and their product is the amount without any
    rounding, else one unit at the amount (major units, two digits), a credit's amount negative:
    Odoo invoices a positive quantity whatever its price, a negative one only where it was asked to.

    Without rounding, because Odoo's Canadian chart rounds taxes globally: an invoice of several
    lines at fractions of a cent totals otherwise than the sum of its lines (seen on Odoo 19).
    """
    if (
        price is not None
        and quantity > 0
        and _digits(quantity) <= precision.quantity
        and _digits(price) <= precision.price
        and _EXACT.multiply(quantity, price) == amount < _LARGEST
        and _is_a_double(quantity)
        and _is_a_double(price)
    ):
        return Form(quantity, price)
    return Form(Decimal(1), amount)


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
    """What the customer reads: metric, group, tier, period, used, included, price.

    "API calls, Oct 2026: 1,240 used, 1,000 included, 240 × $0.0023"; an adjustment says so first.
    """
    prefix = _PREFIXES.get(line["reason"], "")
    period = period_text(line["period_start"], line["period_end"])
    return f"{prefix}{_title(line)}, {period}: {', '.join(_figures(line))}"


_PREFIXES = {
    "late_usage": "Late usage: ",
    "correction": "Correction: ",
    "void": "Cancelled: ",
}
_TIERED = ("graduated", "graduated_percentage")
_PERCENTAGES = ("percentage", "graduated_percentage")


def _title(line: Mapping[str, Any]) -> str:
    title = str(line["charge_name"])
    if line.get("group_key"):
        values = json.loads(line["group_key"])
        title += f" ({', '.join(f'{name} {value}' for name, value in values.items())})"
    if line.get("charge_model") in _TIERED and line.get("tier"):
        title += f", tier {line['tier']}"
    return title


def _figures(line: Mapping[str, Any]) -> list[str]:
    symbol = _SYMBOLS.get(line["currency"], f"{line['currency']} ")
    if line.get("tier") == 0:
        return [f"up to the minimum, {_money(symbol, line['amount'])}"]
    unit = f" {line['unit']}" if line["unit"] else ""
    parts = [f"{number_text(line['quantity_used'])}{unit} used"]
    if line["quantity_included"]:
        parts.append(f"{number_text(line['quantity_included'])} included")
    price, model = line["unit_price"], line.get("charge_model")
    if price is None or model == "dynamic":
        return [*parts, _money(symbol, line["amount"])]
    tag = f"{number_text(price * 100)} %" if model in _PERCENTAGES else _money(symbol, price)
    if not line["quantity_used"] and not line["quantity_billed"] and not line.get("flat_amount"):
        return [f"corrected price {tag}"]
    billed = number_text(line["quantity_billed"])
    if line.get("package_size"):
        return [*parts, f"{billed} in packages of {number_text(line['package_size'])} at {tag}"]
    formula = f"{billed} × {tag}"
    if line.get("flat_amount"):
        sign = "−" if line["flat_amount"] < 0 else "+"
        formula += f" {sign} {_money(symbol, abs(line['flat_amount']))}"
    return [*parts, formula]


def period_text(start: date, end: date) -> str:
    """`Oct 2026` for a whole calendar month, else `15 Oct – 14 Nov 2026`; `end` is exclusive."""
    last = end - timedelta(days=1)
    if start.day == 1 and end.day == 1 and (start.year, start.month) == (last.year, last.month):
        return f"{start:%b %Y}"
    year = "" if start.year == last.year else f" {start.year}"
    return f"{start.day} {start:%b}{year} – {last.day} {last:%b %Y}"


def price_text(value: Decimal) -> str:
    """At least two decimals, as on a price tag: 9.00, 0.10, 0.0023."""
    whole, _, fraction = decimal_text(value).partition(".")
    return f"{whole}.{fraction:0<2}"


def _money(symbol: str, value: Decimal) -> str:
    return f"{'−' if value < 0 else ''}{symbol}{price_text(abs(value))}"


def number_text(value: Decimal) -> str:
    """`1,240.5`, `−3`: every digit, thousands apart."""
    whole, _, fraction = decimal_text(abs(value)).partition(".")
    sign = "−" if value < 0 else ""
    return f"{sign}{int(whole):,}" + (f".{fraction}" if fraction else "")
