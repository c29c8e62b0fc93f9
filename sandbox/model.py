"""What the demo world is made of. Everything is frozen: a world is a value."""

from __future__ import annotations

import calendar
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from sandbox.catalogue import METRICS, PLANS, MetricSpec, PlanSpec
from sandbox.companies import Client

INITIAL = "initial"  # posted before the first billing run
LATE = "late"  # posted after it
CONFLICT = "conflict"  # known transaction id, other payload: must be refused
BASE_FEE = "base_fee"  # where a metric's code stands of a usage charge


@dataclass(frozen=True)
class Account:
    """A client's account in one service. `linked`: Odoo has an x_fc_account_link for it."""

    service_code: str
    external_id: str
    client_code: str
    linked: bool = True


@dataclass(frozen=True)
class Subscription:
    """One sale.order. `size` (1 to 1000) scales its usage; 0 never leaves the included quota."""

    service_code: str
    external_id: str
    external_account_id: str
    client_code: str
    plan_code: str
    billing_time: str
    start_date: date
    end_date: date | None  # the last day of service, as in Odoo
    next_invoice_date: date
    size: int

    @property
    def key(self) -> str:
        return f"{self.service_code}:{self.external_id}"


@dataclass(frozen=True, slots=True)
class Counter:
    """One counter of POST /usage, or one Lago event where `is_event` (no value; its window is a
    point). Windows are aware datetimes, half-open. `phase`: INITIAL, LATE or CONFLICT."""

    service_code: str
    external_subscription_id: str
    code: str
    window_start: datetime
    window_end: datetime
    value: Decimal | None
    transaction_id: str | None = None
    revision: int = 0
    member: str | None = None
    is_event: bool = False
    phase: str = INITIAL

    @property
    def subscription_key(self) -> str:
        return f"{self.service_code}:{self.external_subscription_id}"


@dataclass(frozen=True)
class Planted:
    """A known irregularity, so that the demo can assert it is found.

    `reason` is the reason that fct_reconciliation must give for this subscription × charge ×
    month, or None where nothing differs in the end. `difference` in CAD before tax, final (late
    usage included): app − platform; for `manual_change` Odoo − platform; for `tax` the tax amounts'
    difference, app − right. The `app_*` fields are what the old app billed; `odoo_quantity` is
    what someone writes into `qty_delivered` of the pushed line.
    """

    kind: str
    service_code: str
    external_account_id: str
    external_subscription_id: str
    metric_code: str
    month: date
    note: str
    reason: str | None = None
    difference: Decimal | None = None
    app_quantity: Decimal | None = None
    app_unit_price: Decimal | None = None
    app_amount: Decimal | None = None
    odoo_quantity: Decimal | None = None

    @property
    def subscription_key(self) -> str:
        return f"{self.service_code}:{self.external_subscription_id}"


@dataclass(frozen=True)
class World:
    """`first`, `second` (closed) and `open` are first days of months, local to `zone`.

    `held_back` names regular counters that arrive late: (subscription key, metric code, local day).
    `extra` are planted counters beside the regular ones.
    """

    demo_date: date
    seed: int
    zone: ZoneInfo
    first: date
    second: date
    open: date
    clients: tuple[Client, ...]
    accounts: tuple[Account, ...]
    subscriptions: tuple[Subscription, ...]
    metrics: tuple[MetricSpec, ...] = METRICS
    plans: tuple[PlanSpec, ...] = PLANS
    planted: tuple[Planted, ...] = ()
    held_back: frozenset[tuple[str, str, date]] = frozenset()
    extra: tuple[Counter, ...] = field(default=())

    @property
    def months(self) -> tuple[date, date, date]:
        return (self.first, self.second, self.open)

    @property
    def closed_months(self) -> tuple[date, date]:
        return (self.first, self.second)

    def plan(self, plan_code: str) -> PlanSpec:
        return next(plan for plan in self.plans if plan.code == plan_code)

    def planted_differences(self) -> tuple[Planted, ...]:
        """The planted cases that reconciliation must name, each with its reason."""
        return tuple(planted for planted in self.planted if planted.reason is not None)


def add_months(month: date, months: int) -> date:
    """The first day of the month that lies `months` away."""
    number = month.year * 12 + month.month - 1 + months
    return date(number // 12, number % 12 + 1, 1)


def anniversary(start: date, months: int) -> date:
    """The day `months` after `start`, clamped to the month's end: 31 Jan, 28 Feb, 31 Mar."""
    month = add_months(start.replace(day=1), months)
    return month.replace(day=min(start.day, calendar.monthrange(month.year, month.month)[1]))


def local(day: date, zone: ZoneInfo, hour: int = 0) -> datetime:
    """The instant at which an hour of a local day begins; hour 24 is the next local midnight."""
    return datetime.combine(day + timedelta(days=hour // 24), time(hour % 24), zone)
