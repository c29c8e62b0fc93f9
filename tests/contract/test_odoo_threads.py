"""What the quiet context silences: the notes that Odoo leaves on partners and orders."""

from __future__ import annotations

import pytest
from odoo_world import World

from odoo_gateway.client import QUIET, OdooClient

pytestmark = pytest.mark.odoo_real
LOUD = dict.fromkeys(QUIET, False)
LINE = "sale.order.line"


def _notes(odoo: OdooClient, model: str, number: int) -> list[str]:
    """What stands on the record's thread, oldest first, without tags."""
    rows = odoo.search_read(
        "mail.message", [("model", "=", model), ("res_id", "=", number)], ["body"]
    )
    return [row["body"].removeprefix("<p>").removesuffix("</p>") for row in rows]


def test_creating_is_quiet_unless_told_otherwise(odoo: OdooClient, world: World) -> None:
    (quiet,) = odoo.create("res.partner", [{"name": "A"}])
    (loud,) = odoo.create("res.partner", [{"name": "A"}], context=LOUD)
    assert _notes(odoo, "res.partner", quiet) == []
    assert _notes(odoo, "res.partner", loud) == ["Contact created"]
    (order,) = odoo.create("sale.order", [{"partner_id": loud}], context=LOUD)
    assert _notes(odoo, "sale.order", order) == ["Sales Order created"]
    assert world.read("sale.order", order, "message_ids")["message_ids"] != []


def test_writing_is_quiet_and_a_call_is_not(odoo: OdooClient) -> None:
    (partner,) = odoo.create("res.partner", [{"name": "A"}])
    odoo.write("res.partner", [partner], {"name": "B", "email": "b@example.com"})
    assert _notes(odoo, "res.partner", partner) == []
    odoo.call("res.partner", "write", [partner], vals={"name": "C", "ref": "not tracked"})
    assert _notes(odoo, "res.partner", partner) == [""]
    odoo.call("res.partner", "write", [partner], vals={"name": "D"}, context=QUIET)
    assert _notes(odoo, "res.partner", partner) == [""]


def test_confirming_and_locking_are_tracked_unless_quiet(odoo: OdooClient, world: World) -> None:
    for context, notes in (({}, ["", ""]), (QUIET, [])):
        order = world.order(confirm=False)
        odoo.call("sale.order", "action_confirm", [order], context=context)
        odoo.call("sale.order", "action_lock", [order], context=context)
        assert _notes(odoo, "sale.order", order) == notes


def test_a_usage_line_leaves_no_note(odoo: OdooClient, world: World) -> None:
    """Added, its delivered quantity and price raised, as the push does."""
    order = world.order(confirm=False)
    odoo.call("sale.order", "action_confirm", [order], context=QUIET)
    line = world.delivered(order, 0.5, 3)
    odoo.write(LINE, [line], {"qty_delivered": 5, "price_unit": 0.25})
    assert _notes(odoo, "sale.order", order) == []
    product = odoo.call("product.product", "read", [world.usage], fields=["display_name"])
    values = {"order_id": order, "product_id": world.usage, "product_uom_qty": 0}
    odoo.create(LINE, [values], context={"sale_no_log_for_new_lines": False})
    assert _notes(odoo, "sale.order", order) == [f"Extra line with {product[0]['display_name']}"]


def test_a_new_total_is_noted_however_quiet(odoo: OdooClient, world: World) -> None:
    """Odoo tracks an order's total without looking at the context: why usage lines order nothing
    and deliver everything."""
    order = world.order({"price_unit": 2.0})
    before = _notes(odoo, "sale.order", order)
    world.make(LINE, order_id=order, product_id=world.usage, product_uom_qty=3, price_unit=2.0)
    assert _notes(odoo, "sale.order", order) == [*before, ""]
