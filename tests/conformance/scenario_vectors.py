"""Scenarios: events one after the other, and what is billed or due after some of them.

What a scenario expects at a step is asked of a subscription of its own that got the events up to
there, so that one build answers all steps.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import lago_charges as charges
from intervals import nominal_period, plus_months
from readings import Reading
from times import day, moment
from trials import Case, Event, Metric, Schedule, Trial, within
from vectors import Vector, VectorError, items, number, only, plain

_INTERVALS = {
    "weekly": ("week", 1),
    "monthly": ("month", 1),
    "quarterly": ("month", 3),
    "semiannual": ("month", 6),
    "yearly": ("year", 1),
}
_SENT = ("at", "bill", "event", "events", "add", "remove")
_EXPECTED = (
    "units",
    "units_postgres",
    "units_clickhouse",
    "total_aggregated_units",
    "expected_units",
    "expected_amount_cents",
    "expected_fee_cents",
    "expected_invoice_total_cents",
)
_IN_ADVANCE = "in advance Lago bills the most of a period; here it is billed as it ended"


@dataclass(frozen=True)
class Step:
    """What happened at a time, and what is expected after it."""

    name: str
    at: datetime
    is_bill: bool
    events: list[Event]
    expected: dict[str, Any]


def scenario_trial(vector: Vector) -> Trial:
    """category scenario"""
    properties = vector.need("properties")
    kind = charges.aggregation(vector.need("aggregation"))
    is_prorated, is_advance = vector.flag("prorated"), vector.flag("pay_in_advance")
    if vector.take("timezone", "UTC") != "UTC":
        raise VectorError("only UTC is known as a scenario's timezone")
    metric = charges.metric(vector, kind, recurring=vector.flag("recurring") or is_prorated)
    charge = charges.charge(_charge_model(vector, properties), properties, prorated=is_prorated)
    schedule = _schedule(vector)
    trial, sent = Trial(), list[Event]()
    most: dict[date, Decimal] = {}  # stated units by period, the most so far
    fewer: set[date] = set()  # periods in which some were taken away
    for step in _steps(vector, metric, schedule.start):
        sent.extend(step.events)
        period = _period(schedule, step)
        if any(_takes_away(event, metric) for event in step.events):
            fewer.add(period)
        if not step.expected:
            continue
        units = number(step.expected.get("units", "0"), "units")
        is_most = "units" in step.expected and units >= most.get(period, Decimal(0))
        most[period] = max(units, most.get(period, Decimal(0)))
        in_arrears = not is_advance or (not step.is_bill and (is_most or period not in fewer))
        trial.cases.append(Case(metric, (charge,), tuple(sent), schedule, period))
        _expect(trial, step, is_prorated=is_prorated, amounts=in_arrears)
    return trial


def _takes_away(event: Event, metric: Metric) -> bool:
    value = event.properties.get(metric.field_name)
    return event.properties.get("operation_type") == "remove" or str(value).startswith("-")


def _charge_model(vector: Vector, properties: Any) -> str:
    if vector.model in charges.AGGREGATIONS:
        return charges.model_of(properties)
    return vector.model.removeprefix("prorated_")


def _schedule(vector: Vector) -> Schedule:
    start = day(vector.take("subscription_at", "2024-02-01"), "subscription_at")
    words = str(vector.take("billing", "calendar monthly")).split()
    if len(words) != 2 or words[0] not in ("calendar", "anniversary") or words[1] not in _INTERVALS:
        raise VectorError(f"billing is {' '.join(words)!r}, not like 'calendar monthly'")
    unit, value = _INTERVALS[words[1]]
    return Schedule(start, None, unit, value, words[0])


def _steps(vector: Vector, metric: Metric, start: date) -> list[Step]:
    made: list[Step] = []
    at = charges.noon(start)
    for place, record in enumerate(items(vector.need("steps"), "steps"), 1):
        given = only(record, (*_SENT, *_EXPECTED), f"step {place}")
        # A step without a time follows the one before.
        at = moment(given["at"], "at") if "at" in given else at + timedelta(hours=1)
        if made and at < made[-1].at:
            raise VectorError(f"step {place} is before the one before it")
        made.append(
            Step(
                f"step {place}",
                at,
                bool(given.get("bill")),
                _events(given, metric, at),
                {name: given[name] for name in _EXPECTED if name in given},
            )
        )
    return made


def _events(given: dict[str, Any], metric: Metric, at: datetime) -> list[Event]:
    events = []
    if "event" in given:
        events.append(_event(given["event"], metric, at))
    for one in items(given.get("events") or [], "events"):
        record = only(one, ("timestamp", "value"), "an event of a step")
        stamp = moment(record["timestamp"], "timestamp") if "timestamp" in record else at
        events.append(_event(record.get("value"), metric, stamp))
    events.extend(
        Event(at, {metric.field_name: str(given[operation]), "operation_type": operation})
        for operation in ("add", "remove")
        if operation in given
    )
    return events


def _event(value: object, metric: Metric, at: datetime) -> Event:
    if isinstance(value, dict):
        return Event(at, {name: str(one) for name, one in value.items()})
    return Event(at, {metric.field_name: plain(number(value, "the value of an event"))})


def _period(schedule: Schedule, step: Step) -> date:
    """First day of the period a step is in; a bill is of the period that ended on its day."""
    on = step.at.date() - timedelta(days=1) if step.is_bill else step.at.date()
    if schedule.billing_time == "calendar":
        start = nominal_period(on, schedule.unit, schedule.value, "calendar")[0]
        return max(start, schedule.start)
    months = schedule.value * (12 if schedule.unit == "year" else 1)
    start, count = schedule.start, 0
    while True:
        count += 1
        following = (
            schedule.start + timedelta(days=7 * schedule.value * count)
            if schedule.unit == "week"
            else plus_months(schedule.start, months * count)
        )
        if following > on:
            return start
        start = following


def _expect(trial: Trial, step: Step, *, is_prorated: bool, amounts: bool) -> None:
    case = len(trial.cases) - 1
    for name, value in step.expected.items():
        label = f"{step.name} {name}"
        wanted = number(value, label)
        if name.endswith("_cents"):
            if amounts:
                trial.check(label, wanted, Reading.cents, case=case)
            else:
                trial.not_compared[label] = _IN_ADVANCE
        elif name == "total_aggregated_units":
            trial.check(label, wanted, Reading.carried_units, case=case)
        else:
            trial.check(
                label,
                wanted,
                Reading.full_units if is_prorated else Reading.units,
                # Lago's two databases carry a quotient to different places.
                within(Decimal("1e-10")) if name.startswith("units_") else None,
                case=case,
            )
