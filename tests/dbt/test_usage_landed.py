"""Raw's own road of fct_usage_conservation: new batches are added up once, and all of raw again
where what was added up is not what lies below the line."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from rollup_world import RollupWorld, counter

LANDED = """
select
    count(distinct high_water_xid)::int as builds,
    sum(counters)::int as counters,
    trim_scale(sum(quantity))::text as quantity
from intermediate.int_usage_landed
"""


@pytest.fixture(scope="module")
def warehouse(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RollupWorld]:
    warehouse = RollupWorld(database_url, tmp_path_factory.mktemp("dbt"))
    yield warehouse
    warehouse.connection.close()


@pytest.fixture
def world(warehouse: RollupWorld) -> RollupWorld:
    """Messages (sum): a batch of 10 and 2.5 is added up, and a batch of 4 has landed since."""
    warehouse.connection.execute("truncate raw.usage_counter, raw.ingest_batch")
    warehouse.metric(1, "messages", "sum")
    warehouse.land(
        counter("messages", "a", "2026-09-03T14", "10"),
        counter("messages", "b", "2026-09-03T15", "2.5"),
    )
    warehouse.built("--full-refresh", "--select", "+int_usage_landed")
    warehouse.land(counter("messages", "c", "2026-09-03T16", "4", properties={"units": 7}))
    return warehouse


def landed(world: RollupWorld) -> tuple[object, ...]:
    """(builds that added something, counters, quantity) of what is added up after a build."""
    world.built("--select", "+int_usage_landed")
    (row,) = world.rows(LANDED)
    return row["builds"], row["counters"], row["quantity"]


def test_a_new_batch_is_added_and_the_old_ones_stay(world: RollupWorld) -> None:
    assert landed(world) == (2, 3, "16.5")
    assert landed(world) == (2, 3, "16.5")


def test_a_metric_that_is_read_otherwise_is_read_again(world: RollupWorld) -> None:
    world.metric(1, "messages", "count")
    assert landed(world) == (1, 3, "16.5")
    world.metric(1, "messages", "max")
    assert landed(world) == (1, 3, "0")


def test_a_row_that_was_lost_is_read_again(world: RollupWorld) -> None:
    assert landed(world) == (2, 3, "16.5")
    world.connection.execute("delete from intermediate.int_usage_landed where counters = 2")
    assert landed(world) == (1, 3, "16.5")


def test_what_an_older_build_did_not_tell_is_read_again(world: RollupWorld) -> None:
    world.connection.execute("alter table intermediate.int_usage_landed drop column last_day")
    assert landed(world) == (1, 3, "16.5")
    (row,) = world.rows("select last_day::text from intermediate.int_usage_landed")
    assert row["last_day"] == "2026-09-03"


def test_another_servers_line_is_not_trusted(world: RollupWorld) -> None:
    world.connection.execute(
        "update intermediate.int_usage_landed set high_water_xid = 4611686018427387904"
    )
    assert landed(world) == (1, 3, "16.5")
