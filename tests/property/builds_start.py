"""How a warehouse's life begins: two services, ten subscriptions, a charge of every plan on
every metric, and a quarter's usage, some of it of nobody's."""

from __future__ import annotations

import json
from datetime import date, timedelta
from decimal import Decimal

from builds_world import Counter, Record, World

FIRST = date(2025, 1, 1)
SERVICES = ("nexadesk", "nexamaps")
# How often a plan of Odoo bills, and what a plan of ours charges: any with any.
INTERVALS = (("month", 1), ("month", 3), ("week", 2), ("month", 1))
PLANS = ("small", "large")
ACCOUNTS = tuple(f"account{number}" for number in range(1, 7))
PARTNERS = (1, 2, 3)
# The ids of the two services are the same: only together with its service is an id somebody.
SUBSCRIPTIONS = tuple((service, f"s{number}") for number in range(1, 6) for service in SERVICES)
# Usage comes before the order does.
STRANGERS = (("nexadesk", "s91"), ("nexamaps", "s92"), ("nexadesk", "s93"))
# Code: (aggregation, kind, fields of the metric).
METRICS: dict[str, tuple[str, str, Record]] = {
    "messages": ("sum", "delta", {}),
    "tokens": ("sum", "event", {"x_rounding_function": "ceil", "x_rounding_precision": "-1"}),
    "meter": ("sum", "cumulative", {}),
    "lookups": ("count", "event", {}),
    "storage": ("max", "delta", {}),
    "seats": ("last", "delta", {}),
    "agents": ("unique", "event", {"x_field_name": "agent_id"}),
    "licences": ("sum", "delta", {"x_recurring": True}),
    "members": ("unique", "event", {"x_field_name": "agent_id", "x_recurring": True}),
    "disk": ("weighted_sum", "delta", {"x_recurring": True}),
}
UNHEARD = "unheard"
MODELS = ("standard", "package", "graduated", "graduated_percentage", "volume", "percentage")
REGIONS = ("eu", "us", "asia")
MEMBERS = ("ann", "bob", "cem")


# --- usage -------------------------------------------------------------------------------------


def kind_of(code: str) -> str:
    return METRICS[code][1] if code in METRICS else "delta"


def used(world: World, subscription: tuple[str, str], code: str, day: date) -> Counter:
    """A counter, event or reading as the app of that metric sends it."""
    chance, kind = world.chance, kind_of(code)
    value: object = chance.choice((chance.randrange(40), Decimal(chance.randrange(9999)) / 100))
    properties = {}
    if kind != "cumulative" and chance.random() < 0.6:
        properties["region"] = chance.choice(REGIONS)
    if kind != "cumulative" and chance.random() < 0.3:
        properties["cloud"] = chance.choice(("aws", "gcp"))
    cents = None
    if kind == "cumulative":
        # A meter that mostly rises, whenever its readings come.
        value = (day - FIRST).days * 10 + chance.randrange(30)
    elif kind == "event":
        properties["value"], value = str(value), None
        properties["agent_id"] = chance.choice(MEMBERS)
        properties["operation_type"] = chance.choice(("add", "add", "remove"))
        cents = Decimal(chance.randrange(90_000)) / 1000
    return world.counter(
        subscription, code, day, value, kind=kind, properties=properties, cents=cents
    )


def a_day(world: World, before_today: int = 75) -> date:
    return world.today - timedelta(days=world.chance.randrange(before_today))


# --- Odoo --------------------------------------------------------------------------------------


def price(world: World) -> str:
    return str(Decimal(world.chance.randrange(1, 90_000)) / 10_000)


def add_tiers(world: World, charge_id: int) -> None:
    edges = sorted(world.chance.sample(range(2, 60), 2))
    for start, end in zip([0, *edges], [*edges, None], strict=True):
        world.save(
            "charge_tier",
            {
                "x_charge_id": charge_id,
                "x_from": str(start),
                "x_to": None if end is None else str(end),
                "x_unit_price": price(world),
                "x_flat_amount": world.chance.choice(("0", "5", "0.3333")),
                "x_rate": price(world),
            },
        )


def priced(world: World, model: str) -> Record:
    """The fields of a pricing model, those of every other one unset."""
    fields: Record = dict.fromkeys(
        ("x_package_size", "x_free_units", "x_rate", "x_fixed_amount", "x_free_events")
    )
    fields |= {"x_charge_model": model, "x_unit_price": price(world)}
    if model == "package":
        fields |= {"x_package_size": str(world.chance.randint(2, 20)), "x_free_units": "3"}
    elif model == "percentage":
        free = world.chance.choice((None, "2"))
        fields |= {"x_rate": price(world), "x_fixed_amount": "0.5", "x_free_events": free}
    return fields


def add_charge(world: World, plan: str, metric: Record, **fields: object) -> Record:
    """A charge with its tiers, of a model that fits the metric."""
    models = MODELS if metric["x_code"] != "tokens" else (*MODELS, "dynamic", "dynamic")
    charge = world.save(
        "charge",
        {
            "x_name": metric["x_code"].title(),
            "x_code": metric["x_code"],
            "x_plan_code": plan,
            "x_metric_id": metric["id"],
            "x_variant": None,
            "x_currency": "CAD",
            "x_included": str(world.chance.choice((0, 0, 5, 30))),
            "x_filter": None,
            "x_pricing_group_keys": None,
            "x_prorated": None,
            "x_min_amount": None,
            "x_valid_from": None,
            "x_valid_to": None,
            **priced(world, world.chance.choice(models)),
            **fields,
        },
    )
    if charge["x_charge_model"] in ("graduated", "graduated_percentage", "volume"):
        add_tiers(world, charge["id"])
    return charge


def add_catalogue(world: World) -> None:
    chance = world.chance
    for code, (aggregation, _, fields) in METRICS.items():
        metric = {
            "x_name": code.title(),
            "x_code": code,
            "x_aggregation": aggregation,
            "x_field_name": "value",
            "x_recurring": False,
            "x_rounding_function": None,
            "x_rounding_precision": None,
            "x_metric_filters": json.dumps({"region": REGIONS, "cloud": ["aws", "gcp"]}),
        }
        metric = world.save("metric", metric | fields)
        for plan in PLANS:
            shared = {
                "x_prorated": metric["x_recurring"] and chance.random() < 0.6,
                "x_pricing_group_keys": chance.choice((None, None, None, "region")),
            }
            add_charge(
                world,
                plan,
                metric,
                x_min_amount=chance.choice((None, None, None, price(world))),
                **shared,
            )
            if chance.random() < 0.3:
                accepted = json.dumps(
                    {"region": chance.choice((["eu"], ["__ALL_FILTER_VALUES__"]))}
                )
                add_charge(world, plan, metric, x_variant="v1", x_filter=accepted, **shared)
    world.save(
        "charge",
        {
            "x_name": "Minimum",
            "x_code": "minimum_commitment",
            "x_plan_code": PLANS[0],
            "x_charge_model": "minimum_commitment",
            "x_currency": "CAD",
            "x_min_amount": "4000",
        },
    )


def add_order(world: World, subscription: tuple[str, str], start: date, **fields: object) -> Record:
    chance = world.chance
    account = chance.randrange(len(ACCOUNTS))
    return world.save(
        "subscription",
        {
            "name": f"S{world.new_id('subscription'):05}",
            "state": "sale",
            "subscription_state": "3_progress",
            "partner_id": PARTNERS[account % len(PARTNERS)],
            "plan_id": chance.randint(1, len(INTERVALS)),
            "start_date": start.isoformat(),
            "end_date": None,
            "x_fc_service_code": subscription[0],
            "x_fc_external_id": subscription[1],
            "x_fc_external_account_id": ACCOUNTS[account],
            "x_fc_plan_code": chance.choice(PLANS),
            "x_fc_billing_time": chance.choice(("calendar", "anniversary")),
            "x_fc_trial_end": None,
            "x_fc_pauses": None,
            **fields,
        },
    )


def add_base_line(world: World, order: Record) -> Record:
    return world.save(
        "base_line",
        {
            "order_id": order["id"],
            "product_id": world.chance.choice((1, 1, 2)),
            "product_uom_qty": "1",
            "price_unit": str(world.chance.randint(5, 60)),
            "discount": "0",
        },
    )


def begin(world: World) -> None:
    """Fills an empty, migrated warehouse."""
    for service in SERVICES:
        world.connection.execute(
            "insert into ops.service (service_code, name) values (%s, %s)", (service, service)
        )
    for partner in PARTNERS:
        world.save("partner", {"id": partner, "name": f"Client {partner}", "active": True})
    for number, recurring in ((1, True), (2, False)):
        world.save(
            "product", {"id": number, "name": f"Base {number}", "recurring_invoice": recurring}
        )
    for unit, value in INTERVALS:
        world.save(
            "plan", {"name": unit, "billing_period_unit": unit, "billing_period_value": value}
        )
    for service in SERVICES:
        for number, account in enumerate(ACCOUNTS):
            world.save(
                "account_link",
                {
                    "x_service_code": service,
                    "x_external_account_id": account,
                    "x_partner_id": PARTNERS[number % len(PARTNERS)],
                },
            )
    add_catalogue(world)
    for subscription in SUBSCRIPTIONS:
        start = FIRST + timedelta(days=world.chance.randrange(40))
        add_base_line(world, add_order(world, subscription, start))
    # Something of everything is there already, so that it can change or go.
    orders = world.records("subscription")
    for order, fields in zip(
        world.chance.sample(orders, 6),
        (
            {"end_date": "2025-02-27"},
            {"end_date": "2025-03-12"},
            {"x_fc_trial_end": "2025-02-20"},
            {"x_fc_pauses": "2025-02-10..2025-02-24, 2025-03-15.."},
            {"state": "cancel"},
            {"x_fc_external_account_id": "nobody"},
        ),
        strict=True,
    ):
        world.save("subscription", order | fields)
    counters: list[Counter] = []
    for subscription in (*SUBSCRIPTIONS, *STRANGERS):
        for code in (*METRICS, UNHEARD):
            counters += [
                used(world, subscription, code, a_day(world))
                for _ in range(world.chance.randint(3, 5))
            ]
    world.land(counters)
