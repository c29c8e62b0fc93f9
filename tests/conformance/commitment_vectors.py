"""Vectors of minimums: of a charge, of a plan; and of the subscription's own fee."""

from __future__ import annotations

from decimal import Decimal

import lago_charges as charges
from intervals import schedule_of_days
from readings import Reading, total
from times import day
from trials import Case, Charge, Metric, Schedule, Trial, as_stated
from vectors import Vector, VectorError

_PRICE = {"x_unit_price": Decimal(1)}


def true_up_trial(vector: Vector) -> Trial:
    """category true_up: a charge's minimum, and what its usage comes to without it"""
    schedule, used = _schedule(vector), vector.number("used_amount_cents") / 100
    charge = Charge(terms=_PRICE, min_amount=vector.number("min_amount_cents") / 100)
    events = charges.events_of("sum", [used] if used else [], schedule.start)
    trial = Trial([Case(Metric(), (charge,), tuple(events), schedule, schedule.start)])
    trial.check("used_amount_cents", 100 * used, Reading.cents, is_input=True)

    if "expected_amount_cents" in vector:
        trial.check(
            "expected_amount_cents",
            _no_fee_is_nothing(vector),
            lambda reading: 100 * total(reading.true_up(), "amount"),
        )
    if "expected_precise_amount_cents" in vector:
        precise = vector.number("expected_precise_amount_cents")
        trial.check(
            "expected_precise_amount_cents",
            precise,
            lambda reading: 100 * total(reading.true_up(), "amount_precise"),
            as_stated(precise),
        )
    return trial


def commitment_trial(vector: Vector) -> Trial:
    """category min_commitment: a plan's minimum beside its recurring fee, without usage"""
    schedule = _schedule(vector)
    commitment = Charge(
        model="minimum_commitment", min_amount=vector.number("commitment_cents") / 100
    )
    trial = Trial(
        [
            Case(
                Metric(),
                (Charge(terms=_PRICE), commitment),
                (),
                schedule,
                schedule.start,
                base_fee=vector.number("plan_amount_cents", "0") / 100,
            )
        ]
    )
    trial.check(
        "expected_amount_cents",
        _no_fee_is_nothing(vector),
        lambda reading: 100 * total(reading.commitment(), "amount"),
    )
    return trial


def subscription_trial(vector: Vector) -> Trial:
    """category subscription_proration"""
    raise VectorError("the subscription's own fee is invoiced by Odoo")


def _no_fee_is_nothing(vector: Vector) -> Decimal:
    if vector.take("expected_amount_cents") is None:
        return Decimal(0)
    return vector.number("expected_amount_cents")


def _schedule(vector: Vector) -> Schedule:
    days, period_days = vector.number("days"), vector.number("period_days")
    start, billed = vector.take("subscription_at"), vector.take("billed_at")
    return schedule_of_days(
        int(days),
        int(period_days),
        None if start is None else day(start, "subscription_at"),
        None if billed is None else day(billed, "billed_at"),
    )
