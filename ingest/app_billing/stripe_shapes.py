"""What Stripe's invoices, credit notes and refunds have in common, in both generations of its API.

Shapes: Stripe's API reference, Invoice, Invoice Line Item, Credit Note, Credit Note Line Item,
Refund. Before 2025-03-31 (basil) a line names its taxes, price and subscription as `tax_amounts`,
`price`, `subscription`; since then as `taxes`, `pricing`, `parent`.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from warehouse.currencies import minor_digits

METRIC_CODE = "metric_code"
SUBSCRIPTION_ID = "external_subscription_id"
ACCOUNT_ID = "external_account_id"

Metadata = dict[str, str]

# Where Stripe's "cents" are not the minor unit: its zero-decimal and special currencies.
_COUNTED_OTHERWISE = {"ISK": 2, "MGA": 0, "UGX": 2}


def digits(currency: str) -> int:
    """How many digits Stripe counts a currency with."""
    return _COUNTED_OTHERWISE.get(currency, minor_digits(currency))


class Named(msgspec.Struct):
    """An object that was expanded."""

    id: str
    metadata: Metadata | None = None


def id_of(reference: str | Named | None) -> str | None:
    """The id, whether the reference is expanded or not."""
    return reference.id if isinstance(reference, Named) else reference


class Tax(msgspec.Struct):
    amount: int
    inclusive: bool = False
    tax_behavior: str = "exclusive"

    @property
    def is_inclusive(self) -> bool:
        return self.inclusive or self.tax_behavior == "inclusive"


class Amount(msgspec.Struct):
    """What a discount or a grant of credits takes off."""

    amount: int
    type: str | None = None


class Lines(msgspec.Struct):
    data: list[msgspec.Raw]
    has_more: bool = False
    total_count: int | None = None


def taxes_of(since_basil: list[Tax] | None, before: list[Tax] | None) -> list[Tax]:
    return (before if since_basil is None else since_basil) or []


def granted(credits: Sequence[Amount] | None) -> int:
    """Prepaid billing credits, which come off before tax; discounts in the same list stand in
    `discount_amounts` as well."""
    return sum(each.amount for each in credits or () if each.type == "credit_balance_transaction")


def total_of(amounts: Sequence[Amount | Tax] | None) -> int | None:
    return None if amounts is None else sum(each.amount for each in amounts)
