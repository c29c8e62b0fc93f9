"""A server of the contract suite, and makers of the records that its tests play with."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from odoo_gateway.client import OdooClient, Record
from odoo_gateway.connect import connect
from warehouse.settings import OdooTransport


@dataclass(frozen=True)
class Server:
    """How to log in; `real` and `transport` tell one from the other where a test must know."""

    url: str
    db: str
    user: str
    key: str
    real: bool
    transport: OdooTransport

    def connect(self, *, db: str = "", user: str = "", key: str = "") -> OdooClient:
        """With its own name, user and key unless told otherwise."""
        return connect(
            self.url,
            db or self.db,
            user or self.user,
            key or self.key,
            timeout=120,
            transport=self.transport,
        )

    @property
    def json2(self) -> bool:
        return self.transport is OdooTransport.JSON2


class World:
    """Makers of the records that tests play with; each call makes new ones."""

    def __init__(self, client: OdooClient) -> None:
        self.client = client
        self.canada = self._one("res.country", [("code", "=", "CA")])
        self.plan = self.make("sale.subscription.plan", name="Monthly")
        self.usage = self.product(invoice_policy="delivery", list_price=0.01)
        self.base = self.product(
            name="Base fee", invoice_policy="order", list_price=19.0, recurring_invoice=True
        )

    def _one(self, model: str, domain: list[Any]) -> int:
        return int(self.client.search_read(model, domain, ["id"], limit=1)[0]["id"])

    def make(self, model: str, **values: Any) -> int:
        return self.client.create(model, [values])[0]

    def product(self, **values: Any) -> int:
        code = uuid.uuid4().hex[:8]
        defaults = {"name": "API calls", "default_code": code, "type": "service"}
        return self.make("product.product", **{**defaults, **values})

    def partner(self, province: str | None = "ON", **values: Any) -> int:
        place: dict[str, Any] = {}
        if province:
            state = [("code", "=", province), ("country_id", "=", self.canada)]
            place = {"country_id": self.canada, "state_id": self._one("res.country.state", state)}
        return self.make(
            "res.partner", **{"name": f"Client {uuid.uuid4().hex[:8]}", **place, **values}
        )

    def order(self, *lines: Mapping[str, Any], confirm: bool = True, **values: Any) -> int:
        """A confirmed order, of a new Ontario client unless told otherwise."""
        partner = values.pop("partner_id", None) or self.partner()
        commands = [(0, 0, {"product_id": self.usage, **line}) for line in lines]
        number = self.make("sale.order", partner_id=partner, order_line=commands, **values)
        if confirm:
            self.client.call("sale.order", "action_confirm", [number])
        return number

    def delivered(self, order: int, price: float, quantity: float, **values: Any) -> int:
        """A usage line as the push makes it."""
        return self.make(
            "sale.order.line",
            order_id=order,
            product_id=self.usage,
            product_uom_qty=0,
            qty_delivered=quantity,
            price_unit=price,
            **values,
        )

    def read(self, model: str, number: int, *fields: str) -> Record:
        return self.client.search_read(model, [("id", "=", number)], fields)[0]

    def lines(self, order: int, *fields: str) -> list[Record]:
        return self.client.search_read("sale.order.line", [("order_id", "=", order)], fields)

    def invoice(self, *orders: int, consolidated: bool = False) -> None:
        wizard = self.make(
            "sale.advance.payment.inv",
            sale_order_ids=[(6, 0, list(orders))],
            advance_payment_method="delivered",
            consolidated_billing=consolidated,
        )
        self.client.call("sale.advance.payment.inv", "create_invoices", [wizard])

    def moves(self, order: int, *fields: str) -> list[Record]:
        """The order's invoices and credit notes, oldest first."""
        ids = self.read("sale.order", order, "invoice_ids")["invoice_ids"]
        return self.client.search_read("account.move", [("id", "in", ids)], fields or ["state"])

    def post(self, *moves: int) -> None:
        self.client.call("account.move", "action_post", moves)

    def pay(self, move: int) -> None:
        """The whole of a posted invoice, as the button "Pay" does."""
        action = self.client.call("account.move", "action_register_payment", [move])
        (wizard,) = self.client.create("account.payment.register", [{}], context=action["context"])
        self.client.call("account.payment.register", "action_create_payments", [wizard])
