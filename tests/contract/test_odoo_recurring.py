"""The stand-in for Enterprise's invoicing cron, on both servers."""

from __future__ import annotations

from datetime import date

import pytest
from odoo_world import World

from odoo_gateway.client import OdooClient
from sandbox.odoo.recurring import invoice_due

pytestmark = pytest.mark.odoo_real


@pytest.fixture(params=["order", "delivery"])
def base(request: pytest.FixtureRequest, world: World) -> int:
    """A recurring product, prepaid and on delivery."""
    return world.product(
        name="Base", invoice_policy=request.param, list_price=19.0, recurring_invoice=True
    )


def _subscription(world: World, base: int, start: str, first: str, **values: object) -> int:
    order = world.order(
        {"product_id": base, "product_uom_qty": 1, "price_unit": 29.0},
        plan_id=world.plan,
        confirm=False,
        **values,
    )
    world.client.call("sale.order", "action_confirm", [order])
    dates = {"start_date": start, "next_invoice_date": first}
    world.client.write("sale.order", [order], dates)
    return order


def _bills(world: World, order: int) -> list[tuple[str, float, str]]:
    rows = world.moves(order, "invoice_date", "amount_untaxed", "state")
    return [(row["invoice_date"], row["amount_untaxed"], row["state"]) for row in rows]


def test_base_once_a_period_and_usage_once(odoo: OdooClient, world: World, base: int) -> None:
    """Nothing before the date; 29.00 + 4 × 0.50 on it; 29.00 alone a month later."""
    order = _subscription(world, base, "2026-07-01", "2026-08-01")
    world.delivered(order, 0.5, 4)
    invoice_due(odoo, date(2026, 7, 31))
    assert _bills(world, order) == []
    made = invoice_due(odoo, date(2026, 8, 1))
    assert _bills(world, order) == [("2026-08-01", 31.0, "posted")]
    assert world.moves(order)[0]["id"] in made
    again = invoice_due(odoo, date(2026, 8, 31))  # other people's subscriptions may be due
    assert world.moves(order)[0]["id"] not in again
    assert _bills(world, order) == [("2026-08-01", 31.0, "posted")]
    invoice_due(odoo, date(2026, 9, 1))
    assert _bills(world, order)[1:] == [("2026-09-01", 29.0, "posted")]
    row = world.read("sale.order", order, "next_invoice_date")
    assert row["next_invoice_date"] == "2026-10-01"


def test_missed_periods_are_invoiced_one_by_one(odoo: OdooClient, world: World, base: int) -> None:
    order = _subscription(world, base, "2026-01-31", "2026-01-31")
    invoice_due(odoo, date(2026, 4, 29))
    assert _bills(world, order) == [
        ("2026-01-31", 29.0, "posted"),
        ("2026-02-28", 29.0, "posted"),
        ("2026-03-31", 29.0, "posted"),
    ]
    row = world.read("sale.order", order, "next_invoice_date")
    assert row["next_invoice_date"] == "2026-04-30"


def test_an_interrupted_run_is_finished_not_repeated(
    odoo: OdooClient, world: World, base: int
) -> None:
    """The wizard ran and nothing after it; then: posted, but the date had not moved."""
    order = _subscription(world, base, "2026-08-01", "2026-08-01")
    if world.read("product.product", base, "invoice_policy")["invoice_policy"] == "delivery":
        odoo.write("sale.order.line", [world.lines(order)[0]["id"]], {"qty_delivered": 1})
    world.invoice(order)
    invoice_due(odoo, date(2026, 8, 1))
    assert _bills(world, order) == [("2026-08-01", 29.0, "posted")]
    odoo.write("sale.order", [order], {"next_invoice_date": "2026-08-01"})
    invoice_due(odoo, date(2026, 8, 1))
    assert _bills(world, order) == [("2026-08-01", 29.0, "posted")]


def test_the_end_bills_the_last_usage_and_closes(odoo: OdooClient, world: World, base: int) -> None:
    order = _subscription(world, base, "2026-08-01", "2026-09-01", end_date="2026-09-01")
    world.delivered(order, 0.5, 4)
    if world.read("product.product", base, "invoice_policy")["invoice_policy"] == "order":
        # What was ordered is invoiced at once by Community: bill it with the first period.
        world.invoice(order)
        (move,) = world.moves(order)
        odoo.write("account.move", [move["id"]], {"invoice_date": "2026-08-01"})
        world.post(move["id"])
        expected = [("2026-08-01", 31.0, "posted")]
    else:
        expected = [("2026-09-01", 2.0, "posted")]
    invoice_due(odoo, date(2026, 9, 1))
    assert _bills(world, order) == expected
    row = world.read("sale.order", order, "subscription_state")
    assert row["subscription_state"] == "6_churn"


def test_only_what_is_in_progress_is_billed(odoo: OdooClient, world: World, base: int) -> None:
    paused = _subscription(world, base, "2026-08-01", "2026-08-01")
    odoo.write("sale.order", [paused], {"subscription_state": "4_paused"})
    cancelled = _subscription(world, base, "2026-08-01", "2026-08-01")
    odoo.call("sale.order", "action_cancel", [cancelled])
    invoice_due(odoo, date(2026, 8, 1))
    assert (_bills(world, paused), _bills(world, cancelled)) == ([], [])


def test_one_invoice_per_service(odoo: OdooClient, world: World, base: int) -> None:
    partner = world.partner()
    orders = [
        _subscription(world, base, "2026-08-01", "2026-08-01", partner_id=partner) for _ in range(2)
    ]
    invoice_due(odoo, date(2026, 8, 1))
    assert len({world.moves(order)[0]["id"] for order in orders}) == 2
