"""Histories of subscriptions: strategies that make them, and what they mean, day by day.

The meaning is written from DECISIONS.md › Periods without the arithmetic of the models: it asks of
every single day who serves it and which period it lies in.
"""

from __future__ import annotations

import calendar
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import NamedTuple

from hypothesis import strategies as st

DAY = timedelta(days=1)
# Long enough before today's date, whatever it is, that the endpoint takes every counter.
FIRST_DAY, LAST_DAY = date(2023, 6, 1), date(2025, 3, 20)
LONGEST = timedelta(days=2 * 366)  # the longest interval below

PLANS = ("desk_team", "desk_business", "desk_large")
INTERVALS = (
    ("month", 1), ("week", 1), ("month", 3), ("year", 1), ("week", 2), ("month", 2),
    ("month", 4), ("month", 5), ("month", 6), ("month", 12), ("month", 24), ("year", 2),
)  # fmt: skip
# Month ends, a leap day, the days of daylight saving time, the turn of a year, a Monday.
TELLING_DAYS = (
    date(2023, 8, 31), date(2023, 11, 5), date(2023, 12, 31), date(2024, 1, 1), date(2024, 1, 29),
    date(2024, 1, 30), date(2024, 1, 31), date(2024, 2, 29), date(2024, 3, 10), date(2024, 5, 6),
    date(2024, 11, 3), date(2024, 12, 31), date(2025, 3, 9), LAST_DAY - DAY, LAST_DAY,
    LAST_DAY + DAY,
)  # fmt: skip
UNREADABLE = ("in July", "2024-02-30..2024-03-05", "2024-05-02..2024-05-01", "2024-06-01", "..")


class Pause(NamedTuple):
    first: date
    last: date | None


@dataclass(frozen=True)
class Terms:
    plan_code: str
    account: str
    partner: int
    billing_time: str
    interval: tuple[str, int]


@dataclass(frozen=True)
class Order:
    """A sale.order; `number` orders them as Odoo's ids do."""

    number: int
    start: date
    end: date | None
    terms: Terms
    state: str
    subscription_state: str
    trial_end: date | None
    pauses: tuple[Pause, ...]
    scribbles: tuple[str, ...]

    @property
    def pauses_text(self) -> str | None:
        spans = [f"{pause.first}..{pause.last or ''}" for pause in self.pauses]
        return ", ".join([*spans, *self.scribbles]) or None


class Period(NamedTuple):
    """Half-open local days; the nominal ones are those of the uncut period."""

    start: date
    end: date
    nominal_start: date
    nominal_end: date
    plan_code: str
    account: str
    order: int
    trial_end: date | None


# --- what may happen ---------------------------------------------------------------------------

days = st.one_of(st.sampled_from(TELLING_DAYS), st.dates(FIRST_DAY, LAST_DAY + timedelta(days=40)))


# Account and partner; the link of `crow` names another partner, and `nobody` has none.
customers = st.sampled_from((("maple", 1),) * 7 + (("birch", 2), ("crow", 1), ("nobody", 1)))
billing_times = st.sampled_from(("calendar", "anniversary"))


@st.composite
def terms(draw: st.DrawFn) -> Terms:
    return Terms(
        draw(st.sampled_from(PLANS)),
        *draw(customers),
        draw(billing_times),
        draw(st.sampled_from(INTERVALS)),
    )


@st.composite
def changed(draw: st.DrawFn, agreed: Terms) -> Terms:
    """The same terms but for one of them, or the same again."""
    account, partner = draw(customers)
    return draw(
        st.sampled_from(
            (
                agreed,
                replace(agreed, plan_code=draw(st.sampled_from(PLANS))),
                replace(agreed, account=account, partner=partner),
                replace(agreed, billing_time=draw(billing_times)),
                replace(agreed, interval=draw(st.sampled_from(INTERVALS))),
            )
        )
    )


@st.composite
def pauses(draw: st.DrawFn, start: date) -> tuple[Pause, ...]:
    made = []
    for _ in range(draw(st.sampled_from((0, 0, 0, 1, 2, 3)))):
        first = start + timedelta(days=draw(st.integers(-10, 120)))
        length = draw(st.one_of(st.none(), st.integers(0, 60)))
        made.append(Pause(first, None if length is None else first + timedelta(days=length)))
    return tuple(made)


@st.composite
def histories(draw: st.DrawFn) -> tuple[Order, ...]:
    """One to four orders with the same id: renewals, changes of plan, gaps, mistakes."""
    orders: list[Order] = []
    start, agreed = draw(days), draw(terms())
    for number in range(draw(st.integers(1, 4))):
        if number:
            before = orders[-1]
            follows = before.end is not None and draw(st.booleans())
            start = (
                (before.end or before.start) + DAY
                if follows
                else before.start
                + timedelta(days=draw(st.sampled_from((0, 1, 17, 30, 31, 90, 200))))
            )
            agreed = draw(changed(agreed))
        length = draw(st.one_of(st.none(), st.none(), st.integers(-3, 400)))
        trial = draw(st.one_of(st.none(), st.none(), st.integers(-20, 40)))
        orders.append(
            Order(
                number,
                start,
                None if length is None else start + timedelta(days=length),
                agreed,
                draw(st.sampled_from(("sale",) * 14 + ("draft", "cancel"))),
                draw(st.sampled_from(("3_progress",) * 8 + ("5_renewed", "6_churn", "7_upsell"))),
                None if trial is None else start + timedelta(days=trial),
                draw(pauses(start)),
                draw(st.sampled_from(((),) * 9 + tuple((text,) for text in UNREADABLE))),
            )
        )
    return tuple(orders)


# --- what it means -----------------------------------------------------------------------------


def serving(orders: tuple[Order, ...], day: date) -> Order | None:
    """Of the confirmed orders that had begun by that day, the one that began last, if it serves."""
    begun = [
        order
        for order in orders
        if order.state == "sale"
        and order.subscription_state != "7_upsell"
        and order.start <= day
        and (order.end is None or order.end >= order.start)
    ]
    if not begun:
        return None
    last = max(begun, key=lambda o: (o.start, o.subscription_state == "3_progress", o.number))
    return last if last.end is None or day <= last.end else None


class Day(NamedTuple):
    day: date
    order: Order
    anchor: date  # first day of the unbroken service
    segment: date  # first day on these terms
    trial_end: date | None


def served_days(orders: tuple[Order, ...]) -> Iterator[Day]:
    """Every day of service, as far as a period that begins by LAST_DAY may reach."""
    before: Day | None = None
    day = min(order.start for order in orders)
    while day <= LAST_DAY + LONGEST:
        order = serving(orders, day)
        if order is None:
            before = None
        else:
            if before is None:
                before = Day(day, order, day, day, order.trial_end)
            elif order != before.order and (
                order.terms != before.order.terms
                or (order.trial_end is not None and order.trial_end >= order.start)
            ):
                before = Day(day, order, before.anchor, day, order.trial_end)
            else:
                before = before._replace(day=day, order=order)
            yield before
        day += DAY


def months_later(day: date, months: int) -> date:
    """The same day of a later month, or that month's last."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def nominal(day: date, anchor: date, terms: Terms) -> tuple[date, date]:
    """The uncut period that a day lies in."""
    unit, value = terms.interval
    months = {"week": 0, "month": value, "year": 12 * value}[unit]
    if terms.billing_time == "calendar":
        if unit == "week":
            anchor -= timedelta(days=anchor.weekday())
        elif unit == "year" or 12 % value == 0 or value % 12 == 0:
            anchor = date(anchor.year, 1, 1)
        else:
            anchor = anchor.replace(day=1)
    step = 0

    def edge(number: int) -> date:
        if unit == "week":
            return anchor + timedelta(weeks=value * number)
        return months_later(anchor, months * number)

    while edge(step + 1) <= day:
        step += 1
    return edge(step), edge(step + 1)


def periods(orders: tuple[Order, ...]) -> list[Period]:
    """The periods that begin by LAST_DAY, grouped from their days."""
    found: list[Period] = []
    part: tuple[object, ...] | None = None
    edges: tuple[date, date] | None = None
    for day in served_days(orders):
        if edges is None or part is None or part[0] != day.segment or day.day >= edges[1]:
            edges = nominal(day.day, day.anchor, day.order.terms)
        if part == (day.segment, edges) and found[-1].end == day.day:
            found[-1] = found[-1]._replace(end=day.day + DAY)
            continue
        part = (day.segment, edges)
        terms_then = day.order.terms
        found.append(
            Period(day.day, day.day + DAY, *edges, terms_then.plan_code, terms_then.account,
                   day.order.number, day.trial_end)
        )  # fmt: skip
    last_order = {day.segment: day.order.number for day in served_days(orders)}
    segments = sorted(last_order)
    return [
        period._replace(order=last_order[max(s for s in segments if s <= period.start)])
        for period in found
        if period.start <= LAST_DAY
    ]


def paused_days(orders: tuple[Order, ...]) -> set[date]:
    return {
        day.day
        for day in served_days(orders)
        for pause in day.order.pauses
        if pause.first <= day.day and (pause.last is None or day.day <= pause.last)
    }
