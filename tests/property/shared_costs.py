"""Small worlds of provider costs and usage, and each account's share of them, as fractions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

from hypothesis import strategies as st

DAYS = (date(2026, 9, 29), date(2026, 9, 30), date(2026, 10, 1))
SERVICES = ("a", "b")
PROVIDERS, SKUS = ("one", "two"), ("x", "y")
METRICS, UNKNOWN = ("used", "also_used"), "nobodys"
SOURCES = ("odoo", "fusion_api", "api")  # the first of those that tell a cost is believed
RATES = {"CAD": Fraction(1), "USD": Fraction("0.7213"), "EUR": Fraction("0.6507")}


class Segment(NamedTuple):
    """A time of a subscription on one plan; days inclusive, None is open."""

    subscription: str
    service: str
    account: str
    plan: str
    start: date = date(2026, 1, 1)
    end: date | None = None


# a1 is on two plans at once, a2 changes its plan on the first of October.
SEGMENTS = (
    Segment("s0", "a", "a1", "team"),
    Segment("s1", "a", "a1", "pro"),
    Segment("s2", "a", "a2", "team", end=date(2026, 9, 30)),
    Segment("s2", "a", "a2", "pro", start=date(2026, 10, 1)),
    Segment("s3", "a", "a3", "team"),
    Segment("s4", "b", "b1", "team"),
    Segment("s5", "b", "b2", "team"),
)
ACCOUNTS = {"a": ("a1", "a2", "a3", "a_unlinked"), "b": ("b1", "b2")}
SUBSCRIPTIONS = sorted({segment.subscription for segment in SEGMENTS})


@dataclass(frozen=True)
class Cost:
    source: str
    provider: str
    sku: str
    day: date
    service: str | None
    account: str | None
    quantity: Decimal
    amount: Decimal
    currency: str

    @property
    def told(self) -> tuple[object, ...]:
        """What makes it one cost, whoever tells it."""
        return (self.provider, self.sku, self.day, self.service, self.account)


class Bearer(NamedTuple):
    """Who bears a part of a cost; all None: nobody."""

    service: str | None
    account: str | None
    plan: str | None


@dataclass(frozen=True)
class World:
    """`usage` by day, metric and subscription; `drivers` by provider and SKU, `*` for every SKU."""

    costs: tuple[Cost, ...]
    usage: dict[tuple[date, str, str], Decimal]
    drivers: dict[tuple[str, str], str]

    def counted(self) -> Iterator[Cost]:
        """Every cost once, as the source tells it that is believed."""
        told: dict[tuple[object, ...], Cost] = {}
        for cost in sorted(self.costs, key=lambda each: SOURCES.index(each.source)):
            told.setdefault(cost.told, cost)
        yield from told.values()

    def driver(self, cost: Cost) -> str | None:
        return self.drivers.get((cost.provider, cost.sku)) or self.drivers.get((cost.provider, "*"))

    def shares(self, cost: Cost) -> dict[Bearer, Fraction]:
        """Who bears which part; the parts are 1."""
        if cost.account is not None:
            plans = {
                segment.plan
                for segment in SEGMENTS
                if segment.account == cost.account and _serves(segment, cost.day)
            }
            plan = plans.pop() if len(plans) == 1 else None
            return {Bearer(cost.service, cost.account, plan): Fraction(1)}
        used: dict[Bearer, Fraction] = defaultdict(Fraction)
        for segment in SEGMENTS:
            if cost.service in (None, segment.service) and _serves(segment, cost.day):
                key = (cost.day, self.driver(cost) or "", segment.subscription)
                bearer = Bearer(segment.service, segment.account, segment.plan)
                used[bearer] += Fraction(self.usage.get(key, Decimal(0)))
        used = defaultdict(Fraction, {who: each for who, each in used.items() if each > 0})
        whole = sum(used.values())
        if not whole:
            return {Bearer(cost.service, None, None): Fraction(1)}
        return {who: each / whole for who, each in used.items()}


def _serves(segment: Segment, day: date) -> bool:
    return segment.start <= day <= (segment.end or date.max)


def _decimals(places: int, largest: int) -> st.SearchStrategy[Decimal]:
    unit = Decimal(1).scaleb(-places)
    return st.integers(-largest, largest).map(lambda whole: whole * unit)


_amounts = st.one_of(
    _decimals(2, 5_000), _decimals(6, 9_999_999), _decimals(9, 10**12), st.just(Decimal("10.00"))
)
_quantities = st.one_of(
    st.integers(1, 5).map(Decimal), _decimals(4, 90_000), st.just(Decimal(0)), st.just(Decimal(1))
)


@st.composite
def _costs(draw: st.DrawFn) -> Cost:
    service = draw(st.sampled_from((None, *SERVICES)))
    accounts = ACCOUNTS[service] if service else ()
    return Cost(
        source=draw(st.sampled_from(SOURCES)),
        provider=draw(st.sampled_from(PROVIDERS)),
        sku=draw(st.sampled_from(SKUS)),
        day=draw(st.sampled_from(DAYS)),
        service=service,
        account=draw(st.sampled_from((None, None, None, *accounts))),
        quantity=draw(_quantities),
        amount=draw(_amounts),
        currency=draw(st.sampled_from(sorted(RATES))),
    )


worlds = st.builds(
    lambda costs, usage, drivers: World(tuple(costs), usage, drivers),
    st.lists(_costs(), min_size=1, max_size=12, unique_by=lambda cost: (cost.source, cost.told)),
    st.dictionaries(
        st.tuples(st.sampled_from(DAYS), st.sampled_from(METRICS), st.sampled_from(SUBSCRIPTIONS)),
        _quantities,
        max_size=30,
    ),
    st.dictionaries(
        st.tuples(st.sampled_from(PROVIDERS), st.sampled_from((*SKUS, "*", "*"))),
        st.sampled_from((*METRICS, *METRICS, UNKNOWN)),
        max_size=4,
    ),
)
