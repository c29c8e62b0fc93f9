"""Steps: whose a subscription is: its account, its customer, and the link between the two."""

from __future__ import annotations

from builds_start import ACCOUNTS, PARTNERS
from builds_terms import changed, other, serving_order
from builds_world import Record, World, step


@step
def an_order_names_another_account(world: World) -> str | None:
    account = world.chance.randrange(len(ACCOUNTS))
    return changed(
        world,
        serving_order(world),
        x_fc_external_account_id=ACCOUNTS[account],
        partner_id=PARTNERS[account % len(PARTNERS)],
    )


@step
def an_order_is_of_another_customer(world: World) -> str | None:
    """Whom the link of its account does not name."""
    order = serving_order(world)
    if order is None:
        return None
    return changed(world, order, partner_id=other(world, PARTNERS, order["partner_id"]))


def _link(world: World) -> Record | None:
    """One that links somebody."""
    linked = {
        (order["x_fc_service_code"], order["x_fc_external_account_id"])
        for order in world.records("subscription", lambda one: one["state"] == "sale")
    }
    return world.a_record(
        "account_link",
        lambda one: (one["x_service_code"], one["x_external_account_id"]) in linked,
    )


@step
def an_account_link_is_removed(world: World) -> str | None:
    link = _link(world)
    if link is None:
        return None
    world.remove("account_link", link)
    return f"{link['x_service_code']}:{link['x_external_account_id']}"


@step
def an_account_link_is_added(world: World) -> str | None:
    linked = {
        (link["x_service_code"], link["x_external_account_id"])
        for link in world.records("account_link")
    }
    order = serving_order(
        world,
        lambda one: (one["x_fc_service_code"], one["x_fc_external_account_id"]) not in linked,
    )
    if order is None:
        return None
    world.save(
        "account_link",
        {
            "x_service_code": order["x_fc_service_code"],
            "x_external_account_id": order["x_fc_external_account_id"],
            "x_partner_id": order["partner_id"],
        },
    )
    return f"{order['x_fc_service_code']}:{order['x_fc_external_account_id']}"


@step
def an_account_link_names_another_partner(world: World) -> str | None:
    link = _link(world)
    if link is None:
        return None
    world.save(
        "account_link", link | {"x_partner_id": other(world, PARTNERS, link["x_partner_id"])}
    )
    return f"{link['x_service_code']}:{link['x_external_account_id']}"
