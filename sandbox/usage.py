"""What the apps count in the demo world, day by day, and what it adds up to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from random import Random

from sandbox.catalogue import NEXACLOUD, NEXACLUB, NEXADESK, NEXAMAPS
from sandbox.model import CONFLICT, INITIAL, LATE, Counter, Subscription, World, local

UsageKey = tuple[str, str, date]  # subscription key, metric code, first day of the month
HEAVY_GEOCODERS = 6


def counters(world: World) -> Iterator[Counter]:
    """Every counter of the world, planted ones included, subscription by subscription."""
    geocoders = _heavy_geocoders(world)
    for subscription in world.subscriptions:
        for counter in _regular(subscription, world, heavy=subscription.key in geocoders):
            key = (counter.subscription_key, counter.code, counter.window_start.date())
            yield replace(counter, phase=LATE) if key in world.held_back else counter
    yield from world.extra


def expected_usage(world: World, *, include_late: bool) -> dict[UsageKey, Decimal]:
    """Quantity used per calendar subscription, metric and local month, as the apps know it.

    Superseded revisions and refused posts do not count; late counters only if `include_late`.
    The unlinked account's usage is in: its app does not know that Odoo misses the link.
    """
    phases = {INITIAL, LATE} if include_late else {INITIAL}
    return aggregate(world, (counter for counter in counters(world) if counter.phase in phases))


def aggregate(world: World, counted: Iterable[Counter]) -> dict[UsageKey, Decimal]:
    """Folds counters by their metric's aggregation; see expected_usage."""
    aggregation = {metric.code: metric.aggregation for metric in world.metrics}
    calendar = {s.key for s in world.subscriptions if s.billing_time == "calendar"}
    groups: dict[UsageKey, list[Counter]] = defaultdict(list)
    for counter in _latest_revisions(counted):
        if counter.subscription_key in calendar and counter.code in aggregation:
            month = counter.window_start.date().replace(day=1)
            groups[counter.subscription_key, counter.code, month].append(counter)
    return {key: _fold(aggregation[key[1]], group) for key, group in groups.items()}


def _fold(aggregation: str, group: list[Counter]) -> Decimal:
    if aggregation == "count":
        return Decimal(len(group))
    if aggregation == "unique":
        return Decimal(len({counter.member for counter in group}))
    if aggregation == "last":
        return _value(max(group, key=lambda counter: counter.window_end))
    if aggregation == "max":
        return max(_value(counter) for counter in group)
    return sum((_value(counter) for counter in group), Decimal(0))


def _value(counter: Counter) -> Decimal:
    return Decimal(0) if counter.value is None else counter.value


def _latest_revisions(counted: Iterable[Counter]) -> Iterator[Counter]:
    latest: dict[tuple[str, str, datetime, datetime], Counter] = {}
    for counter in counted:
        if counter.is_event:
            yield counter
            continue
        window = (
            counter.subscription_key, counter.code, counter.window_start, counter.window_end,
        )  # fmt: skip
        known = latest.get(window)
        if known is None or counter.revision > known.revision:
            latest[window] = counter
    yield from latest.values()


def days_of(subscription: Subscription, world: World) -> Iterator[date]:
    """The local days on which the subscription is served, from `first` to the day before demo."""
    day = max(world.first, subscription.start_date)
    last = world.demo_date - timedelta(days=1)
    if subscription.end_date is not None:
        last = min(last, subscription.end_date)
    while day <= last:
        yield day
        day += timedelta(days=1)


def _heavy_geocoders(world: World) -> set[str]:
    maps = [s for s in world.subscriptions if s.service_code == NEXAMAPS]
    maps.sort(key=lambda subscription: (-subscription.size, subscription.key))
    return {subscription.key for subscription in maps[:HEAVY_GEOCODERS]}


def _regular(subscription: Subscription, world: World, *, heavy: bool) -> Iterator[Counter]:
    rng = Random(f"fusion:{world.seed}:{world.first}:{subscription.key}")
    if subscription.service_code == NEXACLOUD:
        yield from _compute_hours(subscription, world, rng)
        yield from _storage(subscription, world, rng)
    elif subscription.service_code == NEXADESK:
        yield from _messages(subscription, world, rng)
        yield from _agents(subscription, world, rng)
    elif subscription.service_code == NEXAMAPS:
        yield from _map_loads(subscription, world, rng)
        yield from _geocodes(subscription, world, rng, heavy=heavy)
    elif subscription.service_code == NEXACLUB:
        yield from _seats(subscription, world, rng)


def window(
    subscription: Subscription,
    world: World,
    code: str,
    day: date,
    value: Decimal,
    *,
    hours: tuple[int, int] = (0, 24),
) -> Counter:
    """A counter for some hours of a local day. Only NexaCloud names its transactions."""
    start, end = local(day, world.zone, hours[0]), local(day, world.zone, hours[1])
    named = subscription.service_code == NEXACLOUD
    return Counter(
        service_code=subscription.service_code,
        external_subscription_id=subscription.external_id,
        code=code,
        window_start=start,
        window_end=end,
        value=value,
        transaction_id=f"{subscription.external_id}/{code}/{start:%Y%m%dT%H}" if named else None,
    )


def event(
    subscription: Subscription, code: str, transaction_id: str, at: datetime, member: str | None
) -> Counter:
    """One Lago event."""
    return Counter(
        service_code=subscription.service_code,
        external_subscription_id=subscription.external_id,
        code=code,
        window_start=at,
        window_end=at,
        value=None,
        transaction_id=transaction_id,
        member=member,
        is_event=True,
    )


def _compute_hours(sub: Subscription, world: World, rng: Random) -> Iterator[Counter]:
    """Server-hours in quarters. The S plan reports by day, the M plan every six hours."""
    for day in days_of(sub, world):
        if sub.plan_code == "cloud_s":
            servers = 1 + sub.size // 350
            quarters = rng.randint(40, 96 * servers) if sub.size else rng.randint(1, 12)
            yield window(sub, world, "compute_hours", day, Decimal(quarters) / 4)
            continue
        servers = 4 + sub.size // 60
        for hour in (0, 6, 12, 18):
            quarters = rng.randint(12 * servers, 24 * servers) if sub.size else rng.randint(8, 31)
            value = Decimal(quarters) / 4
            yield window(sub, world, "compute_hours", day, value, hours=(hour, hour + 6))


def _storage(sub: Subscription, world: World, rng: Random) -> Iterator[Counter]:
    """A daily reading in GB, growing slowly; a third of the accounts stay within the quota."""
    scale = 1 if sub.plan_code == "cloud_s" else 10
    megabytes = scale * (sub.size * 80 + rng.randint(3_000, 14_000))
    if sub.size % 3 == 0:
        megabytes = min(megabytes, scale * 14_000)
    for day in days_of(sub, world):
        megabytes += rng.randint(0, 60 * scale)
        yield window(sub, world, "storage_gb", day, Decimal(megabytes) / 1000)


def _messages(sub: Subscription, world: World, rng: Random) -> Iterator[Counter]:
    scale = 1 if sub.plan_code == "desk_team" else 12
    for day in days_of(sub, world):
        count = scale * (rng.randint(40, 60 + sub.size // 4) if sub.size else rng.randint(4, 28))
        if day.weekday() >= 5:
            count //= 3
        yield window(sub, world, "messages", day, Decimal(count))


def _agents(sub: Subscription, world: World, rng: Random) -> Iterator[Counter]:
    """An agent signs in once a week: the same ids come back, and count once a month."""
    if sub.plan_code == "desk_team":
        team = rng.randint(3, 9) if sub.size else rng.randint(1, 3)
    else:
        team = rng.randint(9, 26) if sub.size else rng.randint(4, 10)
    for day in days_of(sub, world):
        for number in range(team):
            if (day.toordinal() + number) % 7 == 0:
                at = local(day, world.zone, 9) + timedelta(minutes=rng.randint(0, 400))
                agent = f"agent-{number + 1:02d}"
                yield event(sub, "agents", f"{sub.external_id}/{agent}/{day}", at, agent)


def _map_loads(sub: Subscription, world: World, rng: Random) -> Iterator[Counter]:
    for day in days_of(sub, world):
        count = rng.randint(sub.size, 400 + sub.size * 6) if sub.size else rng.randint(50, 300)
        yield window(sub, world, "map_loads", day, Decimal(count))


def _geocodes(sub: Subscription, world: World, rng: Random, *, heavy: bool) -> Iterator[Counter]:
    for day in days_of(sub, world):
        for number in range(rng.randint(18, 30) if heavy else rng.randint(0, 3) // 3):
            at = local(day, world.zone, 6) + timedelta(seconds=rng.randint(0, 57_600))
            yield event(sub, "geocodes", f"{sub.external_id}/{day}/{number:03d}", at, None)


def _seats(sub: Subscription, world: World, rng: Random) -> Iterator[Counter]:
    seats = rng.randint(2, 12) if sub.size else 1
    for day in days_of(sub, world):
        if sub.size and rng.randrange(20) == 0:
            seats = max(1, seats + rng.choice((-1, 1, 2)))
        yield window(sub, world, "seats", day, Decimal(seats))


def refused(counter: Counter) -> bool:
    """Whether the endpoint must answer 422 to this counter."""
    return counter.phase == CONFLICT
