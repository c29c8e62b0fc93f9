"""The mirror while others write: after one more pass it holds what Odoo holds, field by field."""

from __future__ import annotations

import random
import uuid
from collections import defaultdict
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from odoo_world import Server, World
from sqlalchemy.engine import Engine

from ingest.odoo_mirror import BILLING, MASTER, mirror, passes, progress
from odoo_gateway.client import OdooClient, Record
from warehouse.tables import ODOO_TABLES, odoo_mirror

pytestmark = pytest.mark.odoo_real

USAGE = {"product_uom_qty": 0, "qty_delivered": 2.0, "price_unit": 0.12}


class Office:
    """People at work in Odoo: each `act` does one thing, by a seed. `touched` holds the ids of all
    records it made or changed, by model, so that a shared server's others are left out."""

    def __init__(self, world: World, seed: int) -> None:
        self.world = world
        self.client = world.client
        self.random = random.Random(seed)
        self.touched: dict[str, set[int]] = defaultdict(set)
        self.orders: list[int] = []
        self.drafts: list[int] = []
        self.product = world.product(invoice_policy="delivery", name="Office hours")
        self.template = world.read("product.product", self.product, "product_tmpl_id")
        self.touched["product.product"].add(self.product)
        self.acts: list[Callable[[], None]] = [
            self.subscribe,
            self.subscribe,
            self.draft,
            self.add_lines,
            self.change_line,
            self.delete_line,
            self.delete_draft,
            self.leave_or_enter,
            self.invoice_and_pay,
            self.rename_product,
            self.archive_partner,
            self.delete_plan,
            self.delete_tax,
        ]

    def act(self) -> None:
        self.random.choice(self.acts)()
        self.look()

    def everything(self) -> None:
        for act in self.acts:
            act()
        self.look()

    def look(self) -> None:
        """What hangs on our orders is ours."""
        for model, domain in (
            ("sale.order.line", [("order_id", "in", self.orders + self.drafts)]),
            ("account.move", [("partner_id", "in", sorted(self.touched["res.partner"]))]),
            ("account.move.line", [("partner_id", "in", sorted(self.touched["res.partner"]))]),
        ):
            found = self.client.search_read(model, domain, ["id"])
            self.touched[model] |= {row["id"] for row in found}

    def _order(self, *, confirm: bool, **values: Any) -> int:
        partner = self.world.partner()
        self.touched["res.partner"].add(partner)
        line = {**USAGE, "product_id": self.product}
        number = self.world.order(
            line,
            partner_id=partner,
            confirm=confirm,
            x_fc_external_id=uuid.uuid4().hex,
            **values,
        )
        self.touched["sale.order"].add(number)
        return number

    def subscribe(self) -> None:
        self.orders.append(self._order(confirm=True))

    def draft(self) -> None:
        self.drafts.append(self._order(confirm=False))

    def _some_order(self) -> int:
        if not self.orders:
            self.subscribe()
        return self.random.choice(self.orders)

    def add_lines(self) -> None:
        order = self._some_order()
        self.client.create(
            "sale.order.line",
            [{**USAGE, "order_id": order, "product_id": self.product} for _ in range(5)],
        )

    def change_line(self) -> None:
        line = self.random.choice(self.world.lines(self._some_order(), "id"))["id"]
        quantity = float(self.random.randint(1, 90))
        self.client.write("sale.order.line", [line], {"qty_delivered": quantity})

    def delete_line(self) -> None:
        if self.drafts:
            lines = self.world.lines(self.drafts[-1], "id")
            self.client.call("sale.order.line", "unlink", [row["id"] for row in lines[:1]])

    def delete_draft(self) -> None:
        if self.drafts:
            self.client.call("sale.order", "unlink", [self.drafts.pop()])

    def leave_or_enter(self) -> None:
        """The order is written, its lines are not: they leave the mirror's domain, or enter it."""
        order = self._some_order()
        known = self.world.read("sale.order", order, "x_fc_external_id")["x_fc_external_id"]
        values = {"x_fc_external_id": False if known else uuid.uuid4().hex}
        self.client.write("sale.order", [order], values)

    def invoice_and_pay(self) -> None:
        order = self._some_order()
        if not any(row["qty_invoiced"] == 0 for row in self.world.lines(order, "qty_invoiced")):
            return
        self.world.invoice(order)
        for move in self.world.moves(order, "state", "move_type"):
            if (move["state"], move["move_type"]) == ("draft", "out_invoice"):
                self.world.post(move["id"])
                self.world.pay(move["id"])

    def rename_product(self) -> None:
        values = {"name": f"Office hours {self.random.random()}"}
        self.client.write("product.template", [self.template["product_tmpl_id"]], values)

    def archive_partner(self) -> None:
        if self.touched["res.partner"]:
            partner = self.random.choice(sorted(self.touched["res.partner"]))
            row = self.world.read("res.partner", partner, "active")
            self.client.write("res.partner", [partner], {"active": not row["active"]})

    def delete_plan(self) -> None:
        plan = self.world.make("sale.subscription.plan", name="Short-lived")
        self.touched["sale.subscription.plan"].add(plan)
        self.drafts.append(self._order(confirm=False, plan_id=plan))
        self.later(lambda: self.client.call("sale.subscription.plan", "unlink", [plan]))

    def delete_tax(self) -> None:
        tax = self.world.make("account.tax", name=f"Tax {uuid.uuid4().hex[:8]}", amount=5.0)
        self.touched["account.tax"].add(tax)
        order = self._order(confirm=False)
        self.drafts.append(order)
        lines = [row["id"] for row in self.world.lines(order, "id")]
        self.client.write("sale.order.line", lines, {"tax_ids": [(6, 0, [tax])]})
        self.later(lambda: self.client.call("account.tax", "unlink", [tax]))

    def later(self, act: Callable[[], object]) -> None:
        """Once, the next time that this comes up; Odoo's stamps of before do not move with it."""

        def once() -> None:
            self.acts.remove(once)
            act()

        self.acts.append(once)


class Meanwhile:
    """A client that lets the office work between the mirror's reads, `acts` times in all."""

    def __init__(self, client: OdooClient, office: Office, acts: int) -> None:
        self._client, self._office, self._left = client, office, acts

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def search_read(self, *args: Any, **kwargs: Any) -> list[Record]:
        if self._left:
            self._left -= 1
            self._office.act()
        return self._client.search_read(*args, **kwargs)


def differences(engine: Engine, client: OdooClient, touched: dict[str, set[int]]) -> list[Any]:
    """Table, id, what the mirror holds and what Odoo shows, of `touched` where the two differ."""
    found: list[Any] = []
    for model in MASTER + BILLING:
        fields, _links = passes._fields(client, model)
        numbers = sorted(touched[model.model])
        shown = {
            row["id"]: row
            for row in client.search_read(
                model.model, [*model.domain, ("id", "in", numbers)], fields
            )
        }
        table = ODOO_TABLES[model.table]
        with engine.connect() as connection:
            rows = connection.execute(
                sa.select(table.c.id, table.c.record).where(
                    table.c.deleted_at.is_(None), table.c.id.in_(numbers)
                )
            )
            held = {row.id: row.record for row in rows}
        found += [
            (model.table, number, held.get(number), shown.get(number))
            for number in sorted(shown.keys() | held.keys())
            if shown.get(number) != held.get(number)
        ]
    return found


@pytest.fixture(scope="module")
def own_mirror(engine: Engine, server: Server) -> Engine:
    """Empty of what another server's records were."""
    with engine.begin() as connection:
        for table in (*ODOO_TABLES.values(), odoo_mirror):
            connection.execute(sa.delete(table))
    return engine


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_after_one_more_pass_the_mirror_is_odoo(
    own_mirror: Engine,
    odoo: OdooClient,
    server: Server,
    world: World,
    seed: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without an overlap: the calls of one client are transactions that follow one another."""
    if server.real and seed > 1:
        pytest.skip("one seed takes a minute there")
    monkeypatch.setattr(passes, "PAGE", 200 if server.real else 7)
    monkeypatch.setattr(passes, "SWEEP_PAGE", 1000 if server.real else 11)
    monkeypatch.setattr(progress, "OVERLAP", timedelta(0))
    engine = own_mirror
    office = Office(world, seed)
    office.everything()
    for acts in (40, 40):
        mirror(engine, Meanwhile(odoo, office, acts), odoo=server.url)
    counts = mirror(engine, odoo, odoo=server.url)
    assert differences(engine, odoo, office.touched) == []
    assert counts["order_line"].read < counts["order_line"].live
