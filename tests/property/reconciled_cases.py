"""Every kind of difference between an app, the platform and Odoo, alone, two on one row, and two on
two rows of one account; what the app billed then, by plain arithmetic that knows nothing of dbt."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time
from decimal import ROUND_FLOOR, ROUND_HALF_UP, Decimal
from itertools import combinations
from zoneinfo import ZoneInfo

D = Decimal
ZONE = ZoneInfo("America/Toronto")
CENT = D("0.01")
CLEAN, PLANTED, AFTER = date(2026, 8, 1), date(2026, 9, 1), date(2026, 10, 1)
NEXT = {CLEAN: PLANTED, PLANTED: AFTER, AFTER: date(2026, 11, 1)}
PHASES = {"nexamaps": "live", "nexadesk": "dual_run", "nexacloud": "shadow"}
LOADS, MESSAGES, ROUTES = "map_loads", "messages", "route_plans"
QUOTA, OLD_QUOTA, PRICE = D(10000), D(4000), D("0.0023")
# What it once cost: an app that counts otherwise and bills by one of them is told apart.
FORMER_PRICES = (D("0.0019"), D("0.0021"), D("0.0027"), D("0.0035"))
# Messages: the first 1,000 at 0.012, the rest at 0.008.
TIER, TIER_PRICES = D(1000), (D("0.012"), D("0.008"))
FEE, TAX, NOTHING = D("29.00"), D("0.13"), D(0)
MINIMUM = D("500.00")  # of the plan: what fees and charges of a month fall short of is billed too

# The decision list, as docs/reconciliation.md has it.
REASONS = (
    "unlinked_account",
    "missing_in_odoo",
    "manual_change",
    "currency",
    "credit_note",
    "late_usage",
    "period_boundary",
    "missing_in_app",
    "missing_in_platform",
    "duplicate",
    "proration",
    "discount",
    "tier_or_quota",
    "quantity",
    "price",
    "rounding",
    "tax",
)
# Kind → its reason. Of the app's own lines, which all can stand on one row:
OF_THE_APP = {
    "app_currency": "currency",
    "app_credit": "credit_note",
    "late": "late_usage",
    "utc_months": "period_boundary",
    "duplicate": "duplicate",
    "proration": "proration",
    "discount": "discount",
    "no_quota": "tier_or_quota",
    "quantity": "quantity",
    "price": "price",
    "rounding": "rounding",
    "tax": "tax",
}
OF_ODOO = {
    "not_in_odoo": "missing_in_odoo",
    "line_edited": "manual_change",
    "invoice_altered": "manual_change",
    "odoo_credit": "credit_note",
    "odoo_currency": "currency",
}
OF_A_SIDE = {
    "unlinked": "unlinked_account",
    "not_in_app": "missing_in_app",
    "not_in_platform": "missing_in_platform",
}
# Rows of their own: the usage of a month under the next; a tiered charge; base fees.
APART = {
    "moved": "period_boundary",
    "old_quota": "tier_or_quota",
    "one_tier": "tier_or_quota",
    "fee_days": "proration",
    "fee_price": "price",
    "fee_rounding": "rounding",
    "fee_discount": "discount",
    "fee_twice": "duplicate",
    "fee_currency": "currency",
    "fee_credit": "credit_note",
    "fee_not_in_app": "missing_in_app",
    "fee_not_in_odoo": "missing_in_odoo",
    "fee_no_order": "missing_in_odoo",
    "fee_tax": "tax",
}
KINDS = OF_THE_APP | OF_ODOO | OF_A_SIDE | APART
# What a dual run cannot show, for nothing is invoiced there, and what the shadow cannot.
INVOICED = {"invoice_altered", "odoo_credit", "odoo_currency", "fee_credit", "fee_tax"}
IN_ODOO = {"tax", *OF_ODOO, *INVOICED, *(kind for kind in APART if kind.startswith("fee_"))}
# Two that both change how much was counted are one quantity that nobody can take apart again.
COUNTED = {"late", "utc_months", "no_quota", "quantity"}
ONE_ROW = [
    *(
        pair
        for pair in combinations(OF_THE_APP, 2)
        if not COUNTED.issuperset(pair) or set(pair) == {"late", "no_quota"}
    ),
    *((odoo, app) for odoo in OF_ODOO for app in (*OF_THE_APP, "not_in_app")),
    ("line_edited", "odoo_credit"),
    ("line_edited", "odoo_currency"),
    ("odoo_credit", "odoo_currency"),
    # Nothing is billed of whom nobody knows, and so nothing late or at a boundary.
    *(("unlinked", app) for app in OF_THE_APP if app not in ("late", "utc_months", "tax")),
]


@dataclass(frozen=True)
class Row:
    """What is planted on one subscription's September; the figures it takes."""

    service: str
    number: int
    account: str
    kinds: tuple[str, ...]
    used: Decimal  # of LOADS, all of September, late usage included
    late: Decimal
    back: Decimal  # of LOADS, all of August: counted at first and taken back after it was billed
    edge: tuple[Decimal, Decimal]  # of it or before it, after 20:00 on 31 August, 30 September
    messages: Decimal
    other_price: Decimal
    replanned: bool = False  # its order's plan was corrected after its periods were billed

    @property
    def subscription(self) -> str:
        return f"s{self.number}"

    @property
    def key(self) -> str:
        return f"{self.service}:{self.subscription}"

    @property
    def has_order_fee(self) -> bool:
        """Whether its order has a recurring line."""
        return not (self.has("fee_not_in_odoo") and PHASES[self.service] == "dual_run")

    def has(self, kind: str) -> bool:
        return kind in self.kinds

    @property
    def shown(self) -> set[str]:
        """The kinds that one can see in the service's phase."""
        phase = PHASES[self.service]
        hidden = {"live": set(), "dual_run": INVOICED, "shadow": IN_ODOO}[phase]
        return set(self.kinds) - hidden

    def expected(self) -> dict[tuple[str, date], str]:
        """(item, month) → reason; nothing of what agrees."""
        found = {KINDS[kind] for kind in self.shown}
        if not found:
            return {}
        reason = min(found, key=REASONS.index)
        if self.has("unlinked"):
            items = ("base_fee", LOADS, MESSAGES, "charge")
            return {(item, month): reason for item in items for month in (CLEAN, PLANTED)}
        if self.has("moved"):
            return {(LOADS, PLANTED): reason, (LOADS, AFTER): reason}
        if self.has("one_tier"):
            return {(MESSAGES, PLANTED): reason}
        if self.has("not_in_platform"):
            return {(ROUTES, PLANTED): reason}
        if self.has("fee_no_order") or not self.has_order_fee:
            # No order, or one without a recurring line: it would bill no month.
            return {("base_fee", month): reason for month in (CLEAN, PLANTED)}
        item = "base_fee" if any(kind.startswith("fee_") for kind in self.kinds) else LOADS
        return {(item, PLANTED): reason}


def rows(seed: int, *, pairs: int | None = None) -> list[Row]:
    """All kinds singly in each phase, in pairs on one row, and on two rows of one account: of these
    `pairs` that the seed chooses, or all."""
    chance = random.Random(seed)
    planted: list[Row] = []

    def add(
        service: str, kinds: tuple[str, ...], account: str = "", *, replanned: bool = False
    ) -> str:
        number = len(planted) + 1
        account = account or f"a{number}"
        row = _row(chance, service, number, account, kinds)
        planted.append(replace(row, replanned=replanned))
        return account

    for service in PHASES:
        for kind in ("", *KINDS):
            add(service, (kind,) if kind else ())
    for pair in ONE_ROW:
        add("nexamaps", pair)
    apart = list(combinations([kind for kind in KINDS if kind != "unlinked"], 2))
    for first, second in apart if pairs is None else chance.sample(apart, pairs):
        account = add("nexamaps", (first,))
        add("nexamaps", (second,), account)
    for service in PHASES:
        for kind in ("", "price", "not_in_app"):
            add(service, (kind,) if kind else (), replanned=True)
    return planted


def _row(
    chance: random.Random, service: str, number: int, account: str, kinds: tuple[str, ...]
) -> Row:
    used = D(chance.randint(40_000, 90_000))
    return Row(
        service=service,
        number=number,
        account=account,
        kinds=kinds,
        used=used,
        late=D(chance.randint(3000, 9000)) if "late" in kinds else D(0),
        back=D(chance.randint(500, 900)),
        edge=(D(chance.randint(200, 900)), D(chance.randint(1000, 2000))),
        messages=D(chance.randint(2000, 9000)),
        other_price=chance.choice(FORMER_PRICES),
    )


def cents(amount: Decimal) -> Decimal:
    return amount.quantize(CENT, ROUND_HALF_UP)


# --- what the app billed -------------------------------------------------------------------------


@dataclass(frozen=True)
class AppLine:
    item_type: str
    metric: str | None
    start: datetime
    end: datetime
    quantity: Decimal | None
    amount: Decimal
    invoice: str = "1"  # a number of its own for each invoice of the subscription's month
    kind: str = "invoice"
    discount: Decimal = NOTHING
    currency: str = "CAD"
    tax: Decimal = NOTHING
    is_proration: bool = False


def app_lines(row: Row) -> Iterator[AppLine]:
    """All that the app billed: August as it should, September as planted."""
    for month in (CLEAN, PLANTED):
        yield from map(taxed, _fees(row, month))
    if row.has("fee_no_order"):
        return
    for month in (CLEAN, PLANTED):
        yield from map(taxed, _messages(row, month))
        yield taxed(_minimum(row, month))
    yield taxed(_line(LOADS, CLEAN, clean_loads(row) - QUOTA, PRICE))
    yield from _loads(row)
    if row.has("not_in_platform"):
        yield taxed(_line(ROUTES, PLANTED, D(40), D("0.05")))


def taxed(line: AppLine) -> AppLine:
    return replace(line, tax=cents(line.amount * TAX))


def clean_loads(row: Row) -> Decimal:
    """August's usage: its own, and what falls on its last evening."""
    return D(20_000) + row.number + row.edge[0]


def local(day: date, hour: int = 0) -> datetime:
    return datetime.combine(day, time(hour), ZONE)


def _line(metric: str, month: date, quantity: Decimal, price: Decimal) -> AppLine:
    return AppLine(
        "charge", metric, local(month), local(NEXT[month]), quantity, cents(quantity * price)
    )


def _fees(row: Row, month: date) -> Iterator[AppLine]:
    fee = AppLine("subscription", None, local(month), local(NEXT[month]), D(1), FEE)
    if month == CLEAN:
        yield fee
        return
    if row.has("fee_not_in_app"):
        return
    if row.has("fee_days"):
        # From the 11th on: 20 of 30 days.
        fee = replace(fee, start=local(date(2026, 9, 11)), amount=cents(FEE * 20 / 30))
    if row.has("fee_price"):
        fee = replace(fee, amount=D("25.00"))
    if row.has("fee_rounding"):
        fee = replace(fee, amount=FEE - CENT)
    if row.has("fee_discount"):
        fee = replace(fee, amount=D("24.65"), discount=D("4.35"))
    if row.has("fee_currency"):
        fee = replace(fee, currency="USD")
    yield fee
    if row.has("fee_twice"):
        yield replace(fee, invoice="again")


def _minimum(row: Row, month: date) -> AppLine:
    """One unit, as Lago has it, and as it should be, whatever else of the month is not."""
    used = clean_loads(row) if month == CLEAN else row.used
    billed = cents((used - QUOTA) * PRICE) + _tiered(row) + (FEE if row.has_order_fee else D(0))
    missing = MINIMUM - billed
    return AppLine("minimum_commitment", None, local(month), local(NEXT[month]), D(1), missing)


def _tiered(row: Row) -> Decimal:
    first, second = TIER_PRICES
    return cents(TIER * first + (row.messages - TIER) * second)


def _messages(row: Row, month: date) -> Iterator[AppLine]:
    first, _ = TIER_PRICES
    line = replace(_line(MESSAGES, month, row.messages, D(0)), amount=_tiered(row))
    if month == PLANTED and row.has("one_tier"):
        line = replace(line, amount=cents(row.messages * first))
    yield line


def _loads(row: Row) -> Iterator[AppLine]:
    if row.has("not_in_app"):
        return
    counted = row.used - row.late
    quota = D(0) if row.has("no_quota") else OLD_QUOTA if row.has("old_quota") else QUOTA
    if row.has("utc_months"):
        counted += row.edge[0] - row.edge[1]
    quantity = counted - quota
    if row.has("quantity"):
        quantity = (quantity * D("0.9")).quantize(D(1), ROUND_FLOOR)
    price = row.other_price if row.has("price") else PRICE
    line = _line(LOADS, PLANTED, quantity, price)
    if row.has("utc_months"):
        line = replace(
            line,
            start=datetime(2026, 9, 1, tzinfo=UTC),
            end=datetime(2026, 10, 1, tzinfo=UTC),
        )
    if row.has("rounding"):
        line = replace(line, amount=line.amount - CENT)
    if row.has("discount"):
        given = cents(line.amount / 10)
        line = replace(line, amount=line.amount - given, discount=given)
    if row.has("app_currency"):
        line = replace(line, currency="USD")
    if row.has("moved"):
        yield taxed(replace(line, start=local(AFTER), end=local(NEXT[AFTER]), invoice="late"))
        return
    line = replace(line, tax=cents(line.amount * (D("0.05") if row.has("tax") else TAX)))
    yield line
    if row.has("duplicate"):
        yield replace(line, invoice="again")
    if row.has("proration"):
        back = -cents(line.amount / 7)
        yield taxed(replace(line, quantity=None, amount=back, discount=D(0), is_proration=True))
    if row.has("app_credit"):
        back = -cents(line.amount / 5)
        yield taxed(
            replace(
                line,
                quantity=None,
                amount=back,
                discount=D(0),
                kind="credit_note",
                invoice="credit",
            )
        )
