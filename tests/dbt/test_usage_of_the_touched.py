"""What a build of a few reads of a table of usage, looked up or as it lies, holds each row that a
join with the touched asks for once; looked up, it holds no other."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import psycopg
import pytest
from dbt_process import run_dbt

FIRST, DAYS, SUBSCRIPTIONS = date(2026, 9, 1), 60, 25
STORED = """
create schema if not exists intermediate;
create table intermediate.int_rating_step (is_anew boolean);
insert into intermediate.int_rating_step values (false);
create table intermediate.int_subscriptions_touched (
    service_code text, external_subscription_id text, subscription_key text,
    day_from date, rated_from date
);
create table intermediate.int_subscription_terms as select generate_series(1, 199) as row_no;
create table intermediate.int_usage_daily as
select 's' as service_code, 'u' || n %% %(subscriptions)s as external_subscription_id,
    %(first)s + n / %(subscriptions)s as local_day, n as row_no
from generate_series(0, %(days)s * %(subscriptions)s - 1) as n;
create table intermediate.int_charge_usage as
select 's:' || external_subscription_id as subscription_key, local_day as period_start, row_no
from intermediate.int_usage_daily;
"""
TOUCHED = "insert into intermediate.int_subscriptions_touched values (%s, %s, %s, %s, %s)"
BY_NAME = "join touched using (service_code, external_subscription_id)"
# What a model asks for, and what it joins to that: the same as it would to the whole table.
READINGS = {
    "of_the_touched(ref('int_usage_daily'), 'day_from')": (
        "int_usage_daily",
        f"{BY_NAME} where local_day >= day_from",
    ),
    "of_the_touched(ref('int_usage_daily'), 'rated_from')": (
        "int_usage_daily",
        f"{BY_NAME} where local_day >= rated_from",
    ),
    "of_the_touched(ref('int_usage_daily'))": ("int_usage_daily", BY_NAME),
    "periods_of_the_touched(ref('int_charge_usage'))": (
        "int_charge_usage",
        "join touched using (subscription_key) where period_start >= rated_from",
    ),
}
# Of twenty touched all or, where that is too many, those of a tenth and the fees.
LOOKUPS = {20: 4, 19: 3}


@pytest.fixture(scope="module")
def warehouse(
    database_url: str,
) -> Iterator[tuple[str, psycopg.Connection[tuple[int]]]]:
    """Twenty touched of twenty-five: one of all its past, one since long ago, one that was never
    used, the others since one of the last ten days."""
    chance = random.Random(4)
    with psycopg.connect(database_url, autocommit=True) as connection:
        stored = {"first": FIRST, "days": DAYS, "subscriptions": SUBSCRIPTIONS}
        psycopg.ClientCursor(connection).execute(STORED, stored)
        for number in range(20):
            day = FIRST + timedelta(days=chance.randrange(DAYS - 10, DAYS))
            since: tuple[date | str, date | str] = (day, day - timedelta(days=3))
            if number == 0:
                since = ("-infinity", "-infinity")
            if number == 1:
                since = (FIRST + timedelta(days=5), FIRST)
            name = "nobody" if number == 2 else f"u{number}"
            connection.execute(TOUCHED, ("s", name, f"s:{name}", *since))
        yield database_url, connection


@pytest.mark.parametrize("most_looked_up", LOOKUPS)
def test_reading(
    warehouse: tuple[str, psycopg.Connection[tuple[int]]], tmp_path: Path, most_looked_up: int
) -> None:
    database_url, connection = warehouse
    asked = [
        f"select {number} as number, row_no from ({{{{ {reading} }}}}) as read"
        for number, reading in enumerate(READINGS)
    ]
    compiled = run_dbt(
        database_url,
        tmp_path,
        *("compile", "--quiet", "--vars", f"most_looked_up: {most_looked_up}"),
        *("--inline", " union all ".join(asked)),
    )
    assert compiled.exit_status == 0, compiled.output
    assert compiled.output.count("cross join lateral") == LOOKUPS[most_looked_up]
    read = connection.execute(compiled.output).fetchall()
    touched = "with touched as (table intermediate.int_subscriptions_touched)"
    for number, (table, joined) in enumerate(READINGS.values()):
        wanted = connection.execute(
            f"{touched} select row_no from intermediate.{table} {joined} order by 1"
        ).fetchall()
        rows = [row_no for of, row_no in read if of == number]
        found = connection.execute(
            f"{touched}, read as (select * from intermediate.{table}"
            f" join unnest(%s::int[]) as read (row_no) using (row_no))"
            f" select row_no from read {joined} order by 1",
            [rows],
        ).fetchall()
        assert wanted
        assert found == wanted
        if most_looked_up == 20:
            assert len(rows) == len(wanted)
