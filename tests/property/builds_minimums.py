"""Steps: what happens to quotas, minimums, and what counts towards them."""

from __future__ import annotations

from builds_prices import a_charge, changed, name_of, siblings
from builds_start import PLANS, add_base_line
from builds_world import Record, World, step


@step
def a_quota_is_changed(world: World) -> str | None:
    return changed(world, a_charge(world), x_included=str(world.chance.randint(1, 60)))


@step
def a_minimum_of_a_charge_is_changed(world: World) -> str | None:
    charge = a_charge(world, lambda one: not one["x_variant"])
    amounts = (None, "25", str(world.chance.randint(30, 900)))
    return changed(world, charge, x_min_amount=world.chance.choice(amounts))


@step
def a_charge_is_prorated_or_no_longer(world: World) -> str | None:
    recurring = {one["id"] for one in world.records("metric", lambda one: one["x_recurring"])}
    charge = a_charge(world, lambda one: one["x_metric_id"] in recurring)
    if charge is None:
        return None
    for one in siblings(world, charge):
        world.save("charge", one | {"x_prorated": not charge["x_prorated"]})
    return f"{name_of(charge)}: {not charge['x_prorated']}"


def _commitment(world: World, plan: str) -> Record | None:
    return world.a_record(
        "charge",
        lambda one: one["x_charge_model"] == "minimum_commitment" and one["x_plan_code"] == plan,
    )


@step
def a_minimum_commitment_is_added(world: World) -> str | None:
    for plan in PLANS:
        if _commitment(world, plan) is None:
            world.save(
                "charge",
                {
                    "x_name": "Minimum",
                    "x_code": "minimum_commitment",
                    "x_plan_code": plan,
                    "x_charge_model": "minimum_commitment",
                    "x_currency": "CAD",
                    "x_min_amount": str(world.chance.randint(50, 2000)),
                },
            )
            return plan
    return None


@step
def a_minimum_commitment_is_changed(world: World) -> str | None:
    charge = _commitment(world, PLANS[0])
    return changed(world, charge, x_min_amount=str(world.chance.randint(500, 9000)))


@step
def a_minimum_commitment_is_removed(world: World) -> str | None:
    charge = _commitment(world, world.chance.choice(PLANS))
    if charge is None:
        return None
    world.remove("charge", charge)
    return str(charge["x_plan_code"])


@step
def a_base_fee_is_changed(world: World) -> str | None:
    """Of a plan with a commitment, towards which it counts."""
    committed = {one["x_plan_code"] for one in world.records("charge") if "x_metric_id" not in one}
    orders = {
        one["id"]
        for one in world.records("subscription", lambda one: one["state"] == "sale")
        if one["x_fc_plan_code"] in committed
    }
    line = world.a_record("base_line", lambda one: one["order_id"] in orders)
    if line is None:
        return None
    if world.chance.random() < 0.3:
        added = add_base_line(world, {"id": line["order_id"]})
        return f"a line of {added['price_unit']} on order {line['order_id']}"
    fields = world.chance.choice(
        ({"price_unit": str(world.chance.randint(61, 90))}, {"discount": "10"})
    )
    world.save("base_line", line | fields)
    return f"order {line['order_id']}: {fields}"


@step
def a_product_is_recurring_or_no_longer(world: World) -> str | None:
    product = world.a_record("product")
    if product is None:
        return None
    world.save("product", product | {"recurring_invoice": not product["recurring_invoice"]})
    return f"product {product['id']}: {not product['recurring_invoice']}"
