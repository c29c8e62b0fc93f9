"""Vectors of filters: which events a filter gets, seen by sending one of every kind."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import product

from readings import Reading, total
from trials import Case, Charge, Event, Metric, Schedule, Trial
from vectors import Vector, VectorError, items

_START = date(2023, 4, 1)
_STRANGE = "a value that the metric does not know"
_MOST_EVENTS = 4096

Values = dict[str, list[str]]


@dataclass(frozen=True)
class Names:
    """Kinds of events by number; printed as how many they are."""

    kinds: frozenset[str]

    def __str__(self) -> str:
        return f"{len(self.kinds)} kinds of events"


def filter_trial(vector: Vector) -> Trial:
    """category filter. Each kind of event (every known value, an unknown one and none of every
    property) is one event whose value is a power of two, so that the units of a variant tell
    which of them it got."""
    known = _values(vector.need("metric_filter_values"), "metric_filter_values")
    filters = vector.need("filters")
    if not isinstance(filters, dict):
        raise VectorError("filters is no object of filters by name")
    asked = str(vector.need("filter"))
    if asked not in filters:
        raise VectorError(f"filter {asked} is none of the filters")
    matching = _values(vector.need("expected_matching"), "expected_matching")
    ignored = [_values(one, "expected_ignored") for one in items(vector.need("expected_ignored"),
                                                                 "expected_ignored")]  # fmt: skip
    kinds = list(_kinds(known))
    begin = datetime(_START.year, _START.month, _START.day, tzinfo=UTC)
    events = [
        Event(begin + timedelta(seconds=place), {**kind, "value": str(2**place)})
        for place, kind in enumerate(kinds)
    ]
    charge = Charge(terms={"x_unit_price": Decimal(1)})
    variants = [
        Charge(terms=charge.terms, variant=name, filter=_values(filters[name], name))
        for name in filters
    ]
    wanted = frozenset(
        _name(kind)
        for kind in kinds
        if _matches(kind, matching) and not any(_matches(kind, one) for one in ignored)
    )

    def got(reading: Reading) -> Names:
        units = int(total(reading.usage(asked), "units"))
        return Names(
            frozenset(_name(kind) for place, kind in enumerate(kinds) if units >> place & 1)
        )

    trial = Trial(
        [Case(Metric(filters=known), (charge, *variants), tuple(events), Schedule(_START), _START)]
    )
    trial.check("expected_matching and expected_ignored", Names(wanted), got)
    return trial


def _kinds(known: Values) -> Iterator[dict[str, str]]:
    choices = [[(name, value) for value in (*values, _STRANGE, None)]
               for name, values in known.items()]  # fmt: skip
    for made, chosen in enumerate(product(*choices)):
        if made == _MOST_EVENTS:
            raise VectorError(f"more than {_MOST_EVENTS} kinds of events")
        yield {name: value for name, value in chosen if value is not None}


def _matches(kind: dict[str, str], wanted: Values) -> bool:
    return all(kind.get(name) in values for name, values in wanted.items())


def _name(kind: dict[str, str]) -> str:
    return ",".join(f"{name}={value}" for name, value in sorted(kind.items()))


def _values(value: object, where: str) -> Values:
    if not isinstance(value, dict):
        raise VectorError(f"{where} is no object of values by property")
    return {
        str(name): [str(one) for one in items(values, f"{where}.{name}")]
        for name, values in value.items()
    }
