"""Dual-run drafts: quotations that Odoo computes, that bill nothing, and that a key tells apart."""

from __future__ import annotations

import uuid

import pytest
from odoo_world import World
from test_odoo_write_dates import stamped

from odoo_gateway.client import OdooClient
from odoo_gateway.errors import OdooRefusedError

pytestmark = pytest.mark.odoo_real
LINE = "sale.order.line"
TAKEN_OVER = ("partner_id", "pricelist_id", "fiscal_position_id", "currency_id")


def draft(world: World, order: int, key: str = "") -> int:
    """A quotation as the push makes it of a subscription's order."""
    taken = world.read("sale.order", order, *TAKEN_OVER)
    del taken["id"], taken["currency_id"]
    return world.make(
        "sale.order",
        **{name: value for name, value in taken.items() if value},
        client_order_ref="Dual-run draft, do not confirm",
        x_fc_dual_run_key=key or uuid.uuid4().hex,
    )


def draft_line(world: World, order: int, quantity: float, price: float, **values: object) -> int:
    return world.make(
        LINE,
        order_id=order,
        product_id=world.usage,
        name="Usage",
        product_uom_qty=quantity,
        price_unit=price,
        x_fc_dual_run=True,
        **values,
    )


def test_a_draft_is_of_the_same_customer_currency_and_taxes(world: World) -> None:
    order = world.order({}, partner_id=world.partner("QC"), plan_id=world.plan)
    wanted = world.read("sale.order", order, *TAKEN_OVER)
    found = world.read(
        "sale.order", draft(world, order), *TAKEN_OVER, "state", "is_subscription",
        "x_fc_external_id", "client_order_ref",
    )  # fmt: skip
    assert [found[name] for name in TAKEN_OVER] == [wanted[name] for name in TAKEN_OVER]
    assert (found["state"], found["is_subscription"]) == ("draft", False)
    assert found["x_fc_external_id"] is False
    assert found["client_order_ref"] == "Dual-run draft, do not confirm"


@pytest.mark.parametrize(
    ("province", "quantity", "price", "subtotal", "tax"),
    [
        ("ON", 30, 0.12, 3.60, 0.47),  # 0.468
        ("ON", 240.25, 0.12, 28.83, 3.75),  # 3.7479
        ("ON", 1, 0.55, 0.55, 0.07),  # 0.0715
        ("ON", 1, -3.6, -3.60, -0.47),  # a credit: -0.468, away from zero
        ("ON", 1, 0.0, 0.0, 0.0),
        ("QC", 1, 100.0, 100.0, 14.98),  # 5.00 + 9.975 → 9.98
        ("AB", 100, 0.1, 10.0, 0.50),
    ],
)
def test_odoo_computes_a_drafts_line(
    world: World, province: str, quantity: float, price: float, subtotal: float, tax: float
) -> None:
    order = draft(world, world.order({}, partner_id=world.partner(province)))
    line = draft_line(world, order, quantity, price)
    row = world.read(
        LINE, line, "price_subtotal", "price_tax", "product_uom_qty", "price_unit",
        "qty_delivered", "state", "x_fc_dual_run",
    )  # fmt: skip
    assert row["price_subtotal"] == subtotal
    assert row["price_tax"] == pytest.approx(tax, abs=1e-9)
    assert (row["product_uom_qty"], row["price_unit"]) == (quantity, price)
    assert (row["qty_delivered"], row["state"], row["x_fc_dual_run"]) == (0.0, "draft", True)


def test_a_draft_bills_nothing_even_when_confirmed(odoo: OdooClient, world: World) -> None:
    """Its product is invoiced by delivered quantities, and it delivered none."""
    order = draft(world, world.order({}))
    line = draft_line(world, order, 30, 0.12)
    with pytest.raises(OdooRefusedError, match="No items are available to invoice"):
        world.invoice(order)
    odoo.call("sale.order", "action_confirm", [order])
    row = world.read(LINE, line, "state", "qty_delivered", "qty_to_invoice", "invoice_status")
    assert (row["state"], row["qty_delivered"], row["qty_to_invoice"]) == ("sale", 0.0, 0.0)
    assert row["invoice_status"] == "no"
    assert world.read("sale.order", order, "invoice_status")["invoice_status"] == "no"
    with pytest.raises(OdooRefusedError, match="No items are available to invoice"):
        world.invoice(order)
    assert world.moves(order) == []


def test_a_drafts_state_stamps_its_lines(odoo: OdooClient, world: World) -> None:
    """So that the mirror, which reads lines by their stamp, sees a draft confirmed or cancelled."""
    order = draft(world, world.order({}))
    line = draft_line(world, order, 30, 0.12)
    for method, state in (
        ("action_confirm", "sale"),
        ("action_cancel", "cancel"),
        ("action_draft", "draft"),
    ):
        change = lambda method=method: odoo.call("sale.order", method, [order])  # noqa: E731
        assert stamped(world, LINE, line, change), method
        assert world.read(LINE, line, "state")["state"] == state


def test_a_key_has_one_draft(odoo: OdooClient, world: World) -> None:
    """A second one is refused, and takes the whole batch with it."""
    order = world.order({})
    key = uuid.uuid4().hex
    draft(world, order, key)
    partner = world.read("sale.order", order, "partner_id")["partner_id"]
    other = uuid.uuid4().hex
    with pytest.raises(OdooRefusedError) as caught:
        odoo.create(
            "sale.order",
            [{"partner_id": partner, "x_fc_dual_run_key": each} for each in (other, key)],
        )
    assert caught.value.name == "odoo.exceptions.ValidationError"
    keys = [("x_fc_dual_run_key", "in", [key, other])]
    assert len(odoo.search_read("sale.order", keys, ["id"])) == 1
    # Without a key there are as many quotations as people like.
    world.order({}, {}, confirm=False)


def test_a_line_key_is_one_for_drafts_and_orders(world: World) -> None:
    """What stands on a draft cannot come onto an order as well."""
    order = world.order({})
    key = uuid.uuid4().hex
    draft_line(world, draft(world, order), 30, 0.12, x_fc_line_key=key)
    with pytest.raises(OdooRefusedError):
        world.delivered(order, 0.12, 30, x_fc_line_key=key)


def test_a_draft_that_is_deleted_takes_its_lines_along(odoo: OdooClient, world: World) -> None:
    order = draft(world, world.order({}))
    line = draft_line(world, order, 30, 0.12)
    odoo.call("sale.order", "unlink", [order])
    assert odoo.search_read(LINE, [("id", "=", line)], ["id"]) == []


def test_the_mirrors_domain_finds_lines_of_subscriptions_and_drafts(
    odoo: OdooClient, world: World
) -> None:
    order = world.order({}, x_fc_external_id=uuid.uuid4().hex)
    quotation = draft(world, order)
    drafted = draft_line(world, quotation, 30, 0.12)
    by_hand = world.make(LINE, order_id=quotation, product_id=world.usage)
    (base,) = (row["id"] for row in world.lines(order))
    found = odoo.search_read(
        LINE,
        [
            "|",
            ("order_id.x_fc_external_id", "!=", False),
            ("x_fc_dual_run", "=", True),
            ("id", "in", [drafted, by_hand, base]),
        ],
        ["id"],
    )
    assert {row["id"] for row in found} == {drafted, base}
