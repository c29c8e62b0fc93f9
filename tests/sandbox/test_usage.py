"""Counters and what they add up to, with sums done by hand."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from sandbox.model import Counter, Subscription, World
from sandbox.usage import aggregate, counters, days_of, event, expected_usage, window

SEPTEMBER, OCTOBER = date(2026, 9, 1), date(2026, 10, 1)


def _any(world: World, service: str) -> Subscription:
    return next(sub for sub in world.subscriptions if sub.service_code == service)


def test_each_aggregation_by_hand(world: World) -> None:
    cloud, desk, maps = (_any(world, each) for each in ("nexacloud", "nexadesk", "nexamaps"))
    hours = [
        window(cloud, world, "compute_hours", date(2026, 9, day), Decimal(value))
        for day, value in ((1, "3.25"), (2, "0.1"), (3, "0.2"))
    ]
    recount = replace(hours[1], value=Decimal("1.1"), revision=1)
    disk = [
        window(cloud, world, "storage_gb", date(2026, 9, day), Decimal(value))
        for day, value in ((1, "20.5"), (2, "31.125"), (3, "7"))
    ]
    noon = datetime(2026, 9, 5, 16, tzinfo=UTC)
    agents = [event(desk, "agents", f"t{n}", noon, f"a{n % 2}") for n in range(5)]
    geocodes = [event(maps, "geocodes", f"t{n}", noon, None) for n in range(5)]

    assert aggregate(world, [*hours, recount, *disk, *agents, *geocodes]) == {
        (cloud.key, "compute_hours", SEPTEMBER): Decimal("4.55"),  # 3.25 + 1.1 + 0.2
        (cloud.key, "storage_gb", SEPTEMBER): Decimal("31.125"),
        (desk.key, "agents", SEPTEMBER): Decimal(2),
        (maps.key, "geocodes", SEPTEMBER): Decimal(5),
    }


def test_a_month_is_local(world: World) -> None:
    """The last six hours of 30 September in Toronto are 1 October already in UTC, partly."""
    cloud = _any(world, "nexacloud")
    late = window(cloud, world, "compute_hours", date(2026, 9, 30), Decimal(2), hours=(18, 24))
    assert late.window_start.astimezone(UTC) == datetime(2026, 9, 30, 22, tzinfo=UTC)
    assert late.window_end.astimezone(UTC) == datetime(2026, 10, 1, 4, tzinfo=UTC)
    assert aggregate(world, [late]) == {(cloud.key, "compute_hours", SEPTEMBER): Decimal(2)}


def test_the_day_of_the_clock_change_has_25_hours(world: World) -> None:
    cloud = _any(world, "nexacloud")
    day = window(cloud, world, "compute_hours", date(2026, 11, 1), Decimal(1))
    length = day.window_end.astimezone(UTC) - day.window_start.astimezone(UTC)
    assert length.total_seconds() == 25 * 3600


@pytest.fixture(scope="module")
def all_counters(world: World) -> list[Counter]:
    return list(counters(world))


def test_there_are_fifty_to_sixty_thousand(all_counters: list[Counter]) -> None:
    assert 50_000 < len(all_counters) < 60_000


def test_counters_lie_within_service_and_before_the_demo(
    world: World, all_counters: list[Counter]
) -> None:
    served = {sub.key: set(days_of(sub, world)) for sub in world.subscriptions}
    strangers = {c.subscription_key for c in all_counters if c.subscription_key not in served}
    assert strangers == {"nexamaps:nm-sub-9999"}
    assert all(
        counter.window_start.date() in served[counter.subscription_key]
        for counter in all_counters
        if counter.subscription_key in served
    )
    ended = next(sub for sub in world.subscriptions if sub.end_date is not None)
    assert max(served[ended.key]) == ended.end_date


def _overages(world: World) -> Iterator[tuple[str, bool]]:
    plans = {sub.key: world.plan(sub.plan_code) for sub in world.subscriptions}
    for (key, code, month), used in expected_usage(world, include_late=True).items():
        charge = plans[key].charge(code)
        if charge is not None and month in world.closed_months:
            yield key, used > charge.included


def test_most_exceed_their_quota_and_some_never_do(world: World) -> None:
    exceeds: dict[str, bool] = defaultdict(bool)
    for key, over in _overages(world):
        exceeds[key] |= over
    share = sum(exceeds.values()) / len(exceeds)
    assert 0.7 < share < 0.95


def test_late_counters_are_what_the_late_cases_say(world: World) -> None:
    on_time = expected_usage(world, include_late=False)
    later = expected_usage(world, include_late=True)
    moved = {key for key in later if later[key] != on_time.get(key)}
    planted = {
        (p.subscription_key, p.metric_code, p.month)
        for p in world.planted
        if p.kind in ("late", "late_revision")
    }
    assert moved == planted
