"""What the old apps billed for the closed months: plain arithmetic, independent of dbt."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal

from sandbox.catalogue import CURRENCY
from sandbox.model import Planted, Subscription, World, add_months
from sandbox.planter import billed, to_cents
from sandbox.usage import UsageKey

# Percent, by province: federal GST beside QST or PST, or the harmonized HST. None abroad.
TAXES: dict[str, tuple[tuple[str, Decimal], ...]] = {
    "ON": (("HST", Decimal(13)),),
    "NS": (("HST", Decimal(14)),),
    "QC": (("GST", Decimal(5)), ("QST", Decimal("9.975"))),
    "BC": (("GST", Decimal(5)), ("PST", Decimal(7))),
    "AB": (("GST", Decimal(5)),),
    "NY": (),
}


@dataclass(frozen=True)
class Tax:
    name: str
    rate: Decimal  # percent
    amount: Decimal


@dataclass(frozen=True)
class OldLine:
    """One line of an app's invoice; `amount` before tax and before `discount`, which comes off it.

    `units` is what was used, `units_billed` what was charged for. `period_end` is exclusive.
    """

    item_type: str  # charge | subscription | add_on
    code: str  # metric code, the plan's code, or the add-on's
    name: str
    units: Decimal
    units_billed: Decimal
    unit_price: Decimal
    amount: Decimal
    taxes: tuple[Tax, ...]
    period_start: date
    period_end: date
    discount: Decimal = Decimal(0)
    is_proration: bool = False

    @property
    def net(self) -> Decimal:
        return self.amount - self.discount

    @property
    def tax_amount(self) -> Decimal:
        return sum((tax.amount for tax in self.taxes), Decimal(0))


@dataclass(frozen=True)
class OldInvoice:
    subscription: Subscription
    month: date
    sequence: int  # 1; 2 is a second invoice of the same month, 5 a one-off, 9 never issued
    currency: str
    lines: tuple[OldLine, ...]

    @property
    def name(self) -> str:
        return f"{self.subscription.external_id}/{self.month:%Y-%m}/{self.sequence}"


def old_invoices(
    world: World, service_code: str, month: date, usage: Mapping[UsageKey, Decimal]
) -> Iterator[OldInvoice]:
    """The invoices that a service's own biller issued for a closed month, planted ones included.

    `usage` is expected_usage(world, include_late=True); where the app did not know the late
    counters, its planted case says what it billed instead.
    """
    planted = {
        (case.subscription_key, case.metric_code): case
        for case in world.planted_differences()
        if case.month == month and case.service_code == service_code
    }
    provinces = {client.code: client.province for client in world.clients}
    for sub in world.subscriptions:
        start = max(month, sub.start_date)
        end = add_months(month, 1)
        if sub.end_date is not None:
            end = min(end, sub.end_date + timedelta(days=1))
        if sub.service_code != service_code or start >= end:
            continue
        taxes = TAXES[provinces[sub.client_code]]
        right = [_base_fee(world, sub, month, start, end, taxes)]
        apart: list[tuple[str, OldLine]] = []
        for charge in world.plan(sub.plan_code).charges:
            used = usage.get((sub.key, charge.code, month), Decimal(0))
            over = billed(used, charge)
            line = OldLine(
                item_type="charge",
                code=charge.code,
                name=charge.name,
                units=used,
                units_billed=over,
                unit_price=charge.unit_price,
                amount=to_cents(over * charge.unit_price),
                taxes=(),
                period_start=start,
                period_end=end,
            )
            line = replace(line, taxes=_taxed(line.amount, taxes))
            case = planted.get((sub.key, charge.code))
            if used == 0 or (case is not None and case.kind == "missing_in_app"):
                continue
            if case is not None:
                line = _as_the_app_billed(line, case, taxes)
            if case is not None and case.kind == "currency":
                apart.append(("USD", line))
                continue
            right.append(line)
            if case is not None and case.kind == "duplicate":
                apart.append((CURRENCY, line))
        extra = planted.get((sub.key, "route_plans"))
        if extra is not None:
            right.append(_unknown_to_us(extra, taxes, start, end))
        yield OldInvoice(sub, month, 1, CURRENCY, tuple(right))
        for currency, line in apart:
            yield OldInvoice(sub, month, 2, currency, (line,))


def one_off_invoice(world: World, invoice: OldInvoice) -> OldInvoice:
    """Help with a migration, 150.00 less 15.00 for a good customer: neither usage nor a plan's fee,
    on an invoice of its own to the customer of `invoice`."""
    sub = invoice.subscription
    province = next(c.province for c in world.clients if c.code == sub.client_code)
    line = OldLine(
        item_type="add_on",
        code="migration_help",
        name="Help with the migration",
        units=Decimal(1),
        units_billed=Decimal(1),
        unit_price=Decimal(150),
        amount=Decimal(150),
        taxes=_taxed(Decimal(135), TAXES[province]),
        period_start=invoice.month,
        period_end=add_months(invoice.month, 1),
        discount=Decimal(15),
    )
    return OldInvoice(sub, invoice.month, 5, CURRENCY, (line,))


def half_credited(invoice: OldInvoice) -> OldInvoice:
    """What a credit note over half of each line of an invoice takes back, in positive amounts."""

    def half(line: OldLine) -> OldLine:
        return replace(
            line,
            amount=to_cents(line.amount / 2),
            discount=to_cents(line.discount / 2),
            taxes=tuple(replace(tax, amount=to_cents(tax.amount / 2)) for tax in line.taxes),
        )

    return replace(invoice, lines=tuple(half(line) for line in invoice.lines))


def _base_fee(
    world: World,
    sub: Subscription,
    month: date,
    start: date,
    end: date,
    taxes: tuple[tuple[str, Decimal], ...],
) -> OldLine:
    """The plan's fee, by days where the subscription began or ended within the month."""
    plan = world.plan(sub.plan_code)
    days = (add_months(month, 1) - month).days
    amount = to_cents(plan.base_fee * (end - start).days / days)
    return OldLine(
        item_type="subscription",
        code=plan.code,
        name=plan.name,
        units=Decimal(1),
        units_billed=Decimal(1),
        unit_price=amount,
        amount=amount,
        taxes=_taxed(amount, taxes),
        period_start=start,
        period_end=end,
        is_proration=amount != plan.base_fee,
    )


def _taxed(amount: Decimal, taxes: tuple[tuple[str, Decimal], ...]) -> tuple[Tax, ...]:
    """Each tax on its own, half-up to the cent, line by line."""
    return tuple(Tax(name, rate, to_cents(amount * rate / 100)) for name, rate in taxes)


def _as_the_app_billed(
    line: OldLine, case: Planted, taxes: tuple[tuple[str, Decimal], ...]
) -> OldLine:
    if case.kind == "tax":
        return replace(line, taxes=_taxed(line.amount, (("GST", Decimal(5)),)))
    if case.app_quantity is not None:
        included = line.units - line.units_billed
        line = replace(line, units=included + case.app_quantity, units_billed=case.app_quantity)
    if case.app_unit_price is not None:
        line = replace(line, unit_price=case.app_unit_price)
    if case.app_amount is not None:
        line = replace(line, amount=case.app_amount, taxes=_taxed(case.app_amount, taxes))
    return line


def _unknown_to_us(
    case: Planted, taxes: tuple[tuple[str, Decimal], ...], start: date, end: date
) -> OldLine:
    if case.app_quantity is None or case.app_unit_price is None or case.app_amount is None:
        raise ValueError(f"{case.kind} of {case.external_subscription_id} has no figures")
    return OldLine(
        item_type="charge",
        code=case.metric_code,
        name="Route plans",
        units=case.app_quantity,
        units_billed=case.app_quantity,
        unit_price=case.app_unit_price,
        amount=case.app_amount,
        taxes=_taxed(case.app_amount, taxes),
        period_start=start,
        period_end=end,
    )
