"""Tiny prices and huge quantities: what Odoo invoices is the ledger's amount to the cent, on the
double and on the real Odoo that ODOO_TEST_URL names."""

from __future__ import annotations

import random
from collections.abc import Iterator
from decimal import Decimal

import pytest
from odoo_world import Server
from pushing import OdooWorld, bill_lines, due, pushed
from servers import MAKERS, choices
from sqlalchemy.engine import Engine

from exports.usage_lines import push
from odoo_gateway.bootstrap import bootstrap
from warehouse.settings import OdooTransport

pytestmark = pytest.mark.odoo_real
D = Decimal
LINES = 60


@pytest.fixture(scope="module", params=choices(OdooTransport.JSONRPC), ids="-".join)
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    where, transport = request.param
    with MAKERS[where](transport) as server:
        bootstrap(server.connect())
        yield server


def a_price(dice: random.Random) -> str:
    """From 0.000000000001 to 999.99, mostly tiny."""
    digits = dice.choice((2, 2, 4, 6, 9, 12))
    return f"{dice.randint(1, 10 ** dice.randint(1, 5)) / D(10) ** digits:f}"


def a_quantity(dice: random.Random) -> str:
    """Up to a billion, some with six decimals."""
    whole = dice.randint(0, 10 ** dice.randint(1, 9))
    return f"{whole}.{dice.randint(1, 999_999):06}" if dice.random() < 0.4 else f"{whole + 1}"


@pytest.mark.parametrize("seed", range(4))
def test_what_odoo_invoices_is_what_the_ledger_says(
    fresh: Engine, server: Server, seed: int
) -> None:
    dice = random.Random(seed)
    world = OdooWorld.make(server.connect())
    order = world.order()
    lines = bill_lines(
        fresh, world, *(due(order, a_quantity(dice), a_price(dice)) for _ in range(LINES))
    )
    result = push(fresh, world.client, database="here")
    assert (result.verified, result.differs, result.refused) == (LINES, 0, 0), result.reasons
    recorded = pushed(fresh)
    for line in lines:
        assert recorded[line["line_key"]]["subtotal"] == line["amount"], line

    wizard = {"sale_order_ids": [(6, 0, [order])], "advance_payment_method": "delivered"}
    ids = world.client.create("sale.advance.payment.inv", [wizard])
    world.client.call("sale.advance.payment.inv", "create_invoices", ids)
    standing = {record["id"]: record["x_fc_line_key"] for record in world.lines(order)}
    (found,) = world.client.search_read("sale.order", [("id", "=", order)], ["invoice_ids"])
    invoiced = {
        standing[record["sale_line_ids"][0]]: D(str(record["price_subtotal"]))
        for record in world.client.search_read(
            "account.move.line",
            [("move_id", "in", found["invoice_ids"]), ("display_type", "=", "product")],
            ["price_subtotal", "sale_line_ids"],
        )
    }
    wanted = {line["line_key"]: line["amount"] for line in lines}
    assert {key: amount for key, amount in wanted.items() if amount} == {
        key: amount for key, amount in invoiced.items() if amount
    }
    (move,) = world.client.search_read(
        "account.move", [("id", "in", found["invoice_ids"])], ["amount_untaxed"]
    )
    assert D(str(move["amount_untaxed"])) == sum(wanted.values())
