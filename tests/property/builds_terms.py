"""Steps: what happens to the orders of subscriptions."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import TypeVar

from builds_start import PLANS, STRANGERS, a_day, add_base_line, add_order
from builds_world import Record, World, step

ValueT = TypeVar("ValueT")
UNREADABLE = ("in July", "2025-02-30..2025-03-05", "2025-03-02..2025-03-01", "..")


def serving_order(world: World, where: Callable[[Record], object] = bool) -> Record | None:
    """An order that serves."""
    return world.a_record(
        "subscription",
        lambda order: (
            order["state"] == "sale"
            and order["subscription_state"] == "3_progress"
            and where(order)
        ),
    )


def changed(world: World, order: Record | None, **fields: object) -> str | None:
    if order is None or order | fields == order:
        return None
    world.save("subscription", order | fields)
    said = ", ".join(f"{name} {order[name]} → {value}" for name, value in fields.items())
    return f"{order['name']} ({order['x_fc_external_id']}): {said}"


def _unknown(world: World) -> list[tuple[str, str]]:
    known = {order["x_fc_external_id"] for order in world.records("subscription")}
    return [subscription for subscription in STRANGERS if subscription[1] not in known]


def other(world: World, values: tuple[ValueT, ...], than: object) -> ValueT:
    return world.chance.choice([value for value in values if value != than])


# --- orders come and go ------------------------------------------------------------------------


@step
def an_order_comes_after_its_usage(world: World) -> str | None:
    new = _unknown(world)
    if not new:
        return None
    subscription = world.chance.choice(new)
    order = add_order(world, subscription, a_day(world))
    add_base_line(world, order)
    return f"{order['name']} of {subscription[1]} from {order['start_date']}"


@step
def an_order_with_another_plan_follows(world: World) -> str | None:
    return _followed(world, lambda plan: other(world, PLANS, plan))


@step
def an_order_is_renewed(world: World) -> str | None:
    """On the same terms: its segment goes on, under the new order."""
    return _followed(world, lambda plan: plan)


def _followed(world: World, plan: Callable[[str], str]) -> str | None:
    order = serving_order(world, lambda one: one["end_date"] is None)
    if order is None:
        return None
    start = max(a_day(world, 50), date.fromisoformat(order["start_date"]) + timedelta(days=1))
    number = world.new_id("subscription")
    world.save(
        "subscription",
        {
            **order,
            "id": number,
            "name": f"S{number:05}",
            "start_date": start.isoformat(),
            "x_fc_plan_code": plan(order["x_fc_plan_code"]),
            "x_fc_trial_end": None,
        },
    )
    before = order | {"subscription_state": "5_renewed"}
    if world.chance.random() < 0.5:
        before["end_date"] = (start - timedelta(days=1)).isoformat()
    world.save("subscription", before)
    return f"{order['name']} ({order['x_fc_external_id']}) is followed on {start}"


@step
def an_order_is_cancelled(world: World) -> str | None:
    return changed(world, serving_order(world), state="cancel")


@step
def an_order_is_confirmed_after_all(world: World) -> str | None:
    order = world.a_record("subscription", lambda one: one["state"] == "cancel")
    return changed(world, order, state="sale")


@step
def an_order_is_deleted(world: World) -> str | None:
    order = serving_order(world)
    if order is None:
        return None
    world.remove("subscription", order)
    return str(order["name"])


@step
def an_order_was_an_upsell(world: World) -> str | None:
    return changed(world, serving_order(world), subscription_state="7_upsell")


# --- their days --------------------------------------------------------------------------------


@step
def an_end_is_set(world: World) -> str | None:
    order = serving_order(world, lambda one: one["end_date"] is None)
    return changed(world, order, end_date=a_day(world, 40).isoformat())


@step
def an_end_is_moved(world: World) -> str | None:
    order = serving_order(world, lambda one: one["end_date"])
    return changed(world, order, end_date=a_day(world, 60).isoformat())


@step
def an_end_is_removed(world: World) -> str | None:
    return changed(world, serving_order(world, lambda one: one["end_date"]), end_date=None)


@step
def a_start_is_moved(world: World) -> str | None:
    return changed(world, serving_order(world), start_date=a_day(world).isoformat())


@step
def a_trial_is_set(world: World) -> str | None:
    order = serving_order(world, lambda one: one["x_fc_trial_end"] is None)
    return changed(world, order, x_fc_trial_end=a_day(world, 50).isoformat())


@step
def a_trial_is_changed(world: World) -> str | None:
    order = serving_order(world, lambda one: one["x_fc_trial_end"])
    ends = (None, *(a_day(world, 60).isoformat() for _ in range(3)))
    return changed(world, order, x_fc_trial_end=world.chance.choice(ends))


def _pause(world: World) -> str:
    first = a_day(world, 60)
    last = world.chance.choice(("", first + timedelta(days=world.chance.randrange(40))))
    return f"{first}..{last}"


@step
def pauses_are_set(world: World) -> str | None:
    order = serving_order(world, lambda one: one["x_fc_pauses"] is None)
    spans = [_pause(world) for _ in range(world.chance.randint(1, 2))]
    return changed(world, order, x_fc_pauses=", ".join(spans))


@step
def pauses_are_changed(world: World) -> str | None:
    order = serving_order(world, lambda one: one["x_fc_pauses"])
    return changed(world, order, x_fc_pauses=world.chance.choice((None, _pause(world))))


@step
def pauses_cannot_be_read_any_more(world: World) -> str | None:
    order = serving_order(world, lambda one: one["x_fc_pauses"])
    return changed(world, order, x_fc_pauses=world.chance.choice(UNREADABLE))


# --- their terms -------------------------------------------------------------------------------


@step
def billing_time_is_switched(world: World) -> str | None:
    order = serving_order(world)
    if order is None:
        return None
    time = other(world, ("calendar", "anniversary"), order["x_fc_billing_time"])
    return changed(world, order, x_fc_billing_time=time)


@step
def a_plan_in_odoo_bills_at_another_interval(world: World) -> str | None:
    orders = world.records("subscription", lambda one: one["state"] == "sale")
    plan = world.a_record("plan", lambda one: one["id"] in {order["plan_id"] for order in orders})
    if plan is None:
        return None
    intervals = (("month", 1), ("month", 2), ("week", 1), ("week", 3), ("year", 1), ("month", 5))
    now = (plan["billing_period_unit"], plan["billing_period_value"])
    unit, value = other(world, intervals, now)
    world.save("plan", plan | {"billing_period_unit": unit, "billing_period_value": value})
    return f"plan {plan['id']}: {now} → {(unit, value)}"


@step
def an_order_is_of_another_plan_in_odoo(world: World) -> str | None:
    return changed(world, serving_order(world), plan_id=world.chance.randint(1, 4))


@step
def an_order_names_another_plan(world: World) -> str | None:
    order = serving_order(world)
    if order is None:
        return None
    return changed(world, order, x_fc_plan_code=other(world, PLANS, order["x_fc_plan_code"]))


@step
def an_order_names_another_subscription(world: World) -> str | None:
    """A slip in the id, mended: the usage of one stranger more is somebody's, and one's less."""
    order = serving_order(world)
    if order is None:
        return None
    service = order["x_fc_service_code"]
    names = [name for of_service, name in _unknown(world) if of_service == service]
    return changed(world, order, x_fc_external_id=names[0]) if names else None
