"""Which changes move a record's write_date, and which do not: the mirror relies on both."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from odoo_world import World

pytestmark = pytest.mark.odoo_real


def stamped(world: World, model: str, number: int, change: Callable[[], Any]) -> bool:
    """Whether `change` moves the record's write_date. Stamps are seconds: waits for a new one."""
    before = world.read(model, number, "write_date")["write_date"]
    watch = world.partner(None)
    while world.read("res.partner", watch, "write_date")["write_date"] <= before:
        world.client.write("res.partner", [watch], {"comment": "what is the time?"})
    change()
    return bool(world.read(model, number, "write_date")["write_date"] != before)


def test_an_order_line_is_stamped_by_its_invoice_and_credit_note(world: World) -> None:
    order = world.order()
    line = world.delivered(order, 0.5, 3)
    assert stamped(world, "sale.order.line", line, lambda: world.invoice(order))
    assert world.read("sale.order.line", line, "qty_invoiced")["qty_invoiced"] == 3
    (move,) = world.moves(order)
    drop = lambda: world.client.call("account.move", "unlink", [move["id"]])  # noqa: E731
    assert stamped(world, "sale.order.line", line, drop)
    assert world.read("sale.order.line", line, "qty_invoiced")["qty_invoiced"] == 0


def test_an_invoice_is_stamped_by_posting_and_by_payment(world: World) -> None:
    order = world.order()
    world.delivered(order, 0.5, 3)
    world.invoice(order)
    (move,) = (row["id"] for row in world.moves(order))
    assert stamped(world, "account.move", move, lambda: world.post(move))
    assert stamped(world, "account.move", move, lambda: world.pay(move))
    row = world.read("account.move", move, "payment_state", "amount_residual")
    assert (row["payment_state"], row["amount_residual"]) == ("paid", 0)


@pytest.mark.parametrize(
    "values", [{"name": "Renamed"}, {"list_price": 7.0}, {"recurring_invoice": True}], ids=str
)
def test_a_product_is_stamped_with_its_template(world: World, values: dict[str, Any]) -> None:
    product = world.product()
    template = world.read("product.product", product, "product_tmpl_id")["product_tmpl_id"]
    change = lambda: world.client.write("product.template", [template], values)  # noqa: E731
    assert stamped(world, "product.product", product, change)
    assert world.read("product.product", product, *values) == {"id": product, **values}


def test_a_deleted_plan_leaves_its_orders_without_a_stamp(world: World) -> None:
    """PostgreSQL's "on delete set null": the mirror must look for it by itself."""
    plan = world.make("sale.subscription.plan", name="Short-lived")
    order = world.order(plan_id=plan, confirm=False)
    drop = lambda: world.client.call("sale.subscription.plan", "unlink", [plan])  # noqa: E731
    assert not stamped(world, "sale.order", order, drop)
    assert world.read("sale.order", order, "plan_id")["plan_id"] is False


def test_a_deleted_tax_leaves_its_lines_without_a_stamp(world: World) -> None:
    tax = world.make("account.tax", name=f"Short-lived {id(world)}", amount=5.0)
    order = world.order({"tax_ids": [(6, 0, [tax])]}, confirm=False)
    (line,) = (row["id"] for row in world.lines(order))
    assert world.read("sale.order.line", line, "tax_ids")["tax_ids"] == [tax]
    drop = lambda: world.client.call("account.tax", "unlink", [tax])  # noqa: E731
    assert not stamped(world, "sale.order.line", line, drop)
    assert world.read("sale.order.line", line, "tax_ids")["tax_ids"] == []
