"""What a price list, and a tax that is in the price, make of a line whose price is given."""

from __future__ import annotations

from typing import Any

import pytest
from odoo_world import World
from settings_on import discounts, included_tax, pricelist

from odoo_gateway.client import OdooClient

pytestmark = pytest.mark.odoo_real
LINE = "sale.order.line"
TENTH_OFF = {"compute_price": "percentage", "percent_price": 10.0}
FORMULA = {"compute_price": "formula", "price_discount": 20.0, "price_surcharge": 1.0}
FIXED = {"compute_price": "fixed", "fixed_price": 7.0}


def usage(world: World, **values: Any) -> int:
    return world.product(**{"invoice_policy": "delivery", "list_price": 2.0, **values})


def priced(
    world: World, order: int, product: int, price: float, quantity: float, **rest: Any
) -> int:
    """A usage line as the push makes it, of another product than the world's."""
    return world.make(
        LINE,
        order_id=order,
        product_id=product,
        product_uom_qty=0,
        qty_delivered=quantity,
        price_unit=price,
        **rest,
    )


def prices(world: World, order: int) -> list[tuple[float, float, float]]:
    names = ("price_unit", "discount", "untaxed_amount_to_invoice")
    return [tuple(row[name] for name in names) for row in world.lines(order, *names)]  # type: ignore[misc]


def test_a_line_takes_a_discount_though_its_price_is_given(world: World) -> None:
    """A tenth off, the setting on: 10 × 0.5 is invoiced at 4.50, unless the discount is given as
    well, or the product's own price is 0."""
    with discounts(world), pricelist(world, **TENTH_OFF) as tenth_off:
        order = world.order(pricelist_id=tenth_off)
        product = usage(world)
        priced(world, order, product, 0.5, 10)
        priced(world, order, product, 0.5, 10, discount=0)
        priced(world, order, usage(world, list_price=0.0), 0.5, 10)
        assert prices(world, order) == [(0.5, 10.0, 4.5), (0.5, 0.0, 5.0), (0.5, 0.0, 5.0)]
        world.invoice(order)
        assert world.moves(order, "amount_untaxed")[0]["amount_untaxed"] == 14.5


def test_a_discount_that_is_given_stays(odoo: OdooClient, world: World) -> None:
    """Delivered quantities and Odoo's invoice leave it; an ordered quantity, even with its price,
    brings the price list's back."""
    with discounts(world), pricelist(world, **TENTH_OFF) as tenth_off:
        order = world.order(pricelist_id=tenth_off)
        line = priced(world, order, usage(world), 0.5, 10, discount=0)
        odoo.write(LINE, [line], {"qty_delivered": 11})
        assert prices(world, order) == [(0.5, 0.0, 5.5)]
        odoo.write(LINE, [line], {"product_uom_qty": 4, "price_unit": 0.5})
        assert prices(world, order) == [(0.5, 10.0, 4.95)]


@pytest.mark.parametrize(
    "rule", [TENTH_OFF, FORMULA, FIXED], ids=lambda rule: rule["compute_price"]
)
def test_without_the_setting_no_rule_touches_a_price_that_is_given(
    world: World, rule: dict[str, Any]
) -> None:
    with pricelist(world, **rule) as chosen:
        order = world.order(pricelist_id=chosen)
        priced(world, order, usage(world), 0.5, 10)
        assert prices(world, order) == [(0.5, 0.0, 5.0)]


@pytest.mark.parametrize("rule", [FORMULA, FIXED], ids=lambda rule: rule["compute_price"])
def test_only_percentages_make_discounts(world: World, rule: dict[str, Any]) -> None:
    with discounts(world), pricelist(world, **rule) as chosen:
        order = world.order(pricelist_id=chosen)
        priced(world, order, usage(world), 0.5, 10)
        assert prices(world, order) == [(0.5, 0.0, 5.0)]


def test_what_a_line_costs_by_its_price_list(world: World) -> None:
    """Of 2.00: a tenth off is 1.80, or 2.00 with a discount shown; 20 % off and 1.00 on it is
    2.60; fixed is 7.00."""
    product = usage(world)
    found = {}
    for rule in (TENTH_OFF, FORMULA, FIXED):
        with pricelist(world, **rule) as chosen:
            order = world.order({"product_id": product}, pricelist_id=chosen, confirm=False)
            (row,) = world.lines(order, "price_unit", "discount")
            found[rule["compute_price"]] = (row["price_unit"], row["discount"])
    with discounts(world), pricelist(world, **TENTH_OFF) as chosen:
        order = world.order({"product_id": product}, pricelist_id=chosen, confirm=False)
        (row,) = world.lines(order, "price_unit", "discount")
        found["shown"] = (row["price_unit"], row["discount"])
    assert found == {
        "percentage": (1.8, 0.0),
        "formula": (2.6, 0.0),
        "fixed": (7.0, 0.0),
        "shown": (2.0, 10.0),
    }


def test_another_price_list_leaves_a_drafts_lines(odoo: OdooClient, world: World) -> None:
    """Until somebody presses "Update Prices"."""
    with discounts(world), pricelist(world, **TENTH_OFF) as tenth_off:
        line = {"product_id": usage(world), "price_unit": 0.5, "discount": 0, "product_uom_qty": 3}
        order = world.order(line, confirm=False)
        odoo.write("sale.order", [order], {"pricelist_id": tenth_off})
        (row,) = world.lines(order, "price_unit", "discount", "price_subtotal")
        assert (row["price_unit"], row["discount"], row["price_subtotal"]) == (0.5, 0.0, 1.5)


def test_a_tax_in_the_price_comes_out_of_it(world: World) -> None:
    """113 is 100 and 13 of tax: Odoo invoices 100 net."""
    with included_tax(world) as tax:
        product = usage(world, taxes_id=[(6, 0, [tax])])
        order = world.order({"product_id": product, "price_unit": 113.0})
        priced(world, order, product, 113.0, 1)
        first, second = world.lines(
            order, "price_subtotal", "price_total", "untaxed_amount_to_invoice", "tax_ids"
        )
        assert (first["price_subtotal"], first["price_total"]) == (100.0, 113.0)
        assert (second["price_subtotal"], second["untaxed_amount_to_invoice"]) == (0.0, 100.0)
        assert second["tax_ids"] == [tax]
        assert world.read("account.tax", tax, "price_include")["price_include"] is True
        world.invoice(order)
        (move,) = world.moves(order, "amount_untaxed", "amount_total")
        assert (move["amount_untaxed"], move["amount_total"]) == (100.0, 113.0)


def test_a_fiscal_position_puts_a_tax_into_the_price(odoo: OdooClient, world: World) -> None:
    """2.00 is 1.77 and 0.23 then; the price stays as it was given or listed."""
    product = usage(world)
    taxes = world.read("product.product", product, "taxes_id")["taxes_id"]
    position = world.make("account.fiscal.position", name="Test")
    try:
        replaced = {
            "fiscal_position_ids": [(6, 0, [position])],
            "original_tax_ids": [(6, 0, taxes)],
        }
        with included_tax(world, **replaced) as tax:
            order = world.order({"product_id": product}, fiscal_position_id=position, confirm=False)
            (row,) = world.lines(order, "price_unit", "price_subtotal", "price_total", "tax_ids")
            assert (row["price_unit"], row["tax_ids"]) == (2.0, [tax])
            assert (row["price_subtotal"], row["price_total"]) == (1.77, 2.0)
    finally:
        odoo.call("account.fiscal.position", "unlink", [position])
