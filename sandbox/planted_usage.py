"""Irregular usage: late days, revisions, counters nobody can bill, posts that must be refused."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

from sandbox.catalogue import NEXACLOUD, NEXADESK, NEXAMAPS
from sandbox.model import CONFLICT, LATE, Counter, Planted, Subscription, World, add_months, local
from sandbox.planter import Planter, billed, to_cents
from sandbox.usage import days_of, event, expected_usage, window

ROUTE_PRICE = Decimal("0.05")  # what the app bills for a route plan; our catalogue has no charge
# The case, the regular counters that it holds back, and the counters that it adds.
UsageCase = tuple[Planted, list[tuple[str, str, date]], list[Counter]]


def usage_cases(planter: Planter) -> list[UsageCase]:
    """Every irregularity of the world's counters; batches sent twice are the traffic's own."""
    return [*_late(planter), *_revisions(planter), *_strays(planter), *_refused(planter)]


def _late(planter: Planter) -> list[UsageCase]:
    """Days that arrive after the first run. The app billed without them, once with them."""
    world = planter.world
    cases: list[UsageCase] = []
    for service, code, month, app_knew in (
        (NEXACLOUD, "compute_hours", world.first, False),
        (NEXADESK, "messages", world.second, False),
        (NEXAMAPS, "map_loads", world.second, True),
    ):
        sub = planter.pick(service, code, month, also=_is_small)
        days = [month + timedelta(days=offset) for offset in (12, 13, 14)]
        held = [(sub.key, code, day) for day in days]
        on_time = expected_usage(_on_time(world, sub, held), include_late=False)
        charge = planter.charge(sub, code)
        early = billed(on_time[sub.key, code, month], charge)
        app = to_cents(early * charge.unit_price)
        case = planter.planted("late", sub, code, month, "three days posted after the first run")
        if app_knew:
            case = replace(case, note=case.note + "; the app had billed them already")
        else:
            case = replace(
                case,
                reason="late_usage",
                app_quantity=early,
                app_amount=app,
                difference=app - planter.amount(sub, code, month),
            )
        cases.append((case, held, []))
    return cases


def _is_small(sub: Subscription) -> bool:
    """Room for a late or revised day to matter without emptying the overage."""
    return sub.plan_code in ("cloud_s", "desk_team", "maps_growth") and sub.size > 500


def _on_time(world: World, sub: Subscription, held: list[tuple[str, str, date]]) -> World:
    """A world of that one subscription, some of its days held back."""
    return replace(world, subscriptions=(sub,), held_back=frozenset(held))


def _revisions(planter: Planter) -> list[UsageCase]:
    """A window corrected before the first run, and one after it. The apps billed the correction."""
    world = planter.world
    cases: list[UsageCase] = []
    for kind, service, code, month, value, phase in (
        ("revision", NEXAMAPS, "map_loads", world.first, Decimal(1234), None),
        ("late_revision", NEXACLOUD, "compute_hours", world.second, Decimal("3.25"), LATE),
    ):
        sub = planter.pick(service, code, month, also=_is_small)
        day = month + timedelta(days=9)
        counter = replace(window(sub, world, code, day, value), revision=1)
        if counter.transaction_id is not None:
            counter = replace(counter, transaction_id=f"{counter.transaction_id}/r1")
        if phase is not None:
            counter = replace(counter, phase=phase)
        note = f"{day} re-counted as {value}, revision 1"
        cases.append((planter.planted(kind, sub, code, month, note), [], [counter]))
    return cases


def _strays(planter: Planter) -> list[UsageCase]:
    """Counters that nobody can bill: unknown subscription, unknown metric, metric without charge.
    The app bills the last: our catalogue has no line for it."""
    world = planter.world
    known = planter.pick(NEXAMAPS, "map_loads", world.first)
    unknown = replace(known, external_id="nm-sub-9999", external_account_id="nm-acct-9999")
    ghosts = [
        window(unknown, world, "map_loads", month + timedelta(days=offset), Decimal(700 + offset))
        for month in world.closed_months
        for offset in range(5)
    ]
    tiles = [
        window(known, world, "tile_exports", world.first + timedelta(days=offset), Decimal(3))
        for offset in range(10)
    ]
    router = planter.pick(NEXAMAPS, "map_loads", world.second)
    routes = [
        window(router, world, "route_plans", day, Decimal(4))
        for day in days_of(router, world)
        if day >= world.second
    ]
    days = (add_months(world.second, 1) - world.second).days
    quantity = Decimal(4 * days)
    unpriced = planter.planted(
        "unpriced_metric", router, "route_plans", world.second, "a metric that no plan prices"
    )
    amount = to_cents(quantity * ROUTE_PRICE)
    return [
        (
            planter.planted(
                "unknown_subscription", unknown, "map_loads", world.first, "Odoo has no such order"
            ),
            [],
            ghosts,
        ),
        (
            planter.planted(
                "unknown_metric", known, "tile_exports", world.first, "no metric of that code"
            ),
            [],
            tiles,
        ),
        (unpriced, [], routes),
        (
            replace(
                unpriced,
                kind="missing_in_platform",
                note="the app bills route plans, our catalogue does not",
                reason="missing_in_platform",
                app_quantity=quantity,
                app_unit_price=ROUTE_PRICE,
                app_amount=amount,
                difference=amount,
            ),
            [],
            [],
        ),
    ]


def _refused(planter: Planter) -> list[UsageCase]:
    """The same transaction id again with other content: one window, one Lago event."""
    world = planter.world
    cloud = planter.pick(NEXACLOUD, "compute_hours", world.first, also=_is_small)
    desk = planter.pick(NEXADESK, "messages", world.first)
    day = world.first + timedelta(days=4)
    counter = window(cloud, world, "compute_hours", day, Decimal("999.75"))
    day_event = next(
        day for day in days_of(desk, world) if day.toordinal() % 7 == 0
    )  # agent 1 signs in on such a day
    sign_in = event(
        desk,
        "agents",
        f"{desk.external_id}/agent-01/{day_event}",
        local(day_event, world.zone, 10),
        "agent-99",
    )
    note = "known transaction id, other payload: refused, recorded"
    return [
        (
            planter.planted("conflict", cloud, "compute_hours", world.first, note),
            [],
            [replace(counter, phase=CONFLICT)],
        ),
        (
            planter.planted("conflict", desk, "agents", world.first, note),
            [],
            [replace(sign_in, phase=CONFLICT)],
        ),
    ]
