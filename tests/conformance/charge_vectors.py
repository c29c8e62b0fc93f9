"""Vectors of charge models: stated units, a price, and what Lago's fee comes to."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date, timedelta
from decimal import ROUND_CEILING, ROUND_HALF_UP, Decimal
from typing import Any

import lago_charges as charges
from expectations import compare_groups, expect_amounts
from readings import Reading
from trials import Case, Charge, Event, Metric, Schedule, Tier, Trial, to_places, within
from vectors import Vector, VectorError, items, number, only, plain

# Thirty days, so that halves, thirds, fifths and tenths of a period are whole days.
APRIL = Schedule(date(2023, 4, 1))
NO_ORDER = "its events are in no order of time"
_MONTHS = (
    (30, date(2023, 4, 1)),
    (31, date(2023, 3, 1)),
    (28, date(2023, 2, 1)),
    (29, date(2024, 2, 1)),
)


def charge_trial(vector: Vector) -> Trial:
    """category charge_model"""
    prorated = vector.flag("prorated") or vector.model.startswith("prorated_")
    charge = charges.charge(
        vector.model.removeprefix("prorated_"), vector.need("properties"), prorated=prorated
    )
    if not vector.flag("premium"):
        charge = replace(charge, terms=charges.without_premium(charge.terms))
    kind = charges.aggregation(vector.take("aggregation", "sum_agg"))
    metric = charges.metric(vector, kind, recurring=prorated or vector.flag("recurring"))
    if vector.take("exclude_event", False):
        raise VectorError("exclude_event: what Lago bills in advance per event")
    vector.take("derive_running_total")  # event_values say the same
    trial = Trial()
    if "events" in vector:
        events, first = _stated_events(vector, metric.field_name), APRIL.start
        cents = vector.take("precise_total_amount_cents")
        if cents is not None and cents != plain(
            sum((event.cents or Decimal(0) for event in events), Decimal(0))
        ):
            raise VectorError("precise_total_amount_cents is not the sum of the events' own")
    elif prorated:
        events, first = _prorated_events(vector)
    else:
        events, first = _events(vector, kind), APRIL.start
    trial.cases.append(Case(metric, (charge,), tuple(events), replace(APRIL, start=first), first))
    _expect_what_was_sent(vector, trial, prorated)
    _expect(vector, trial, prorated)
    return trial


def tier_trial(vector: Vector) -> Trial:
    """category charge_model_tier: one range of several"""
    fields = ("rate" if vector.model == "graduated_percentage" else "per_unit_amount",)
    tier = charges.tier(vector.need("range"), (*fields, "flat_amount"))
    step = Decimal(0) if vector.flag("adjacent") else Decimal(1)
    tiers = [tier]
    if tier.from_value > 0:
        tiers.insert(0, Tier(Decimal(0), tier.from_value - step))
    if tier.to_value is not None:
        tiers.append(Tier(tier.to_value + step, None))
    place = tiers.index(tier) + 1
    units = vector.number("units")
    trial = Trial()
    trial.cases.append(
        Case(
            Metric(),
            (Charge(vector.model, tiers=tuple(tiers)),),
            tuple(charges.events_of("sum", [units] if units else [], APRIL.start)),
            APRIL,
            APRIL.start,
        )
    )

    def of_tier(column: str, minus: str | None = None) -> Any:
        def observe(reading: Reading) -> Decimal:
            rows = [row for row in reading.lines() if row["tier"] == place]
            return sum(
                (row[column] - (row[minus] or 0 if minus else 0) for row in rows), Decimal(0)
            )

        return observe

    for name, observe in (
        ("expected_units", of_tier("quantity_used")),
        ("expected_per_unit_total", of_tier("amount_precise", "flat_amount")),
        ("expected_amount", of_tier("amount_precise")),
    ):
        if name in vector:
            trial.check(name, vector.number(name), observe)
    return trial


def _events(vector: Vector, kind: str) -> list[Event]:
    units = vector.number("units")
    if kind in ("count", "unique"):
        return charges.events_of(kind, charges.counted(kind, units, vector), APRIL.start)
    events = charges.events_of(kind, charges.values_of(vector, units), APRIL.start)
    if "precise_total_amount_cents" in vector:
        if len(events) != 1:
            raise VectorError("precise_total_amount_cents of how many events?")
        cents = vector.number("precise_total_amount_cents")
        return [replace(events[0], cents=cents)]
    return events


def _stated_events(vector: Vector, field_name: str) -> list[Event]:
    made = []
    for place, record in enumerate(items(vector.need("events"), "events")):
        if not isinstance(record, dict):
            raise VectorError(f"an event is {record!r}, not an object")
        properties = {
            name: plain(value) if isinstance(value, Decimal) else value
            for name, value in record.items()
            if name != "precise_total_amount_cents"
        }
        cents = record.get("precise_total_amount_cents")
        made.append(
            Event(
                charges.noon(APRIL.start, place),
                properties,
                None if cents is None else number(cents, "precise_total_amount_cents"),
            )
        )
    return made


def _prorated_events(vector: Vector) -> tuple[list[Event], date]:
    """Events on the days that prorate each value to what the vector states, or two events that
    come to its units and full units; and the first day of the month that has such days."""
    units, full = vector.number("units"), vector.number("full_units_number")
    if "event_values" not in vector:
        return _two_events(units, full)
    values = [number(one, "event_values") for one in items(vector.take("event_values"), "values")]
    shares = [
        number(one, "event_prorated_values")
        for one in items(vector.need("event_prorated_values"), "event_prorated_values")
    ]
    if len(values) != len(shares) or sum(values, Decimal(0)) != full:
        raise VectorError("event_values, event_prorated_values and full_units_number disagree")
    for days, first in _MONTHS:
        left = [
            int((share / value * days).to_integral_value()) if value else days
            for value, share in zip(values, shares, strict=True)
        ]
        if all(
            1 <= day <= days and abs(value * day / days - share) <= _last_place(share)
            for value, share, day in zip(values, shares, left, strict=True)
        ):
            dated = _in_order_of_time(list(zip(values, left, strict=True)), vector)
            return [
                Event(
                    charges.noon(first + timedelta(days=days - day), place),
                    {"value": plain(value)},
                )
                for place, (value, day) in enumerate(dated)
            ], first
    raise VectorError("no month prorates event_values to event_prorated_values")


def _in_order_of_time(
    dated: list[tuple[Decimal, int]], vector: Vector
) -> list[tuple[Decimal, int]]:
    """Events with their days left, none with more than the one before it.

    Lago's specification hands its tiers values in an order that no time has: after one with 6 days
    left, 6 units fewer with 11. To the tiers that is 12 fewer with 6 days left and 6 more with 1,
    if all of them lie in one tier: the same units, the same price. VectorError where none fits.
    """
    bounds = _tier_bounds(vector.take("properties"))
    ordered: list[tuple[Decimal, int]] = []
    reached = Decimal(0)
    for value, day in dated:
        before = ordered[-1][1] if ordered else day
        if day <= before:
            ordered.append((value, day))
        else:
            floor = max((bound for bound in bounds if bound <= reached + value), default=None)
            if value >= 0 or floor is None or any(floor < bound < reached for bound in bounds):
                raise VectorError(NO_ORDER)
            ordered.extend(_as_two(value, day, before, reached + value - floor))
        reached += value
    return ordered


def _as_two(value: Decimal, day: int, before: int, room: Decimal) -> list[tuple[Decimal, int]]:
    for after in range(before - 1, 0, -1):
        more = -value * (day - before) / (before - after)
        if more <= room and more == int(more):
            return [(value - more, before), (more, after)]
    raise VectorError(NO_ORDER)


def _tier_bounds(properties: Any) -> list[Decimal]:
    """Where tiers end: the last unit of each, and 0."""
    ranges = properties.get("graduated_ranges") or []
    ends = [one["to_value"] for one in ranges if one.get("to_value") is not None]
    return [Decimal(0), *(number(end, "to_value") for end in ends)]


def _last_place(value: Decimal) -> Decimal:
    return Decimal(1).scaleb(int(value.as_tuple().exponent))


def _two_events(units: Decimal, full: Decimal) -> tuple[list[Event], date]:
    """One event that counts in full, and one in the middle of the month or later."""
    for day in (16, 11, 6, 21, 25, 28, 26, 30):
        used = Decimal(31 - day) / 30
        late = ((full - units) / (1 - used)).quantize(Decimal("1e-12")) if day > 1 else full
        if abs(late) <= abs(full) and late * (31 - day) / 30 + full - late == units:
            late = late.normalize()
            days = [(full - late, 1), (late, day)]
            return [
                Event(charges.noon(APRIL.start.replace(day=on)), {"value": plain(value)})
                for value, on in days
                if value
            ], APRIL.start
    raise VectorError(f"no two events prorate {full} units to {units}")


def _expect_what_was_sent(vector: Vector, trial: Trial, prorated: bool) -> None:
    """The usage made here is what the vector says, or nothing that follows would mean anything."""
    units = vector.take("units")
    if units is None:
        return
    sent = number(units, "units")
    if sent >= 0:
        close = within(max(_last_place(sent), Decimal("1e-5"))) if prorated else None
        trial.check("units", sent, Reading.units, close, is_input=True)
    if "full_units_number" in vector and sent >= 0:
        full = vector.number("full_units_number")
        trial.check("full_units_number", full, Reading.full_units, is_input=True)
    vector.take("full_units_number")


def _expect(vector: Vector, trial: Trial, prorated: bool) -> None:
    agrees = None
    rounding = vector.take("expected_amount_rounding")
    if rounding is not None:
        way = re.fullmatch(r"(round|ceil)\((\d+)\)", str(rounding))
        if way is None:
            raise VectorError(f"expected_amount_rounding is {rounding!r}")
        agrees = to_places(int(way[2]), ROUND_CEILING if way[1] == "ceil" else ROUND_HALF_UP)
    is_discarded = "expected_fee_amount_cents" in vector and vector.number("units", "0") < 0
    if is_discarded:
        for name in ("expected_amount", "expected_unit_amount"):
            if name in vector:
                vector.take(name)
                trial.not_compared[name] = (
                    "a price of negative units, which Lago's fee discards too"
                )
    elif "expected_amount" in vector:
        trial.check("expected_amount", vector.number("expected_amount"), Reading.amount, agrees)
    if "expected_unit_amount" in vector and not is_discarded:
        places = vector.take("expected_unit_amount_rounded_to")
        trial.check(
            "expected_unit_amount",
            vector.number("expected_unit_amount"),
            Reading.unit_amount,
            None if places is None else to_places(int(places)),
        )
    if "expected_tier_units" in vector:
        stated = items(vector.take("expected_tier_units"), "expected_tier_units")
        trial.check(
            "expected_tier_units",
            [number(one, "expected_tier_units") for one in stated],
            Reading.tier_units,
        )
    if "expected_paid_units" in vector:
        trial.check("expected_paid_units", vector.number("expected_paid_units"), Reading.paid_units)
    expect_amounts(vector, trial)
    if "expected_groups" in vector:
        compare_groups(
            trial,
            [
                (
                    only(one, ("grouped_by", "units", "amount_cents", "events_count"), "a group")[
                        "grouped_by"
                    ],
                    {name: value for name, value in one.items() if name != "grouped_by"},
                )
                for one in items(vector.take("expected_groups"), "expected_groups")
            ],
            prorated=prorated,
        )
