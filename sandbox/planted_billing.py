"""Differences between what the old apps billed and what the platform bills, one a line."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from decimal import ROUND_FLOOR, Decimal

from sandbox.catalogue import BILLED_BY_APPS, NEXACLOUD, NEXADESK, NEXAMAPS, ChargeSpec
from sandbox.model import BASE_FEE, Planted, Subscription, add_months
from sandbox.planter import CENT, Planter, to_cents


def billing_cases(planter: Planter) -> list[Planted]:
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


def unlinked_cases(planter: Planter) -> list[Planted]:
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
        fee = planter.planted("unlinked_account", sub, BASE_FEE, month, note)
        cases.append(replace(fee, reason="unlinked_account"))
    return cases


def prorated_cases(planter: Planter) -> list[Planted]:
    """Not planted, but there: who began or ended within the second month paid the app by days, and
    Odoo the whole fee."""
    world = planter.world
    month = world.second
    days = (add_months(month, 1) - month).days
    cases = []
    for sub in world.subscriptions:
        start = max(month, sub.start_date)
        end = add_months(month, 1)
        if sub.end_date is not None:
            end = min(end, sub.end_date + timedelta(days=1))
        part = (end - start).days
        if sub.service_code in BILLED_BY_APPS and 0 < part < days:
            fee = world.plan(sub.plan_code).base_fee
            case = planter.planted(
                "proration", sub, BASE_FEE, month, f"the app billed {part} of {days} days"
            )
            difference = to_cents(fee * part / days) - fee
            cases.append(replace(case, reason="proration", difference=difference))
    return cases
