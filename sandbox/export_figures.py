"""What both old billers' exports need: minor units, plain numbers, who the customer is."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from sandbox.companies import Client
from sandbox.model import World
from sandbox.old_billing import OldInvoice, OldLine

Json = dict[str, Any]


def cents(amount: Decimal) -> int:
    """Dollars to cents, exactly."""
    return int(amount * 100)


def plain(number: Decimal) -> str:
    """Plain notation without trailing zeros: 100, 12.25."""
    text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def client_of(world: World, invoice: OldInvoice) -> Client:
    """The company that the invoice is for."""
    return next(c for c in world.clients if c.code == invoice.subscription.client_code)


def totals(lines: Iterable[OldLine]) -> tuple[int, int, int]:
    """Totals in cents: after discounts and before tax, what was discounted, and tax."""
    lines = list(lines)
    return (
        sum(cents(line.net) for line in lines),
        sum(cents(line.discount) for line in lines),
        sum(cents(line.tax_amount) for line in lines),
    )
