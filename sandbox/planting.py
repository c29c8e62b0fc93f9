"""Plants the irregularities of the demo: in usage, and between the old apps' bills and ours."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from decimal import ROUND_FLOOR, ROUND_HALF_UP, Decimal

from sandbox.catalogue import NEXACLOUD, NEXADESK, NEXAMAPS, ChargeSpec
from sandbox.model import (
    CONFLICT,
    LATE,
    Account,
    Counter,
    Planted,
    Subscription,
    World,
    add_months,
    local,
)
from sandbox.usage import UsageKey, days_of, event, expected_usage, window

CENT = Decimal("0.01")
ROUTE_PRICE = Decimal("0.05")  # what the app bills for a route plan; our catalogue has no charge


def billed(used: Decimal, charge: ChargeSpec) -> Decimal:
    """The quantity above the included quota, never below 0."""
    return max(used - charge.included, Decimal(0))


def to_cents(amount: Decimal) -> Decimal:
    """Half-up to the cent."""
    return amount.quantize(CENT, ROUND_HALF_UP)


class _Planter:
    """Hands out each subscription once, so that no two planted cases meet."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.usage = expected_usage(world, include_late=True)
        self.taken: set[str] = set()
        self.provinces = {client.code: client.province for client in world.clients}

    def charge(self, sub: Subscription, code: str) -> ChargeSpec:
        charge = self.world.plan(sub.plan_code).charge(code)
        if charge is None:
            raise ValueError(f"{sub.plan_code} has no charge for {code}")
        return charge

    def overage(self, sub: Subscription, code: str, month: date) -> Decimal:
        return billed(self.usage.get((sub.key, code, month), Decimal(0)), self.charge(sub, code))

    def amount(self, sub: Subscription, code: str, month: date) -> Decimal:
        return to_cents(self.overage(sub, code, month) * self.charge(sub, code).unit_price)

    def pick(
        self,
        service: str,
        code: str,
        month: date,
        *,
        also: Callable[[Subscription], bool] = lambda _: True,
    ) -> Subscription:
        """The next untouched subscription, served the whole time, that owes at least 5 dollars."""
        for sub in self.world.subscriptions:
            if (
                sub.service_code == service
                and sub.key not in self.taken
                and sub.start_date < self.world.first
                and sub.end_date is None
                and self.amount(sub, code, month) >= 5
                and also(sub)
            ):
                self.taken.add(sub.key)
                return sub
        raise ValueError(f"the world has no {service} subscription left to plant {code} in")

    def planted(self, kind: str, sub: Subscription, code: str, month: date, note: str) -> Planted:
        return Planted(
            kind=kind,
            service_code=sub.service_code,
            external_account_id=sub.external_account_id,
            external_subscription_id=sub.external_id,
            metric_code=code,
            month=month,
            note=note,
        )


def plant(world: World) -> World:
    """The same world with its irregularities. Raises ValueError where there is no room for one."""
    planter = _Planter(world)
    usage_cases = [*_late(planter), *_revisions(planter), *_strays(planter), *_refused(planter)]
    planted = [case for case, _, _ in usage_cases]
    held = {key for _, keys, _ in usage_cases for key in keys}
    extra = [counter for _, _, counters in usage_cases for counter in counters]
    planted += _billing(planter)
    planted += _unlinked(planter)
    unlinked = {(p.service_code, p.external_account_id) for p in planted if p.kind == "no_link"}
    return replace(
        world,
        accounts=tuple(
            Account(a.service_code, a.external_id, a.client_code, linked=False)
            if (a.service_code, a.external_id) in unlinked
            else a
            for a in world.accounts
        ),
        planted=tuple(planted),
        held_back=frozenset(held),
        extra=tuple(extra),
    )


_UsageCase = tuple[Planted, list[tuple[str, str, date]], list[Counter]]


def _late(planter: _Planter) -> list[_UsageCase]:
    """Days that arrive after the first run. The app billed without them, once with them."""
    world = planter.world
    cases: list[_UsageCase] = []
    for service, code, month, app_knew in (
        (NEXACLOUD, "compute_hours", world.first, False),
        (NEXADESK, "messages", world.second, False),
        (NEXAMAPS, "map_loads", world.second, True),
    ):
        sub = planter.pick(service, code, month, also=_is_small)
        days = [month + timedelta(days=offset) for offset in (12, 13, 14)]
        held = [(sub.key, code, day) for day in days]
        on_time = _without(world, planter.usage, held)[sub.key, code, month]
        charge = planter.charge(sub, code)
        late_app = to_cents(billed(on_time, charge) * charge.unit_price)
        case = planter.planted("late", sub, code, month, "three days posted after the first run")
        if app_knew:
            case = replace(case, note=case.note + "; the app had billed them already")
        else:
            case = replace(
                case,
                reason="late_usage",
                app_quantity=billed(on_time, charge),
                app_amount=late_app,
                difference=late_app - planter.amount(sub, code, month),
            )
        cases.append((case, held, []))
    return cases


def _is_small(sub: Subscription) -> bool:
    """Room for a late or revised day to matter without emptying the overage."""
    return sub.plan_code in ("cloud_s", "desk_team", "maps_growth") and sub.size > 500


def _without(
    world: World, usage: dict[UsageKey, Decimal], held: list[tuple[str, str, date]]
) -> dict[UsageKey, Decimal]:
    on_time = expected_usage(replace(world, held_back=frozenset(held)), include_late=False)
    return {**usage, **on_time}


def _revisions(planter: _Planter) -> list[_UsageCase]:
    """A window corrected before the first run, and one after it. The apps billed the correction."""
    world = planter.world
    cases: list[_UsageCase] = []
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


def _strays(planter: _Planter) -> list[_UsageCase]:
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


def _refused(planter: _Planter) -> list[_UsageCase]:
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


def _billing(planter: _Planter) -> list[Planted]:
    """Differences between what the old apps billed and what the platform bills."""
    world = planter.world
    first, second = world.closed_months
    cases: list[Planted] = []

    def case(
        kind: str,
        service: str,
        code: str,
        month: date,
        note: str,
        also: Callable[[Subscription], bool] = lambda _: True,
    ) -> tuple[Planted, Decimal, ChargeSpec, Decimal]:
        sub = planter.pick(service, code, month, also=also)
        planted = replace(planter.planted(kind, sub, code, month, note), reason=kind)
        return (
            planted,
            planter.overage(sub, code, month),
            planter.charge(sub, code),
            planter.amount(sub, code, month),
        )

    for service, code, month in (
        (NEXACLOUD, "compute_hours", second),
        (NEXADESK, "messages", first),
    ):
        planted, quantity, charge, amount = case(
            "quantity", service, code, month, "the app lost a tenth of the usage"
        )
        counted = (quantity * Decimal("0.9")).quantize(Decimal(1), ROUND_FLOOR)
        app = to_cents(counted * charge.unit_price)
        cases.append(
            replace(planted, app_quantity=counted, app_amount=app, difference=app - amount)
        )
    for service, code, month, old_price in (
        (NEXAMAPS, "map_loads", first, Decimal("0.0021")),
        (NEXACLOUD, "storage_gb", first, Decimal("0.15")),
    ):
        planted, quantity, charge, amount = case(
            "price", service, code, month, f"the app still bills the old price {old_price}"
        )
        app = to_cents(quantity * old_price)
        cases.append(
            replace(planted, app_unit_price=old_price, app_amount=app, difference=app - amount)
        )
    for service, code, month in (
        (NEXADESK, "agents", second),
        (NEXACLOUD, "compute_hours", first),
    ):
        planted, _, _, amount = case(
            "missing_in_app", service, code, month, "the app forgot to bill it"
        )
        cases.append(replace(planted, difference=-amount))
    planted, _, _, amount = case(
        "rounding",
        NEXACLOUD,
        "compute_hours",
        second,
        "the app cuts cents instead of rounding them",
        also=lambda sub: (
            planter.amount(sub, "compute_hours", second)
            > planter.overage(sub, "compute_hours", second)
            * planter.charge(sub, "compute_hours").unit_price
        ),
    )
    cases.append(replace(planted, app_amount=amount - CENT, difference=-CENT))
    planted, _, _, amount = case(
        "duplicate", NEXADESK, "messages", second, "the same line on two of the app's invoices"
    )
    cases.append(replace(planted, app_amount=amount, difference=amount))
    planted, _, _, amount = case(
        "tax",
        NEXAMAPS,
        "map_loads",
        second,
        "the app charged 5 % where Ontario's 13 % applies",
        also=lambda sub: planter.provinces[sub.client_code] == "ON",
    )
    wrong = to_cents(amount * Decimal("0.05")) - to_cents(amount * Decimal("0.13"))
    cases.append(replace(planted, difference=wrong))
    planted, _, _, _ = case(
        "currency", NEXACLOUD, "compute_hours", first, "the app billed the figure in USD"
    )
    cases.append(planted)
    planted, quantity, charge, amount = case(
        "manual_change", NEXAMAPS, "map_loads", second, "someone halves the pushed line in Odoo"
    )
    halved = (quantity / 2).quantize(Decimal(1), ROUND_FLOOR)
    cases.append(
        replace(
            planted,
            odoo_quantity=halved,
            difference=to_cents(halved * charge.unit_price) - amount,
        )
    )
    return cases


def _unlinked(planter: _Planter) -> list[Planted]:
    """An account that Odoo does not link, with usage in both closed months that its app billed."""
    world = planter.world
    first, second = world.closed_months
    sub = planter.pick(
        NEXACLOUD,
        "compute_hours",
        first,
        also=lambda sub: (
            planter.amount(sub, "compute_hours", second) > 0
            and all(planter.amount(sub, "storage_gb", month) == 0 for month in (first, second))
        ),
    )
    note = "the account has no link in Odoo; its app bills it"
    cases = [planter.planted("no_link", sub, "compute_hours", first, note)]
    for month in (first, second):
        amount = planter.amount(sub, "compute_hours", month)
        planted = planter.planted("unlinked_account", sub, "compute_hours", month, note)
        cases.append(replace(planted, reason="unlinked_account", difference=amount))
    return cases
