"""Any history of a subscription: periods tile its time, and every instant has its one period."""

from __future__ import annotations

import random
from collections import defaultdict
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import psycopg
import pytest
from drawing import Findings, drawn, fixed_seed
from histories import DAY, LAST_DAY, LONGEST, Period, histories, paused_days, periods
from hypothesis import strategies as st
from landed import TIMEZONE, build, mirror_customers, mirror_orders, post

ZONE = ZoneInfo(TIMEZONE)
HERE = "tests/property/test_periods_tile_time.py"

# Seconds around local midnights, and around the hours that daylight saving time skips and repeats.
edges = st.sampled_from(
    [
        datetime.combine(day, time(hour), ZONE).astimezone(UTC)
        for day in (date(2023, 11, 5), date(2024, 3, 10), date(2024, 11, 3), date(2025, 3, 9))
        for hour in (0, 1, 2, 3, 23)
    ]
)
instants = st.one_of(
    st.builds(lambda edge, seconds: edge + timedelta(seconds=seconds), edges,
              st.sampled_from((-3600, -1, 0, 1, 3600))),
    st.builds(
        lambda day, seconds: datetime.combine(day, time(), ZONE).astimezone(UTC)
        + timedelta(seconds=seconds),
        st.dates(date(2023, 6, 1), LAST_DAY - DAY),
        st.sampled_from((-1, 0, 1, 43200)),
    ),
)  # fmt: skip
worlds = st.tuples(histories(), st.lists(instants, min_size=1, max_size=8, unique=True))


def check(database_url: str, folder: Path, world_seed: int, number: int) -> None:
    examples = drawn(worlds, number, world_seed)
    assert len(examples) == number
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "truncate raw.usage_counter, raw.ingest_batch, raw.odoo_partner, raw.odoo_plan,"
            " raw.odoo_account_link, raw.odoo_subscription"
        )
        mirror_customers(connection)
        numbers = mirror_orders(connection, [orders for orders, _ in examples])
    post(database_url, [_counters(position, when) for position, (_, when) in enumerate(examples)])
    # The last counter decides how far periods reach: 23:59:59 in Toronto, the next day in UTC.
    post(database_url, [_counters(-1, [datetime.combine(LAST_DAY, time(23, 59, 59), ZONE)])])
    build(database_url, folder, "+int_subscription_periods", "+int_subscription_pauses")

    made, paused, placed = _read(database_url, numbers)
    findings = Findings(world_seed, HERE)
    for position, (orders, when) in enumerate(examples):
        key = f"nexadesk:s{position}"
        expected = periods(orders)
        findings.compare(orders, made[key], expected)
        findings.compare(orders, paused[key], sorted(paused_days(orders)))
        findings.compare(
            (orders, when),
            placed[key],
            sorted((moment, _holding(expected, moment)) for moment in when),
        )
    findings.report()
    assert sum(map(len, made.values())) > 5 * number, "a world of hardly any periods proves little"
    assert len({period.end - period.start for found in made.values() for period in found}) > 40
    assert sum(map(len, paused.values())) > number


def _counters(position: int, when: list[datetime]) -> list[dict[str, str]]:
    return [
        {
            "external_subscription_id": f"s{position}",
            "code": "messages",
            "from": moment.isoformat(),
            "to": (moment + timedelta(seconds=1)).isoformat(),
            "value": "1",
        }
        for moment in when
    ]


def _holding(expected: list[Period], moment: datetime) -> list[date]:
    """The starts of the periods that hold an instant's day in Toronto."""
    day = moment.astimezone(ZONE).date()
    return [period.start for period in expected if period.start <= day < period.end]


Made = dict[str, list[Period]]
Paused = dict[str, list[date]]
Placed = dict[str, list[tuple[datetime, list[date]]]]


def _read(database_url: str, numbers: dict[int, int]) -> tuple[Made, Paused, Placed]:
    """By subscription: its periods, its paused days as often as the model says so, and each of its
    counters' instants with the starts of the periods it joins to."""
    made: Made = defaultdict(list)
    paused: Paused = defaultdict(list)
    placed: Placed = defaultdict(list)
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "set timezone to 'Pacific/Auckland'"
        )  # whose session it is plays no part
        for (
            key,
            *dates,
            plan,
            account,
            order_id,
            trial_end,
            days,
            nominal_days,
        ) in connection.execute(
            "select subscription_key, period_start, period_end, nominal_start, nominal_end,"
            " plan_code, account_key, odoo_order_id, trial_end, days, nominal_days"
            " from intermediate.int_subscription_periods order by 1, 2"
        ):
            account = account.removeprefix("nexadesk:")
            period = Period(*dates, plan, account, numbers[order_id], trial_end)
            made[key].append(period)
            assert days == (period.end - period.start).days
            assert nominal_days == (period.nominal_end - period.nominal_start).days
        for key, day in connection.execute(
            "select subscription_key, day::date from intermediate.int_subscription_pauses"
            " cross join generate_series(paused_from, coalesce(paused_until, %s), '1 day') as day"
            " order by 1, 2",
            [LAST_DAY + LONGEST],
        ):
            paused[key].append(day)
        for key, moment, starts in connection.execute(
            "select 'nexadesk:' || counters.external_subscription_id, counters.window_start,"
            " array_remove(array_agg(periods.period_start), null)"
            " from staging.stg_usage__counters as counters"
            " left join intermediate.int_subscription_periods as periods"
            " on periods.subscription_key = 'nexadesk:' || counters.external_subscription_id"
            " and counters.local_day >= periods.period_start"
            " and counters.local_day < periods.period_end"
            " group by 1, 2 order by 1, 2"
        ):
            placed[key].append((moment.astimezone(UTC), starts))
    return made, paused, placed


def test_periods_tile_the_time_of_service(database_url: str, folder: Path) -> None:
    check(database_url, folder, fixed_seed(), 250)


@pytest.mark.slow
@pytest.mark.parametrize("run", range(5))
def test_periods_tile_the_time_of_service_in_other_worlds(
    database_url: str, folder: Path, run: int
) -> None:
    check(database_url, folder, random.SystemRandom().randrange(2**32), 1500)
