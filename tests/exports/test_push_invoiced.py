"""From verified to invoiced: what Odoo made of the pushed lines, with their taxes."""

from __future__ import annotations

from decimal import Decimal

import pytest
import sqlalchemy as sa
from marts import Row
from pushing import OdooWorld, bill_lines, due, pushed
from sqlalchemy.engine import Engine

from exports.push_record import settle_invoiced
from exports.usage_lines import push
from ingest.odoo_mirror import BILLING, mirror

D = Decimal


def in_province(world: OdooWorld, code: str) -> int:
    """A confirmed order of a customer there."""
    (state,) = world.client.search_read(
        "res.country.state", [("code", "=", code), ("country_id", "=", world.country)], ["id"]
    )
    place = {"country_id": world.country, "state_id": state["id"]}
    (partner,) = world.client.create("res.partner", [{"name": f"Client in {code}", **place}])
    return world.orders(1, partner)[0]


def invoiced(world: OdooWorld, order: int) -> int:
    """The draft invoice that Odoo makes of what is due on the order."""
    wizard = {"sale_order_ids": [(6, 0, [order])], "advance_payment_method": "delivered"}
    ids = world.client.create("sale.advance.payment.inv", [wizard])
    world.client.call("sale.advance.payment.inv", "create_invoices", ids)
    (found,) = world.client.search_read("sale.order", [("id", "=", order)], ["invoice_ids"])
    return int(max(found["invoice_ids"]))


def settled(engine: Engine, world: OdooWorld, line: Row) -> Row:
    """The line's state after a pass of the mirror."""
    mirror(engine, world.client, BILLING)
    settle_invoiced(engine)
    return pushed(engine)[line["line_key"]]


@pytest.mark.parametrize(("province", "tax"), [("ON", "1.30"), ("QC", "1.50"), ("AB", "0.50")])
def test_a_line_is_invoiced_once_its_invoice_is_posted(
    fresh: Engine, world: OdooWorld, province: str, tax: str
) -> None:
    """10.00 at 13 % HST, at 5 % GST + 9.975 % QST, at 5 % GST; a draft is not yet an invoice."""
    order = in_province(world, province)
    (line,) = bill_lines(fresh, world, due(order, "100", "0.10"))
    push(fresh, world.client, database="here")
    verified = pushed(fresh)[line["line_key"]]
    assert (verified["state"], verified["subtotal"], verified["tax"]) == ("verified", 10, D(tax))
    move = invoiced(world, order)
    assert settled(fresh, world, line)["state"] == "verified"
    world.client.call("account.move", "action_post", [move])
    found = settled(fresh, world, line)
    assert (found["state"], found["problem"], found["reason"]) == ("invoiced", None, None)
    assert push(fresh, world.client, database="here").pending == 0


def test_a_credit_is_invoiced_as_a_credit_note(fresh: Engine, world: OdooWorld) -> None:
    order = in_province(world, "ON")
    (line,) = bill_lines(fresh, world, due(order, "-100", "0.10", reason="correction"))
    push(fresh, world.client, database="here")
    world.client.call("account.move", "action_post", [invoiced(world, order)])
    assert settled(fresh, world, line)["state"] == "invoiced"


def test_an_invoice_altered_before_posting_differs_and_is_left_alone(
    fresh: Engine, world: OdooWorld
) -> None:
    order = in_province(world, "ON")
    (line,) = bill_lines(fresh, world, due(order, "100", "0.10"))
    push(fresh, world.client, database="here")
    move = invoiced(world, order)
    (found,) = world.client.search_read(
        "account.move.line", [("move_id", "=", move), ("display_type", "=", "product")], ["id"]
    )
    world.client.write("account.move.line", [found["id"]], {"price_unit": 0.09})
    world.client.call("account.move", "action_post", [move])
    state = settled(fresh, world, line)
    assert (state["state"], state["problem"]) == ("verified", "invoiced_differently")
    assert "9" in state["reason"]
    assert "10.00" in state["reason"]
    assert push(fresh, world.client, database="here").pending == 0


def test_another_tax_on_the_invoice_is_named(fresh: Engine, world: OdooWorld) -> None:
    order = in_province(world, "ON")
    (line,) = bill_lines(fresh, world, due(order, "100", "0.10"))
    push(fresh, world.client, database="here")
    world.client.call("account.move", "action_post", [invoiced(world, order)])
    with fresh.begin() as connection:
        connection.execute(sa.text("update ops.odoo_push set tax = 0.50"))
    state = settled(fresh, world, line)
    assert (state["state"], state["problem"]) == ("verified", "tax_differs")
    assert "1.3" in state["reason"]
    assert "0.50" in state["reason"]


def test_an_invoice_that_goes_takes_its_state_along(fresh: Engine, world: OdooWorld) -> None:
    order = in_province(world, "ON")
    (line,) = bill_lines(fresh, world, due(order, "100", "0.10"))
    push(fresh, world.client, database="here")
    move = invoiced(world, order)
    world.client.call("account.move", "action_post", [move])
    assert settled(fresh, world, line)["state"] == "invoiced"
    world.client.call("account.move", "button_draft", [move])
    world.client.call("account.move", "button_cancel", [move])
    assert settled(fresh, world, line)["state"] == "verified"
