"""Vectors of aggregations: events, a period, and the units they come to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import lago_charges as charges
from expectations import compare_groups, expect_amounts
from intervals import nominal_period, schedule_for
from readings import Reading, as_group, in_group, total
from times import day_after, moment
from trials import Case, Charge, Event, Metric, Schedule, Trial, to_places
from vectors import Vector, VectorError, items, number, only, plain

# Anything is priced at 1 a unit: these vectors ask for units.
_ONE = Charge(terms={"x_unit_price": Decimal(1)})
MATCHING = "matching"


def rounding_trial(vector: Vector) -> Trial:
    """category rounding"""
    metric = Metric(
        rounding_function=vector.need("function"), rounding_precision=vector.take("precision")
    )
    schedule = Schedule(date(2023, 4, 1))
    events = charges.events_of("sum", [vector.number("units")], schedule.start)
    trial = Trial([Case(metric, (_ONE,), tuple(events), schedule, schedule.start)])
    trial.check("expected_units", vector.number("expected_units"), Reading.units)
    return trial


def aggregation_trial(vector: Vector) -> Trial:
    """category aggregation"""
    prorated, initial = vector.flag("prorated"), _initial(vector)
    persisted = vector.take("persisted_duration")
    is_recurring = (
        vector.flag("recurring")
        or prorated
        or any(value for _, value in initial)
        or persisted is not None
        or "expected_variation" in vector  # seen in what the next period begins with
    )
    metric = charges.metric(vector, charges.aggregation(vector.model), recurring=is_recurring)
    events = [_event(record) for record in items(vector.need("events"), "events")]
    schedule = _schedule(vector, events)
    before = charges.noon(schedule.start - timedelta(days=1))
    for group, value in initial:
        if value:
            events.insert(0, Event(before, {**group, metric.field_name: plain(value)}))
    if persisted is not None:
        events, schedule = _persisted(events, schedule, persisted)
    charge = replace(
        _charge_of_options(vector),
        prorated=prorated or persisted is not None,
        group_keys=_group_keys(vector),
    )
    variants = _filters(vector, charge)
    trial = Trial([Case(metric, variants, tuple(events), schedule, schedule.start)])
    _expect(vector, trial, metric, is_prorated=charge.prorated)
    return trial


def _initial(vector: Vector) -> list[tuple[dict[str, Any], Decimal]]:
    """What was there before the period: one value, or one of each group."""
    stated: list[tuple[dict[str, Any], Decimal]] = []
    if "initial_value" in vector:
        stated.append(({}, vector.number("initial_value")))
    for one in items(vector.take("initial_values") or [], "initial_values"):
        if not isinstance(one, dict) or "value" not in one:
            raise VectorError(f"an initial value is {one!r}")
        group = one.get("grouped_by", {name: one[name] for name in one if name != "value"})
        stated.append((group, number(one["value"], "initial_values")))
    return stated


def _event(record: object) -> Event:
    if not isinstance(record, dict) or "t" not in record:
        raise VectorError(f"an event is {record!r}, without its time t")
    properties: dict[str, Any] = {
        "operation_type" if name == "op" else name: plain(value)
        if isinstance(value, Decimal)
        else value
        for name, value in record.items()
        if name != "t"
    }
    return Event(moment(record["t"], "t"), properties)


def _schedule(vector: Vector, events: list[Event]) -> Schedule:
    """The stated period; without one the month of the first event."""
    if "period" not in vector:
        first = min((event.at.date() for event in events), default=date(2023, 4, 1))
        return Schedule(nominal_period(first, "month", 1, "calendar")[0])
    period = only(vector.take("period"), ("from", "to", "charges_duration_days"), "period")
    days = period.get("charges_duration_days")
    start = moment(period.get("from"), "period from")
    return schedule_for(
        start.date(),
        day_after(moment(period.get("to"), "period to")),
        None if days is None else int(number(days, "charges_duration_days")),
    )


def _persisted(
    events: list[Event], schedule: Schedule, days: object
) -> tuple[list[Event], Schedule]:
    """Every event counts for so many days of the full period: all came before it, and it is cut to
    these days."""
    if not isinstance(days, int):
        raise VectorError(f"persisted_duration is {days!r}")
    first, after = nominal_period(
        schedule.start, schedule.unit, schedule.value, schedule.billing_time
    )
    start = after - timedelta(days=days)
    if start < first:
        raise VectorError(f"persisted_duration {days} is longer than the period")
    latest = max(event.at for event in events).date()
    back = max((latest - start).days + 1, 0)
    moved = [replace(event, at=event.at - timedelta(days=back)) for event in events]
    return moved, replace(schedule, start=start, end=None)


def _charge_of_options(vector: Vector) -> Charge:
    """Lago hands an aggregation the free units of a percentage charge."""
    names = ("free_units_per_events", "free_units_per_total_aggregation")
    options = only(vector.take("options") or {}, names, "options")
    if not options:
        return _ONE
    return charges.charge("percentage", {"rate": Decimal(1), **options})


def _group_keys(vector: Vector) -> tuple[str, ...]:
    return (
        *items(vector.take("grouped_by") or [], "grouped_by"),
        *(vector.take("grouped_by_values") or {}),
    )


def _filters(vector: Vector, charge: Charge) -> tuple[Charge, ...]:
    """The charge as the filter's variant, beside variants that take the ignored events: Lago
    ignores what a more specific filter of the same charge matches, so these are such filters."""
    matching = vector.take("matching_filters") or {}
    ignored = items(vector.take("ignored_filters") or [], "ignored_filters")
    if ignored and not matching:
        raise VectorError("ignored_filters without matching_filters")
    if not matching:
        return (charge,)
    return (
        charge,
        replace(charge, variant=MATCHING, filter=matching),
        *(
            replace(charge, variant=f"ignored{place}", filter={**matching, **one})
            for place, one in enumerate(ignored, 1)
        ),
    )


def _expect(vector: Vector, trial: Trial, metric: Metric, *, is_prorated: bool) -> None:
    is_variant = bool(vector.take("matching_filters"))
    # In advance Lago bills every unit in full on the billing day; proration is for those added.
    in_full = vector.flag("bill_full")
    vector.take("pay_in_advance")
    # What the store answers before LatestService makes a negative 0.
    floored = vector.flag("store_level") and metric.aggregation == "last"
    tolerance = vector.take("tolerance")

    observe: Callable[[Reading], Any] = Reading.full_units if in_full else Reading.units
    count: Callable[[Reading], Any] = Reading.events_count
    values = vector.take("grouped_by_values")
    if values:
        group = as_group(values)
        observe = in_group(group, "full_units" if in_full else "units")
        count = in_group(group, "events_count")
    elif is_variant:
        observe, count = _of_variant("units"), _of_variant("events_count")

    places = vector.take("expected_rounded_to")
    if "expected_units" in vector:
        wanted = vector.number("expected_units")
        trial.check(
            "expected_units",
            max(wanted, Decimal(0)) if floored else wanted,
            observe,
            None if places is None else to_places(int(places)),
        )
    for name in ("expected_current_usage_units", "expected_full_units_number"):
        if name in vector:
            trial.check(name, vector.number(name), Reading.full_units)
    if "expected_variation" in vector:
        carried = vector.number("expected_variation") + sum(
            (value for _, value in _initial(vector)), Decimal(0)
        )
        trial.check(
            "expected_variation (and the initial value, in the next period)",
            carried,
            Reading.carried_units,
        )
        vector.take("expected_variation")
    if "expected_running_total" in vector:
        stated = [
            number(one, "expected_running_total")
            for one in items(vector.take("expected_running_total"), "expected_running_total")
        ]
        # Lago stops reading where the free units end; how far it read changes no price.
        trial.check(
            "expected_running_total",
            stated,
            lambda reading: reading.running_total()[: len(stated)],
        )
    if "expected_groups" in vector:
        _expect_groups(vector, trial, is_prorated, is_variant, floored, tolerance, places)
    expect_amounts(vector, trial, count)


def _of_variant(column: str) -> Callable[[Reading], Decimal]:
    return lambda reading: total(reading.usage(MATCHING), column)


def _expect_groups(
    vector: Vector,
    trial: Trial,
    is_prorated: bool,
    is_variant: bool,
    floored: bool,
    tolerance: object,
    places: int | None,
) -> None:
    keys = _group_keys(vector)
    expected = []
    for one in items(vector.take("expected_groups"), "expected_groups"):
        stated = only(one, (*keys, "units", "prorated", "events_count", "amount_cents"), "a group")
        figures = {name: value for name, value in stated.items() if name not in keys}
        if floored:
            figures["units"] = max(number(figures["units"], "units"), Decimal(0))
        expected.append(({name: stated.get(name) for name in keys}, figures))
    compare_groups(
        trial,
        expected,
        prorated=is_prorated,
        tolerance=None if tolerance is None else number(tolerance, "tolerance"),
        places=None if places is None else int(places),
        variant=MATCHING if is_variant else None,
    )
