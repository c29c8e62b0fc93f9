"""Steps: what apps send, on time, late, twice, out of order, or of nobody."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import psycopg
from builds_start import METRICS, STRANGERS, SUBSCRIPTIONS, UNHEARD, a_day, kind_of, used
from builds_world import Counter, World, step


def _subscription(world: World) -> tuple[str, str]:
    return world.chance.choice(SUBSCRIPTIONS)


def _sent(world: World, counters: list[Counter]) -> str:
    world.land(counters)
    told = {(one["subscription"], one["code"], one["start"].date()) for one in counters}
    return ", ".join(f"{code} of {who} on {day}" for who, code, day in sorted(told, key=str)[:4])


def some(world: World, days: range) -> list[Counter]:
    """A few counters of a few subscriptions, so many days after today."""
    return [
        used(
            world,
            _subscription(world),
            world.chance.choice(tuple(METRICS)),
            world.today + timedelta(days=world.chance.choice(days)),
        )
        for _ in range(world.chance.randint(1, 5))
    ]


@step
def new_counters_in_the_open_period(world: World) -> str:
    world.today += timedelta(days=world.chance.randrange(4))
    return _sent(world, some(world, range(-2, 1)))


@step
def late_counters_in_old_periods(world: World) -> str:
    return _sent(world, some(world, range(-70, -30)))


@step
def usage_before_the_subscription(world: World) -> str:
    """Recurring metrics carry it into the first period."""
    code = world.chance.choice(("licences", "members", "disk"))
    day = date(2024, 12, world.chance.randint(1, 31))
    return _sent(world, [used(world, _subscription(world), code, day)])


@step
def usage_of_a_later_month(world: World) -> str:
    """Periods exist up to the last counter: every subscription gets new ones, used or not."""
    world.today += timedelta(days=35)
    return _sent(world, some(world, range(1)))


@step
def a_counter_of_the_far_future(world: World) -> str:
    """As far as it goes, periods reach a year beyond the last reception."""
    counter = used(world, _subscription(world), "messages", date(2027, 5, 5))
    return _sent(world, [counter])


@step
def counters_of_an_unknown_subscription(world: World) -> str:
    subscription = world.chance.choice((*STRANGERS, ("nexadesk", "")))
    return _sent(world, [used(world, subscription, "messages", a_day(world))])


@step
def counters_of_an_unknown_metric(world: World) -> str:
    return _sent(world, [used(world, _subscription(world), UNHEARD, a_day(world))])


@step
def values_that_cannot_be_read(world: World) -> str:
    counter = used(world, _subscription(world), "tokens", a_day(world))
    counter["properties"]["value"] = "many"
    return _sent(world, [counter])


@step
def properties_that_were_never_seen(world: World) -> str:
    """A new value of a property that charges tell apart is a new one to match, and perhaps the
    first to match it."""
    counter = used(world, _subscription(world), "messages", a_day(world))
    counter["properties"]["region"] = world.chance.choice(("moon", "", "mars"))
    return _sent(world, [counter])


@step
def events_with_properties(world: World) -> str:
    codes = [code for code in METRICS if kind_of(code) == "event"]
    counters = [
        used(world, _subscription(world), world.chance.choice(codes), a_day(world))
        for _ in range(4)
    ]
    return _sent(world, counters)


@step
def a_member_leaves_early(world: World) -> str:
    counter = used(world, _subscription(world), "members", a_day(world))
    counter["properties"]["operation_type"] = "remove"
    return _sent(world, [counter])


@step
def a_revision_goes_up(world: World) -> str | None:
    windows = [one for one in world.counters if one["kind"] != "event"]
    counter = world.chance.choice(windows)
    same = ("service", "subscription", "code", "start", "end", "properties")
    newest = max(
        one["revision"] for one in windows if all(one[name] == counter[name] for name in same)
    )
    revised = {
        **counter,
        "transaction": f"r{len(world.counters)}.{newest + 1}",
        "revision": newest + 1,
        "value": Decimal(counter["value"]) + world.chance.randint(1, 20),
    }
    return _sent(world, [revised])


@step
def a_revision_comes_too_late(world: World) -> str | None:
    """A lower one than is there: superseded on arrival."""
    revised = [one for one in world.counters if one["revision"] > 1] or [
        {**one, "revision": 1} for one in world.counters if one["kind"] == "delta"
    ]
    counter = world.chance.choice(revised)
    lower = {**counter, "transaction": f"r{len(world.counters)}", "value": 99}
    return _sent(world, [lower | {"revision": counter["revision"] - 1}])


def _readings(world: World, subscription: tuple[str, str]) -> list[Counter]:
    own = [
        one
        for one in world.counters
        if (one["service"], one["subscription"]) == subscription and one["code"] == "meter"
    ]
    return sorted(own, key=lambda one: one["end"])


@step
def a_reading_follows(world: World) -> str:
    subscription = _subscription(world)
    last = _readings(world, subscription)[-1]["start"].date()
    return _sent(world, [used(world, subscription, "meter", last + timedelta(days=1))])


@step
def a_reading_comes_before_others(world: World) -> str:
    """The difference of the reading after it changes, on another day and in another period."""
    subscription = _subscription(world)
    second = _readings(world, subscription)[1]["start"].date()
    return _sent(world, [used(world, subscription, "meter", second - timedelta(days=1))])


@step
def many_counters_at_once(world: World) -> str:
    """More than a quarter: the roll-ups are made anew, and say of no day that it was touched."""
    counters = [
        used(world, _subscription(world), code, a_day(world))
        for code in METRICS
        for _ in range(len(world.counters) // 25)
    ]
    world.land(counters)
    return f"{len(counters)} counters"


@step
def a_transaction_commits_late(world: World) -> str:
    """It began before another that commits first; a build in between takes neither, the next one
    both."""
    early: psycopg.Connection[tuple[Any, ...]]
    with psycopg.connect(world.database_url) as early:
        early.execute("select pg_current_xact_id()")
        told = _sent(world, some(world, range(-40, 1)))
        world.built()
        late = some(world, range(-40, 1))
        world.land(late, on=early)
        early.commit()
    return f"{told}; then {len(late)} of an older transaction"
