"""Odoo's sales taxes: what they take of a line, and which of them are in its price.

The ledger's amounts are net. A tax that is in the price comes out of it: of 113.00 Odoo invoices
100.00 and 13.00 (seen on Odoo 19; tests/contract/test_odoo_pricing.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from exports.line_form import to_cents
from odoo_gateway.client import OdooClient, Record

_FIELDS = (
    "name",
    "active",
    "company_id",
    "amount_type",
    "amount",
    "price_include",
    "children_tax_ids",
    "original_tax_ids",
    "fiscal_position_ids",
)


@dataclass(frozen=True)
class Taxes:
    """All of the database's, archived ones too: lines keep them."""

    by_id: Mapping[int, Record]

    @classmethod
    def of(cls, client: OdooClient) -> Taxes:
        found = client.search_read("account.tax", [("active", "in", [True, False])], _FIELDS)
        return cls({record["id"]: record for record in found})

    def of_line(self, product_taxes: Iterable[int], company: Any, position: Any) -> list[int]:
        """What Odoo puts on a new line: the product's taxes of the order's company, as its fiscal
        position replaces them. `position` is an id or False."""
        found: list[int] = []
        for tax in product_taxes:
            if self.by_id.get(tax, _UNKNOWN)["company_id"] != company:
                continue
            replacing = [
                record["id"]
                for record in self.by_id.values()
                if record["active"]
                and tax in record["original_tax_ids"]
                and position in record["fiscal_position_ids"]
            ]
            found += replacing or [tax]
        return found

    def in_price(self, taxes: Iterable[int]) -> list[str]:
        """Names of those that are in the price."""
        return [record["name"] for record in self._parts(taxes) if record["price_include"]]

    def net(self, amount: Decimal, taxes: Sequence[int]) -> Decimal:
        """Quantity × price less the shares that are in it, in cents."""
        inside = [part for part in self._parts(taxes) if part["price_include"]]
        share = sum((_rate(part) or Decimal(0) for part in inside), Decimal(0))
        return to_cents(amount / (1 + share)) if share else amount

    def tax(self, subtotal: Decimal, taxes: Sequence[int]) -> Decimal | None:
        """Of a line by itself, in cents; None where a tax is not a share of the subtotal. Groups
        such as GST + QST are the sum of their parts."""
        rates = [_rate(part) for part in self._parts(taxes)]
        known = [rate for rate in rates if rate is not None]
        if len(known) < len(rates):
            return None
        return sum((to_cents(subtotal, rate) for rate in known), Decimal(0))

    def _parts(self, taxes: Iterable[int]) -> list[Record]:
        parts = []
        for tax in taxes:
            record = self.by_id.get(tax, _UNKNOWN)
            group = record["amount_type"] == "group"
            parts += self._parts(record["children_tax_ids"]) if group else [record]
        return parts


# Another company's, which the platform's user may not read.
_UNKNOWN: Record = {"amount_type": "unknown", "price_include": False, "company_id": False}


def _rate(tax: Record) -> Decimal | None:
    return Decimal(str(tax["amount"])) / 100 if tax["amount_type"] == "percent" else None
