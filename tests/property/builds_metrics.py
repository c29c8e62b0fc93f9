"""Steps: what happens to metrics: the roll-ups are made of them, and the prices."""

from __future__ import annotations

import json
from collections.abc import Callable

from builds_start import PLANS, UNHEARD, add_charge
from builds_world import Record, World, step


def _changed(world: World, metric: Record | None, **fields: object) -> str | None:
    if metric is None or metric | fields == metric:
        return None
    world.save("metric", metric | fields)
    said = ", ".join(f"{name} {metric[name]} → {value}" for name, value in fields.items())
    return f"{metric['x_code']}: {said}"


def _charged(world: World, where: Callable[[Record], object] = bool) -> Record | None:
    charged = {one.get("x_metric_id") for one in world.records("charge")}
    return world.a_record("metric", lambda one: one["id"] in charged and where(one))


@step
def a_metric_adds_up_otherwise(world: World) -> str | None:
    aggregations = ("sum", "count", "max", "last")
    metric = _charged(world, lambda one: one["x_aggregation"] in aggregations)
    return _changed(world, metric, x_aggregation=world.chance.choice(aggregations))


@step
def a_metric_counts_members(world: World) -> str | None:
    """It needs its single counters, or no longer does."""
    metric = _charged(world, lambda one: one["x_code"] in ("agents", "lookups", "tokens"))
    if metric is None:
        return None
    aggregation = "sum" if metric["x_aggregation"] == "unique" else "unique"
    return _changed(world, metric, x_aggregation=aggregation)


@step
def a_metric_reads_another_field(world: World) -> str | None:
    metric = _charged(world, lambda one: one["x_code"] in ("tokens", "agents", "members"))
    if metric is None:
        return None
    field = "region" if metric["x_field_name"] == "agent_id" else "agent_id"
    return _changed(world, metric, x_field_name=field)


@step
def a_metric_is_rounded_otherwise(world: World) -> str | None:
    return _changed(
        world,
        _charged(world),
        x_rounding_function=world.chance.choice(("ceil", "floor", "round")),
        x_rounding_precision=world.chance.choice(("0", "-1", "1")),
    )


@step
def a_metric_is_recurring_or_no_longer(world: World) -> str | None:
    metric = _charged(world, lambda one: one["x_aggregation"] in ("sum", "unique", "weighted_sum"))
    if metric is None:
        return None
    return _changed(world, metric, x_recurring=not metric["x_recurring"])


@step
def a_metric_knows_other_filter_values(world: World) -> str | None:
    """`__ALL_FILTER_VALUES__` are those that the metric knows."""
    open_filters = {
        one.get("x_metric_id")
        for one in world.records("charge")
        if "__ALL" in (one.get("x_filter") or "")
    }
    metric = _charged(world, lambda one: one["id"] in open_filters)
    known = world.chance.choice((["eu"], ["us", "asia", "moon"], ["eu", "us", "asia"]))
    return _changed(world, metric, x_metric_filters=json.dumps({"region": known}))


@step
def a_metric_becomes_known(world: World) -> str | None:
    if world.records("metric", lambda one: one["x_code"] == UNHEARD):
        return None
    like = world.a_record("metric", lambda one: one["x_code"] == "messages")
    if like is None:
        return None
    new = {name: value for name, value in like.items() if name != "id"}
    metric = world.save("metric", new | {"x_code": UNHEARD, "x_name": "Unheard"})
    return str(add_charge(world, world.chance.choice(PLANS), metric)["x_code"])


@step
def a_metric_is_removed(world: World) -> str | None:
    """Its charges are no charges any more."""
    metric = _charged(world)
    if metric is None:
        return None
    world.remove("metric", metric)
    return str(metric["x_code"])


@step
def a_metric_has_another_code(world: World) -> str | None:
    """Its counters are of an unknown metric, until it has its code again."""
    metric = _charged(world)
    if metric is None:
        return None
    code = metric["x_code"]
    renamed = code.removesuffix("_2") if code.endswith("_2") else f"{code}_2"
    return _changed(world, metric, x_code=renamed)


@step
def a_charge_is_for_another_metric(world: World) -> str | None:
    """Two charges of a plan change their metrics."""
    plan = world.chance.choice(PLANS)
    charges = world.records(
        "charge", lambda one: one["x_plan_code"] == plan and one.get("x_metric_id")
    )
    metrics = sorted({one["x_metric_id"] for one in charges})
    if len(metrics) < 2:
        return None
    one, other = world.chance.sample(metrics, 2)
    for charge in charges:
        if charge["x_metric_id"] in (one, other):
            world.save(
                "charge", charge | {"x_metric_id": other if charge["x_metric_id"] == one else one}
            )
    return f"{plan}: metrics {one} and {other}"
