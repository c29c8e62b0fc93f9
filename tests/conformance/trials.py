"""What a vector becomes: subscriptions with their usage, and questions to ask of what was rated."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from readings import Reading


@dataclass(frozen=True)
class Metric:
    """A record of x_fc_metric, `aggregation` by our name of it."""

    aggregation: str = "sum"
    field_name: str = "value"
    recurring: bool = False
    rounding_function: str | None = None
    rounding_precision: int | None = None
    filters: dict[str, list[str]] | None = None


@dataclass(frozen=True)
class Tier:
    from_value: Decimal
    to_value: Decimal | None
    unit_price: Decimal = Decimal(0)
    flat_amount: Decimal = Decimal(0)
    rate: Decimal = Decimal(0)


@dataclass(frozen=True)
class Charge:
    """One variant of a charge: a record of x_fc_charge. `terms` are its x_ fields of the model."""

    model: str = "standard"
    terms: dict[str, Decimal] = field(default_factory=dict)
    tiers: tuple[Tier, ...] = ()
    variant: str = ""
    filter: dict[str, list[str]] | None = None
    group_keys: tuple[str, ...] = ()
    prorated: bool = False
    min_amount: Decimal | None = None


@dataclass(frozen=True)
class Event:
    """A Lago event; what the metric reads stands in its properties."""

    at: datetime
    properties: dict[str, Any]
    cents: Decimal | None = None


@dataclass(frozen=True)
class Schedule:
    """How a subscription is billed; `end` is its last day."""

    start: date
    end: date | None = None
    unit: str = "month"
    value: int = 1
    billing_time: str = "calendar"


@dataclass(frozen=True)
class Case:
    """One subscription on a plan of its own, and the period that is looked at."""

    metric: Metric
    charges: tuple[Charge, ...]
    events: tuple[Event, ...]
    schedule: Schedule
    period_start: date
    base_fee: Decimal | None = None


@dataclass(frozen=True)
class Check:
    """One expectation: the key of the vector that states it, and how the rated case answers."""

    name: str
    expected: Any
    observe: Callable[[Sequence[Reading]], Any]
    agrees: Callable[[Any, Any], bool]
    is_input: bool = False  # what the vector says of the usage, not of what comes of it


@dataclass
class Trial:
    """A vector made ready. `not_compared` names expectations that were left out, and why."""

    cases: list[Case] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)
    not_compared: dict[str, str] = field(default_factory=dict)

    def check(
        self,
        name: str,
        expected: Any,
        observe: Callable[[Reading], Any],
        agrees: Callable[[Any, Any], bool] | None = None,
        *,
        case: int = 0,
        is_input: bool = False,
    ) -> None:
        """Adds an expectation of one case; numbers agree when they are equal to 12 decimals."""
        assert all(one.name != name for one in self.checks), name
        self.checks.append(
            Check(
                name, expected, lambda readings: observe(readings[case]), agrees or same, is_input
            )
        )


# PostgreSQL gives a quotient at least 16 significant digits, never an infinite expansion.
_EXACT = Decimal("1e-12")


def same(expected: Any, got: Any) -> bool:
    """Equal: numbers to 12 decimals (of a number above 1, to 12 significant decimals)."""
    if isinstance(expected, Decimal) and isinstance(got, Decimal):
        return abs(expected - got) <= _EXACT * max(Decimal(1), abs(expected))
    return bool(expected == got)


def within(tolerance: Decimal) -> Callable[[Any, Any], bool]:
    """Numbers that differ by no more than the tolerance."""
    return lambda expected, got: isinstance(got, Decimal) and abs(expected - got) <= tolerance


def to_places(places: int, way: str = ROUND_HALF_UP) -> Callable[[Any, Any], bool]:
    """Numbers that are equal once the observed one is rounded, half-up unless told."""
    return lambda expected, got: (
        isinstance(got, Decimal) and got.quantize(Decimal(1).scaleb(-places), way) == expected
    )


def as_stated(expected: Decimal) -> Callable[[Any, Any], bool]:
    """As many decimals as the vector states, when these are fewer than a quotient has."""
    places = -int(expected.as_tuple().exponent)
    return to_places(places) if 6 <= places <= 16 else same
