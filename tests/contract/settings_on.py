"""Settings and records that other tests must not meet: on for a block, and gone after it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from odoo_world import World


@contextmanager
def discounts(world: World) -> Iterator[None]:
    """The setting "Discounts" of the Sales app, as its box in Odoo's settings sets it."""
    everyone = _group(world, "base", "group_user")
    group = _group(world, "sale", "group_discount_per_so_line")
    world.client.write("res.groups", [everyone], {"implied_ids": [(4, group)]})
    try:
        yield
    finally:
        world.client.write("res.groups", [everyone], {"implied_ids": [(3, group)]})


def _group(world: World, module: str, name: str) -> int:
    domain = [("module", "=", module), ("name", "=", name)]
    return int(world.client.search_read("ir.model.data", domain, ["res_id"])[0]["res_id"])


@contextmanager
def pricelist(world: World, **rule: Any) -> Iterator[int]:
    """One of a single rule for all products, last in the list so that no customer takes it. Its
    orders go with it, and what was invoiced of them."""
    command = (0, 0, {"applied_on": "3_global", **rule})
    number = world.make("product.pricelist", name="Test", sequence=999, item_ids=[command])
    try:
        yield number
    finally:
        remove_orders(world, [("pricelist_id", "=", number)])
        world.client.call("product.pricelist", "unlink", [number])


@contextmanager
def included_tax(world: World, **values: Any) -> Iterator[int]:
    """13 %, in the price."""
    number = world.make(
        "account.tax",
        name="Test 13% included",
        amount=13.0,
        amount_type="percent",
        type_tax_use="sale",
        **{"price_include_override": "tax_included", **values},
    )
    try:
        yield number
    finally:
        remove_orders(world, [("order_line.tax_ids", "in", [number])])
        world.client.call("account.tax", "unlink", [number])


def remove_orders(world: World, domain: list[Any]) -> None:
    orders = [row["id"] for row in world.client.search_read("sale.order", domain, ["id"])]
    for order in orders:
        moves = [row["id"] for row in world.moves(order)]
        if moves:
            world.client.call("account.move", "unlink", moves)
    if orders:
        world.client.call("sale.order", "action_cancel", orders)
        world.client.call("sale.order", "unlink", orders)
