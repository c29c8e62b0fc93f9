"""Steps: what happens to charges, their tiers, variants and groups."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

from builds_start import MODELS, PLANS, a_day, add_charge, add_tiers, price, priced
from builds_world import Record, World, step

TIERED = ("graduated", "graduated_percentage", "volume")
FILTERS = (
    {"region": ["eu"]},
    {"region": ["us", "asia"]},
    {"region": ["__ALL_FILTER_VALUES__"]},
    {"region": ["eu", "us"], "cloud": ["aws"]},
    {"note": ["x"]},
)


def a_charge(world: World, where: Callable[[Record], object] = bool) -> Record | None:
    return world.a_record("charge", lambda one: one.get("x_metric_id") and where(one))


def changed(world: World, charge: Record | None, **fields: object) -> str | None:
    if charge is None or charge | fields == charge:
        return None
    world.save("charge", charge | fields)
    said = ", ".join(f"{name} {charge.get(name)} → {value}" for name, value in fields.items())
    return f"{name_of(charge)}: {said}"


def name_of(charge: Record) -> str:
    variant = charge.get("x_variant")
    return f"{charge['x_plan_code']}/{charge['x_code']}" + (f"/{variant}" if variant else "")


def _tiers(world: World, charge: Record) -> list[Record]:
    return world.records("charge_tier", lambda one: one["x_charge_id"] == charge["id"])


def siblings(world: World, charge: Record) -> list[Record]:
    """All that one charge is made of: its variants and versions."""
    same = ("x_plan_code", "x_code")
    return world.records("charge", lambda one: all(one[name] == charge[name] for name in same))


# --- prices ------------------------------------------------------------------------------------


@step
def a_price_is_edited_in_place(world: World) -> str | None:
    charge = a_charge(world, lambda one: one["x_charge_model"] in ("standard", "package"))
    return changed(world, charge, x_unit_price=price(world))


@step
def a_percentage_is_edited_in_place(world: World) -> str | None:
    charge = a_charge(world, lambda one: one["x_charge_model"] == "percentage")
    return changed(world, charge, x_rate=price(world), x_fixed_amount=price(world))


@step
def a_percentage_has_free_events(world: World) -> str | None:
    """Its metric is priced by single counters from now on."""
    charge = a_charge(
        world, lambda one: one["x_charge_model"] == "percentage" and not one["x_free_events"]
    )
    return changed(world, charge, x_free_events=world.chance.choice("123"))


@step
def a_charge_has_another_model(world: World) -> str | None:
    charge = a_charge(world)
    if charge is None:
        return None
    model = world.chance.choice([one for one in MODELS if one != charge["x_charge_model"]])
    for tier in _tiers(world, charge):
        world.remove("charge_tier", tier)
    if model in TIERED:
        add_tiers(world, charge["id"])
    return changed(world, charge, **priced(world, model))


@step
def a_new_version_begins(world: World) -> str | None:
    """The one before ends the day before, and prices the periods that began by then."""
    charge = a_charge(world, lambda one: not one["x_valid_to"] and not one["x_valid_from"])
    if charge is None:
        return None
    start = a_day(world, 50)
    new = {name: value for name, value in charge.items() if name != "id"}
    new |= {"x_valid_from": start.isoformat(), "x_unit_price": price(world)}
    new = world.save("charge", new | {"x_included": str(world.chance.randrange(20))})
    for tier in _tiers(world, charge):
        own = {name: value for name, value in tier.items() if name != "id"}
        prices = {"x_unit_price": price(world), "x_rate": price(world)}
        world.save("charge_tier", own | prices | {"x_charge_id": new["id"]})
    until = (start - timedelta(days=1)).isoformat()
    return changed(world, charge, x_valid_to=until)


@step
def a_charge_is_valid_for_a_while_only(world: World) -> str | None:
    charge = a_charge(world, lambda one: not one["x_valid_to"] and not one["x_valid_from"])
    return changed(
        world,
        charge,
        x_valid_from=a_day(world, 70).isoformat(),
        x_valid_to=(world.today - timedelta(days=10)).isoformat(),
    )


@step
def a_charge_is_removed(world: World) -> str | None:
    charge = a_charge(world)
    if charge is None:
        return None
    world.remove("charge", charge)
    return name_of(charge)


@step
def a_charge_is_added(world: World) -> str | None:
    """On a metric that the plan did not charge for."""
    charged = {(one["x_plan_code"], one.get("x_metric_id")) for one in world.records("charge")}
    missing = [
        (plan, metric)
        for plan in PLANS
        for metric in world.records("metric")
        if (plan, metric["id"]) not in charged
    ]
    if not missing:
        return None
    return name_of(add_charge(world, *world.chance.choice(missing)))


@step
def a_charge_has_another_code(world: World) -> str | None:
    """Every line of it has another key."""
    charge = a_charge(world)
    if charge is None:
        return None
    code = f"{charge['x_code']}_{world.chance.randrange(100)}"
    for one in siblings(world, charge):
        world.save("charge", one | {"x_code": code})
    return f"{name_of(charge)} → {code}"


# --- tiers -------------------------------------------------------------------------------------


def _tiered(world: World) -> Record | None:
    return a_charge(world, lambda one: one["x_charge_model"] in TIERED)


@step
def a_tier_is_edited(world: World) -> str | None:
    charge = _tiered(world)
    if charge is None:
        return None
    tier = _tiers(world, charge)[0]
    world.save(
        "charge_tier",
        tier | {"x_unit_price": price(world), "x_rate": price(world), "x_flat_amount": "7"},
    )
    return f"{name_of(charge)}, tier from {tier['x_from']}"


@step
def a_tier_is_added(world: World) -> str | None:
    """Below the first edge, where most usage is."""
    charge = _tiered(world)
    if charge is None:
        return None
    first = _tiers(world, charge)[0]
    edge = str(Decimal(first["x_to"] or 2) / 2)
    if edge == first["x_from"]:
        return None
    world.save("charge_tier", first | {"x_from": edge, "x_unit_price": price(world)})
    new = first | {"x_to": edge, "x_rate": price(world), "id": world.new_id("charge_tier")}
    world.save("charge_tier", new)
    return f"{name_of(charge)}, up to {edge}"


@step
def a_tier_is_removed(world: World) -> str | None:
    charge = _tiered(world)
    if charge is None:
        return None
    tiers = sorted(_tiers(world, charge), key=lambda one: Decimal(one["x_from"]))
    if len(tiers) < 2:
        return None
    world.remove("charge_tier", tiers[0])
    world.save("charge_tier", tiers[1] | {"x_from": "0"})
    return f"{name_of(charge)}, the one up to {tiers[0]['x_to']}"


# --- variants and groups -----------------------------------------------------------------------


@step
def a_filter_accepts_other_values(world: World) -> str | None:
    charge = a_charge(world, lambda one: one["x_filter"])
    return changed(world, charge, x_filter=json.dumps(world.chance.choice(FILTERS)))


@step
def a_variant_is_added(world: World) -> str | None:
    charge = a_charge(world, lambda one: not one["x_variant"] and not one["x_valid_from"])
    if charge is None or len(siblings(world, charge)) > 2:
        return None
    metric = world.odoo["metric"].get(charge["x_metric_id"])
    if metric is None:
        return None
    same = ("x_code", "x_prorated", "x_pricing_group_keys")
    new = add_charge(
        world,
        charge["x_plan_code"],
        metric,
        x_variant=f"v{world.new_id('charge')}",
        x_filter=json.dumps(world.chance.choice(FILTERS)),
        **{name: charge[name] for name in same},
    )
    return f"{name_of(new)}: {new['x_filter']}"


@step
def pricing_group_keys_are_changed(world: World) -> str | None:
    charge = a_charge(world)
    if charge is None:
        return None
    keys = [None, "region", "cloud", "region,cloud"]
    keys.remove(charge["x_pricing_group_keys"])
    for one in siblings(world, charge):
        world.save("charge", one | {"x_pricing_group_keys": world.chance.choice(keys[:1])})
    return f"{name_of(charge)}: {keys[0]}"
