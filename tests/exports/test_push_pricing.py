"""What finance sets up for its own prices must not change what the ledger bills."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import pytest
import sqlalchemy as sa
from odoo_world import World
from pushing import OdooWorld, bill_lines, decided, due, pushed
from settings_on import discounts, included_tax, pricelist
from sqlalchemy.engine import Engine
from test_push import invoice
from test_push_phases import draft_lines, drafts

from exports.usage_lines import push

D = Decimal


@pytest.fixture(scope="module")
def makers(world: OdooWorld) -> World:
    return World(world.client)


@pytest.fixture
def tenth_off(makers: World) -> Iterator[int]:
    """The setting "Discounts" is on, and a price list takes 10 % off everything."""
    rule = {"compute_price": "percentage", "percent_price": 10.0}
    with discounts(makers), pricelist(makers, **rule) as number:
        yield number


def use(engine: Engine, product: int) -> None:
    with engine.begin() as connection:
        statement = sa.text("update marts.dim_charge set odoo_product_id = :product")
        connection.execute(statement, {"product": product})


def test_a_price_lists_discount_is_not_on_usage(
    fresh: Engine, world: OdooWorld, makers: World, tenth_off: int
) -> None:
    """30 × 0.12 is invoiced at 3.60 and not at 3.24."""
    order = makers.order(partner_id=world.partner, pricelist_id=tenth_off)
    (line,) = bill_lines(fresh, world, due(order, "30", "0.12"))
    use(fresh, makers.product(invoice_policy="delivery", list_price=2.0))
    assert push(fresh, world.client, database="here").verified == 1
    assert pushed(fresh)[line["line_key"]]["subtotal"] == D("3.60")
    assert invoice(world, order) == ("out_invoice", D("3.60"))


def test_a_price_lists_discount_is_not_on_drafts(
    fresh: Engine, world: OdooWorld, makers: World, tenth_off: int
) -> None:
    decided(fresh, "dual_run")
    order = makers.order(partner_id=world.partner, pricelist_id=tenth_off)
    (line,) = bill_lines(fresh, world, due(order, "30", "0.12"))
    use(fresh, makers.product(invoice_policy="delivery", list_price=2.0))
    assert push(fresh, world.client, database="here").drafted == 1
    (draft,) = drafts(world, line)
    assert draft["pricelist_id"] == tenth_off
    assert draft_lines(world, draft["id"])[0]["price_subtotal"] == 3.6


@pytest.mark.parametrize("phase", ["live", "dual_run"])
def test_a_tax_in_the_price_is_refused_before_anything_is_made(
    fresh: Engine, world: OdooWorld, makers: World, phase: str
) -> None:
    """113.00 would be invoiced as 100.00 and 13.00. Mended in Odoo, the next push takes it."""
    decided(fresh, phase)
    with included_tax(makers) as tax:
        order = makers.order(partner_id=world.partner)
        (line,) = bill_lines(fresh, world, due(order, "113", "1"))
        product = makers.product(invoice_policy="delivery", taxes_id=[(6, 0, [tax])])
        use(fresh, product)
        assert push(fresh, world.client, database="here").refused == 1
        found = pushed(fresh)[line["line_key"]]
        assert (found["state"], found["problem"]) == ("refused", "tax_included")
        assert "Test 13% included of product" in found["reason"]
        assert "set the tax to `Tax excluded`" in found["reason"]
        assert (world.lines(order), drafts(world, line)) == ([], [])

        world.client.write("account.tax", [tax], {"price_include_override": "tax_excluded"})
        result = push(fresh, world.client, database="here")
        assert (result.verified + result.drafted, result.refused) == (1, 0)
        assert pushed(fresh)[line["line_key"]]["tax"] == D("14.69")


def test_a_fiscal_position_that_puts_tax_into_the_price_is_refused(
    fresh: Engine, world: OdooWorld, makers: World
) -> None:
    """The product's own tax is on top of its price."""
    taxes = makers.read("product.product", world.product, "taxes_id")["taxes_id"]
    (position,) = world.client.create("account.fiscal.position", [{"name": "Test"}])
    replaced = {"fiscal_position_ids": [(6, 0, [position])], "original_tax_ids": [(6, 0, taxes)]}
    with included_tax(makers, **replaced):
        order = makers.order(partner_id=world.partner, fiscal_position_id=position)
        (line,) = bill_lines(fresh, world, due(order))
        push(fresh, world.client, database="here")
        found = pushed(fresh)[line["line_key"]]
        assert (found["state"], found["problem"]) == ("refused", "tax_included")


@pytest.mark.parametrize("phase", ["live", "dual_run"])
def test_a_standing_line_with_a_tax_in_its_price_differs(
    fresh: Engine, world: OdooWorld, makers: World, phase: str
) -> None:
    """The tax was changed after the line was made: what Odoo will invoice is told, 100.00."""
    decided(fresh, phase)
    with included_tax(makers, price_include_override="tax_excluded") as tax:
        order = makers.order(partner_id=world.partner)
        (line,) = bill_lines(fresh, world, due(order, "113", "1"))
        use(fresh, makers.product(invoice_policy="delivery", taxes_id=[(6, 0, [tax])]))
        push(fresh, world.client, database="here")
        with fresh.begin() as connection:
            connection.execute(sa.text("update ops.odoo_push set state = 'sent'"))
        world.client.write("account.tax", [tax], {"price_include_override": "tax_included"})
        touch(world, line["line_key"])
        assert push(fresh, world.client, database="here").differs == 1
        found = pushed(fresh)[line["line_key"]]
        assert found["problem"] == "tax_included"
        assert (found["subtotal"], found["tax"]) == (D("100.00"), D("13.00"))


def touch(world: OdooWorld, key: str) -> None:
    """Odoo works out a line's amounts again when it is written, not when its tax is."""
    (line,) = world.client.search_read(
        "sale.order.line", [("x_fc_line_key", "=", key)], ["tax_ids"]
    )
    world.client.write("sale.order.line", [line["id"]], {"tax_ids": [(6, 0, line["tax_ids"])]})
