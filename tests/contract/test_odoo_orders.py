"""Prices, taxes, precision, locks: what Odoo does to the lines that a push writes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from odoo_world import World

from odoo_gateway.client import OdooClient
from odoo_gateway.errors import OdooRefusedError

pytestmark = pytest.mark.odoo_real
LINE = "sale.order.line"


@pytest.mark.parametrize(
    ("province", "tax"),
    [
        ("ON", 13.0),
        ("QC", 14.98),
        ("NS", 14.0),
        ("NB", 15.0),
        ("NL", 15.0),
        ("PE", 15.0),
        ("AB", 5.0),
        ("BC", 12.0),
        ("MB", 12.0),
        ("SK", 11.0),
        ("YT", 5.0),
        (None, 13.0),
    ],
)
def test_tax_follows_the_province(world: World, province: str | None, tax: float) -> None:
    """On 100.00. Quebec: 5.00 GST and 9.98 QST, each rounded. Without a country: the company's."""
    partner = world.partner(province)
    order = world.order({"price_unit": 100.0}, partner_id=partner, confirm=False)
    (line,) = world.lines(order, "price_subtotal", "price_total")
    totals = world.read("sale.order", order, "amount_untaxed", "amount_tax", "amount_total")
    assert (line["price_subtotal"], line["price_total"]) == (100.0, 100.0 + tax)
    assert (totals["amount_untaxed"], totals["amount_tax"]) == (100.0, tax)
    assert totals["amount_total"] == 100.0 + tax


def test_a_canadian_without_a_province_is_taxed_as_abroad(world: World) -> None:
    """A trap: the fiscal position for abroad matches, and no HST is billed."""
    partner = world.make("res.partner", name="No province", country_id=world.canada)
    order = world.order({"price_unit": 100.0}, partner_id=partner, confirm=False)
    assert world.read("sale.order", order, "amount_tax")["amount_tax"] == 0.0


def test_orders_are_in_canadian_dollars(odoo: OdooClient, world: World) -> None:
    order = world.order({}, confirm=False)
    currency = world.read("sale.order", order, "currency_id")["currency_id"]
    assert odoo.search_read("res.currency", [("id", "=", currency)], ["name"])[0]["name"] == "CAD"


def test_a_line_takes_name_price_and_quantity_from_its_product(world: World) -> None:
    product = world.product(name="Storage", default_code="STO", list_price=2.5)
    order = world.order({"product_id": product}, confirm=False)
    (line,) = world.lines(
        order, "name", "price_unit", "product_uom_qty", "price_subtotal", "discount"
    )
    assert (line["name"], line["price_unit"]) == ("[STO] Storage", 2.5)
    assert (line["product_uom_qty"], line["price_subtotal"], line["discount"]) == (1.0, 2.5, 0.0)


def test_line_amounts_round_half_up(world: World) -> None:
    """3 × 33.335 = 100.005 → 100.01; −0.005 → −0.01; 13 % of 100.005 = 13.00065 → 13.00."""
    order = world.order(
        {"price_unit": 33.335, "product_uom_qty": 3},
        {"price_unit": -0.005},
        {"price_unit": 10.0, "discount": 12.5},
        confirm=False,
    )
    first, second, third = world.lines(order, "price_subtotal", "price_total", "price_tax")
    assert (first["price_subtotal"], first["price_total"]) == (100.01, 113.01)
    assert first["price_tax"] == pytest.approx(13.0)
    assert second["price_subtotal"] == -0.01
    assert third["price_subtotal"] == 8.75


def test_an_orders_total_is_rounded_once(world: World) -> None:
    """3 × 0.005 + 10.33 = 10.345 → 10.35, though the lines say 0.01, 0.01, 0.01 and 10.33."""
    cents = [{"price_unit": 0.005}] * 3
    order = world.order(*cents, {"price_unit": 10.33}, confirm=False)
    assert [row["price_subtotal"] for row in world.lines(order, "price_subtotal")] == [
        0.01,
        0.01,
        0.01,
        10.33,
    ]
    totals = world.read("sale.order", order, "amount_untaxed", "amount_tax", "amount_total")
    assert (totals["amount_untaxed"], totals["amount_tax"]) == (10.35, 1.34)
    assert totals["amount_total"] == 11.69


def test_confirming(odoo: OdooClient, world: World) -> None:
    order = world.order({}, plan_id=world.plan, confirm=False, next_invoice_date="2026-09-01")
    draft = world.read("sale.order", order, "state", "is_subscription", "subscription_state")
    assert (draft["state"], draft["is_subscription"]) == ("draft", True)
    assert draft["subscription_state"] is False
    assert odoo.call("sale.order", "action_confirm", [order]) is True
    row = world.read(
        "sale.order", order, "state", "subscription_state", "next_invoice_date", "start_date"
    )
    assert (row["state"], row["subscription_state"]) == ("sale", "3_progress")
    assert row["next_invoice_date"] == "2026-09-01"
    assert row["start_date"]
    with pytest.raises(OdooRefusedError, match="not in a state requiring confirmation"):
        odoo.call("sale.order", "action_confirm", [order])


def test_a_confirmed_orders_lines_stay(odoo: OdooClient, world: World) -> None:
    order = world.order({})
    (line,) = world.lines(order)
    with pytest.raises(OdooRefusedError, match="Set the quantity to 0 instead") as caught:
        odoo.call(LINE, "unlink", [line["id"]])
    assert caught.value.name == "odoo.exceptions.UserError"
    with pytest.raises(OdooRefusedError, match="You must first cancel it"):
        odoo.call("sale.order", "unlink", [order])


def test_a_drafts_lines_can_go(odoo: OdooClient, world: World) -> None:
    order = world.order({"price_unit": 3.0}, {"price_unit": 4.0}, confirm=False)
    first, _second = world.lines(order)
    odoo.call(LINE, "unlink", [first["id"]])
    assert world.read("sale.order", order, "amount_untaxed")["amount_untaxed"] == 4.0


@pytest.mark.parametrize("quantity", [1, 2])
def test_the_price_trap(odoo: OdooClient, world: World, quantity: int) -> None:
    """Writing a quantity alone, even the same, puts the price back to the pricelist's 0.01 …"""
    order = world.order({"price_unit": 0.5})
    (line,) = world.lines(order)
    odoo.write(LINE, [line["id"]], {"product_uom_qty": quantity})
    assert world.lines(order, "price_unit")[0]["price_unit"] == 0.01


def test_ways_around_the_price_trap(odoo: OdooClient, world: World) -> None:
    """… unless the price goes with it, or was written by itself before, or the line was made with
    technical_price_unit=-1; and a delivered quantity springs no trap."""
    order = world.order({"price_unit": 0.5}, {}, {"price_unit": 0.5, "technical_price_unit": -1})
    first, second, third = (row["id"] for row in world.lines(order))
    odoo.write(LINE, [second], {"price_unit": 0.5})
    odoo.write(LINE, [first, second, third], {"qty_delivered": 9})
    odoo.write(LINE, [first], {"product_uom_qty": 2, "price_unit": 0.5})
    odoo.write(LINE, [second, third], {"product_uom_qty": 2})
    assert [row["price_unit"] for row in world.lines(order, "price_unit")] == [0.5, 0.5, 0.5]


def test_quantities_are_rounded_and_prices_are_not(world: World) -> None:
    """decimal.precision "Product Unit" is 2 digits: 2.345 → 2.35, 0.004 → 0."""
    order = world.order()
    world.delivered(order, 0.0023, 2.345)
    world.delivered(order, 0.0023, 0.004)
    rows = world.lines(order, "qty_delivered", "price_unit", "product_uom_qty")
    assert [row["qty_delivered"] for row in rows] == [2.35, 0.0]
    assert [row["price_unit"] for row in rows] == [0.0023, 0.0023]
    assert [row["product_uom_qty"] for row in rows] == [0.0, 0.0]


def test_the_precisions_have_names(odoo: OdooClient) -> None:
    rows = odoo.search_read("decimal.precision", [], ["name", "digits"])
    digits = {row["name"]: row["digits"] for row in rows}
    assert (digits["Product Unit"], digits["Product Price"]) == (2, 2)


@pytest.fixture
def finer_units(odoo: OdooClient) -> Iterator[None]:
    """Six digits of quantity for the time of a test."""
    (usage,) = odoo.search_read("decimal.precision", [("name", "=", "Product Unit")], ["digits"])
    odoo.write("decimal.precision", [usage["id"]], {"digits": 6})
    yield
    odoo.write("decimal.precision", [usage["id"]], {"digits": usage["digits"]})


@pytest.mark.usefixtures("finer_units")
def test_a_raised_precision_keeps_small_quantities(world: World) -> None:
    """0.004321 × 1000 = 4.321 → 4.32, through to the invoice."""
    order = world.order()
    line = world.delivered(order, 1000.0, 0.004321)
    assert world.read(LINE, line, "qty_delivered")["qty_delivered"] == 0.004321
    world.invoice(order)
    assert world.moves(order, "amount_untaxed")[0]["amount_untaxed"] == 4.32


def test_writing_the_product_again_resets_the_name(odoo: OdooClient, world: World) -> None:
    order = world.order({"name": "My words"}, confirm=False)
    (line,) = world.lines(order, "name", "product_id")
    assert line["name"] == "My words"
    odoo.write(LINE, [line["id"]], {"product_id": line["product_id"]})
    assert world.lines(order, "name")[0]["name"] != "My words"


@pytest.mark.parametrize(
    ("values", "labels"),
    [
        ({"product_uom_qty": 5}, "Quantity"),
        ({"price_unit": 5.0}, "Unit Price"),
        ({"name": "n"}, "Description"),
        ({"product_uom_qty": 5, "price_unit": 1.0, "name": "x"}, "Description Unit Price Quantity"),
    ],
)
def test_a_locked_order_refuses(
    odoo: OdooClient, world: World, values: dict[str, object], labels: str
) -> None:
    order = world.order({})
    odoo.call("sale.order", "action_lock", [order])
    with pytest.raises(OdooRefusedError) as caught:
        odoo.write(LINE, [world.lines(order)[0]["id"]], values)
    assert str(caught.value) == (
        f"It is forbidden to modify the following fields in a locked order: {labels}"
    )


def test_a_locked_order_still_takes_deliveries_and_lines(odoo: OdooClient, world: World) -> None:
    order = world.order({})
    odoo.call("sale.order", "action_lock", [order])
    odoo.write(LINE, [world.lines(order)[0]["id"]], {"qty_delivered": 3})
    world.delivered(order, 2.0, 1)
    assert [row["qty_delivered"] for row in world.lines(order, "qty_delivered")] == [3.0, 1.0]
    with pytest.raises(OdooRefusedError, match="cannot cancel a locked order"):
        odoo.call("sale.order", "action_cancel", [order])
    odoo.call("sale.order", "action_unlock", [order])
    odoo.write(LINE, [world.lines(order)[0]["id"]], {"product_uom_qty": 7})


def test_a_cancelled_order_still_takes_lines(odoo: OdooClient, world: World) -> None:
    order = world.order({})
    odoo.call("sale.order", "action_cancel", [order])
    world.delivered(order, 2.0, 1)
    row = world.read("sale.order", order, "state", "invoice_status", "order_line")
    assert (row["state"], row["invoice_status"], len(row["order_line"])) == ("cancel", "no", 2)


def test_delivered_quantities_are_what_is_left_to_invoice(odoo: OdooClient, world: World) -> None:
    """2.35 × 0.7 = 1.645 → 1.65; the order line's own subtotal stays 0."""
    order = world.order()
    line = world.delivered(order, 0.7, 2.35)
    row = world.read(
        LINE,
        line,
        "price_subtotal",
        "qty_to_invoice",
        "untaxed_amount_to_invoice",
        "invoice_status",
        "qty_invoiced",
    )
    assert (row["price_subtotal"], row["qty_to_invoice"], row["qty_invoiced"]) == (0.0, 2.35, 0.0)
    assert (row["untaxed_amount_to_invoice"], row["invoice_status"]) == (1.65, "to invoice")
    assert world.read("sale.order", order, "invoice_status")["invoice_status"] == "to invoice"
    odoo.write(LINE, [line], {"qty_delivered": 0})
    assert world.read(LINE, line, "qty_to_invoice")["qty_to_invoice"] == 0.0


def test_many_lines_are_written_at_once(odoo: OdooClient, world: World) -> None:
    order = world.order()
    lines = [world.delivered(order, 1.0, 1), world.delivered(order, 1.0, 2)]
    odoo.call(
        LINE,
        "web_save_multi",
        lines,
        vals_list=[{"qty_delivered": 5}, {"qty_delivered": 6}],
        specification={},
    )
    assert [row["qty_delivered"] for row in world.lines(order, "qty_delivered")] == [5.0, 6.0]


def test_lines_without_order_or_product_are_refused(odoo: OdooClient, world: World) -> None:
    order = world.order({})
    with pytest.raises(OdooRefusedError, match="Expected singleton"):
        odoo.create(LINE, [{"product_id": world.usage}])
    with pytest.raises(OdooRefusedError, match=r"Missing required value .* 'Description' \(name\)"):
        odoo.create(LINE, [{"order_id": order}])


def test_a_delivered_line_keeps_its_product(odoo: OdooClient, world: World) -> None:
    order = world.order()
    line = world.delivered(order, 1.0, 1)
    with pytest.raises(OdooRefusedError, match="You cannot modify the product of this order line"):
        odoo.write(LINE, [line], {"product_id": world.base})


def test_a_variant_makes_its_template_and_shares_its_fields(world: World) -> None:
    product = world.product(
        name="Seats", default_code="S", invoice_policy="delivery", list_price=4.25
    )
    row = world.read(
        "product.product",
        product,
        "product_tmpl_id",
        "name",
        "list_price",
        "lst_price",
        "invoice_policy",
        "type",
        "active",
        "recurring_invoice",
        "display_name",
        "taxes_id",
    )
    template = world.read(
        "product.template", row["product_tmpl_id"], "name", "default_code", "product_variant_ids"
    )
    assert (row["name"], row["list_price"], row["lst_price"]) == ("Seats", 4.25, 4.25)
    assert (row["invoice_policy"], row["type"], row["active"]) == ("delivery", "service", True)
    assert (row["recurring_invoice"], row["display_name"]) == (False, "[S] Seats")
    assert len(row["taxes_id"]) == 1
    assert (template["name"], template["default_code"]) == ("Seats", "S")
    assert template["product_variant_ids"] == [product]
