"""Why a ledger line must not go onto its order: named, with what to do about it.

Odoo itself takes a new line on locked, cancelled and closed orders (odoo.md), where nobody would
invoice it; so each order is judged before anything is sent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from exports.line_taxes import Taxes
from odoo_gateway.client import Domain, OdooClient, Record

_Line = Mapping[str, Any]


class Problem(NamedTuple):
    """`name` is one of PROBLEMS; `reason` says which record it is about and the next step."""

    name: str
    reason: str


PROBLEMS = {
    "order_missing": "the sales order is gone",
    "order_not_confirmed": "the sales order is a quotation",
    "order_cancelled": "the sales order is cancelled",
    "order_locked": "the sales order is locked",
    "subscription_paused": "the subscription is paused",
    "subscription_closed": "the subscription is closed: nobody invoices its order any more",
    "currency_differs": "order and line are in different currencies",
    "customer_hidden": "the platform's user may not read the order's customer",
    "tax_included": "a tax that is in the price would come out of the ledger's net amount",
    "no_tax_position": "the customer's address gives Odoo no tax position, or the one for abroad",
    "product_missing": "the charge has no product in the catalogue, or it was deleted",
    "product_archived": "the charge's product is archived",
    "product_not_delivered": "the product is not invoiced by delivered quantities",
    "no_access": "the platform's user may not write order lines",
    "refused_by_odoo": "Odoo refused the line in its own words",
    "not_found": "created, but not found when read back",
    "edited_by_hand": "the line stands in Odoo with another quantity, price or discount",
    "other_order": "the line stands on another order",
    "duplicate_key": "several lines in Odoo have this key",
    "draft_confirmed": "somebody confirmed the dual-run draft",
    "draft_cancelled": "somebody cancelled the dual-run draft",
    "invoiced_differently": "Odoo invoiced another amount",
    "tax_differs": "Odoo invoiced another tax than the line's taxes make",
}

_CLOSED = {"5_renewed": "renewed by another order", "6_churn": "closed", "7_upsell": "an upsell"}
_PAUSED = "4_paused"


def refusal(name: str, message: str) -> Problem:
    """What Odoo's exception class `name` and its words stand for."""
    if name == "odoo.exceptions.AccessError":
        return Problem("no_access", message)
    return Problem("refused_by_odoo", message)


def _hidden(order: Record) -> Problem:
    """Seen on Odoo 19: an order is read, and takes lines, while a record rule hides its customer,
    such as one of another company."""
    return Problem(
        "customer_hidden",
        f"partner {order['partner_id']} of order {order['name']} is hidden from ODOO_USER: give the"
        " user the partner's company, or mend the record rule in Odoo, then push again",
    )


def tax_included(names: Sequence[str], owner: str) -> Problem | None:
    """`names` are those taxes of `owner` that are in its price."""
    if not names:
        return None
    return Problem(
        "tax_included",
        f"{', '.join(names)} of {owner} is included in the price, and Odoo would invoice the amount"
        " less the tax: set the tax to `Tax excluded`, or take another in product or fiscal"
        " position and update the order's taxes; then push again",
    )


@dataclass(frozen=True)
class Judge:
    """What is the same for all lines of a push, read once from Odoo."""

    client: OdooClient
    order_fields: tuple[str, ...]
    currencies: Mapping[int, str]
    # account.fiscal.position → its country, False for the one of abroad.
    positions: Mapping[int, Any]
    home: Any  # the company's country
    taxes: Taxes

    @classmethod
    def of(cls, client: OdooClient) -> Judge:
        wanted: tuple[str, ...] = ("name", "state", "locked", "partner_id")
        wanted += ("company_id", "currency_id", "fiscal_position_id")
        known = client.fields_get("sale.order")
        optional = ("subscription_state",) if "subscription_state" in known else ()
        positions = client.search_read(
            "account.fiscal.position", [("active", "=", True)], ["country_id", "auto_apply"]
        )
        company = client.search_read("res.company", [], ["country_id"], limit=1)
        return cls(
            client,
            wanted + optional,
            {
                record["id"]: record["name"]
                for record in client.search_read("res.currency", [], ["name"])
            },
            {record["id"]: record["country_id"] for record in positions if record["auto_apply"]},
            company[0]["country_id"] if company else False,
            Taxes.of(client),
        )

    def problems(self, lines: Sequence[_Line], *, as_drafts: bool = False) -> dict[str, Problem]:
        """By line_key, those that must not be created. A line of a dual-run draft does not mind
        the state of its subscription's order, but is taxed as that one is."""
        if not lines:
            return {}
        wanted: Domain = [("id", "in", sorted({line["odoo_order_id"] for line in lines}))]
        judge = self._of_taxes if as_drafts else self._of_order
        orders = {
            order["id"]: (order, judge(order, partner) if partner else _hidden(order))
            for order, partner in self._read(wanted)
        }
        products = self._products(lines)
        found = {}
        for line in lines:
            number = line["odoo_order_id"]
            if number in orders:
                order, problem = orders[number]
                problem = problem or self._of_line(line, order, products)
            else:
                problem = Problem(
                    "order_missing",
                    f"sale.order {number} is gone, or of a company that ODOO_USER may not see:"
                    " give the user that company, or void the usage",
                )
            if problem:
                found[line["line_key"]] = problem
        return found

    def orders(self, domain: Domain) -> list[tuple[Record, Problem | None]]:
        """The orders of a domain, each with what keeps every line off it."""
        return [
            (order, self._of_order(order, partner) if partner else _hidden(order))
            for order, partner in self._read(domain)
        ]

    def _read(self, domain: Domain) -> list[tuple[Record, Record | None]]:
        """The orders of a domain, each with its customer; None where a rule of Odoo's hides it."""
        orders = self.client.search_read("sale.order", domain, self.order_fields)
        ids = sorted({order["partner_id"] for order in orders})
        partners = {
            record["id"]: record
            for record in self.client.search_read(
                "res.partner", [("id", "in", ids)], ["name", "country_id"]
            )
        }
        return [(order, partners.get(order["partner_id"])) for order in orders]

    def _products(self, lines: Sequence[_Line]) -> dict[int, Record]:
        ids = {line["odoo_product_id"] for line in lines if line["odoo_product_id"] is not None}
        found = self.client.search_read(
            "product.product",
            [("id", "in", sorted(ids))],
            ["name", "active", "invoice_policy", "taxes_id"],
        )
        return {record["id"]: record for record in found}

    def _of_order(self, order: Record, partner: Record) -> Problem | None:
        name, state = order["name"], order["state"]
        subscription = order.get("subscription_state")
        if state == "cancel":
            return Problem(
                "order_cancelled",
                f"order {name} is cancelled: set it to quotation and confirm it, or void the usage",
            )
        if state != "sale":
            return Problem("order_not_confirmed", f"order {name} is in state {state}: confirm it")
        if subscription in _CLOSED:
            return Problem(
                "subscription_closed",
                f"subscription {name} is {_CLOSED[subscription]}: reopen it, or invoice by hand",
            )
        if subscription == _PAUSED:
            return Problem("subscription_paused", f"subscription {name} is paused: resume it")
        if order["locked"]:
            return Problem("order_locked", f"order {name} is locked: unlock it, then push again")
        return self._of_taxes(order, partner)

    def _of_taxes(self, order: Record, partner: Record) -> Problem | None:
        """A Canadian without a province gets the position for abroad, 0 %; a customer without a
        country none, and the company's own tax (seen on Odoo 19)."""
        if not self.positions:
            return None
        position, country = order["fiscal_position_id"], partner["country_id"]
        next_step = f"complete the address, then update the taxes of order {order['name']}"
        if not position:
            if country:
                return None  # a country the chart has no position for
            return Problem("no_tax_position", f"{partner['name']} has no country: {next_step}")
        if country == self.home and self.positions.get(position, country) != country:
            return Problem("no_tax_position", f"{partner['name']} has no province: {next_step}")
        return None

    def _of_line(
        self, line: _Line, order: Record, products: Mapping[int, Record]
    ) -> Problem | None:
        currency = self.currencies.get(order["currency_id"])
        if currency != line["currency"]:
            return Problem(
                "currency_differs",
                f"order {order['name']} is in {currency}, the line in {line['currency']}: give the"
                f" subscription an order with a price list in {line['currency']}, or void the"
                " usage",
            )
        product = products.get(line["odoo_product_id"])
        if product is None:
            return Problem("product_missing", "the charge has no product in the catalogue")
        if not product["active"]:
            return Problem("product_archived", f"product {product['name']} is archived")
        if product["invoice_policy"] != "delivery":
            return Problem(
                "product_not_delivered",
                f"product {product['name']} is invoiced by ordered quantities: set its invoicing"
                " policy to delivered quantities",
            )
        taxes = self.taxes.of_line(
            product["taxes_id"], order["company_id"], order["fiscal_position_id"]
        )
        return tax_included(
            self.taxes.in_price(taxes), f"product {product['name']} on order {order['name']}"
        )
