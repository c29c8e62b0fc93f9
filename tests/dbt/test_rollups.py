"""The incremental roll-ups: whatever comes, late, twice, out of order or after a failed build, they
hold what a full refresh would make. Each test is a chapter of one warehouse's life."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
from rollup_world import RollupWorld, Row, counter


@pytest.fixture(scope="module")
def world(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RollupWorld]:
    world = RollupWorld(database_url, tmp_path_factory.mktemp("dbt"))
    world.metric(1, "messages", "sum", "sent")
    world.metric(2, "meter_kwh", "sum")
    world.metric(3, "agents", "unique", "agent_id")
    world.metric(4, "payments", "sum", "amount")
    world.metric(5, "seats", "last")
    world.metric(6, "level", "weighted_sum")
    # History enough that what a test adds is less than a quarter, and so taken step by step.
    world.land(*(counter("history", f"h{n}", f"2026-08-{n % 28 + 1:02}T12", 1) for n in range(400)))
    world.built()
    yield world
    world.connection.close()


def step_by_step(world: RollupWorld) -> bool:
    """Whether the last build made only the touched groups: all tests here mean to see that."""
    steps = world.rows("select previous_xid from intermediate.int_rollup_steps")
    return len(steps) == 2 and all(row["previous_xid"] > 0 for row in steps)


def test_counters_of_a_new_day_are_added(world: RollupWorld) -> None:
    """10 and 5 on the 3rd; then 7 on the 4th, at 03:30 UTC of the 5th still the 4th in Toronto."""
    world.land(
        counter("messages", "a", "2026-09-03T14", 10), counter("messages", "b", "2026-09-03T15", 5)
    )
    world.built()
    assert world.days("messages") == [(3, "counted", 2, "15")]
    world.land(counter("messages", "c", "2026-09-05T03", 7))
    world.built()
    assert step_by_step(world)
    assert world.days("messages") == [(3, "counted", 2, "15"), (4, "counted", 1, "7")]


def test_a_late_revision_sets_the_earlier_aside(world: RollupWorld) -> None:
    """The 10 of the 3rd becomes 12: 17 counted, 10 superseded. Revision 1 that comes after
    revision 2 is superseded on arrival."""
    world.land(counter("messages", "a2", "2026-09-03T14", 12, revision=2))
    world.built()
    assert world.days("messages")[:2] == [(3, "counted", 2, "17"), (3, "superseded", 1, "10")]
    world.land(counter("messages", "a1", "2026-09-03T14", 11, revision=1))
    world.built()
    assert step_by_step(world)
    assert world.days("messages")[:2] == [(3, "counted", 2, "17"), (3, "superseded", 2, "21")]


def test_a_transaction_that_commits_late_is_not_lost(world: RollupWorld) -> None:
    """It began before one that commits first: neither is taken while it runs, both after."""
    with world.connect() as early:
        early.execute("select pg_current_xact_id()")
        world.land(counter("messages", "second", "2026-09-10T14", 2))
        world.built()
        assert [row for row in world.days("messages") if row[0] == 10] == []
        world.land(counter("messages", "first", "2026-09-10T15", 1), on=early)
        early.commit()
    world.built()
    assert step_by_step(world)
    assert [row for row in world.days("messages") if row[0] == 10] == [(10, "counted", 2, "3")]


def test_a_reading_that_lands_between_two_moves_the_later_one(world: RollupWorld) -> None:
    """100 on the 1st and 160 on the 9th: 100 and 60. Then 130 of the 5th arrives: 100, 30, 30. Then
    the 5th is corrected to 150: 100, 50, 10. Another meter beside it (properties) is left alone."""
    reading = {"kind": "cumulative"}
    other = {**reading, "properties": {"meter": "b"}}
    world.land(
        counter("meter_kwh", "r1", "2026-09-01T14", 100, **reading),
        counter("meter_kwh", "r9", "2026-09-09T14", 160, **reading),
        counter("meter_kwh", "o7", "2026-09-07T14", 1000, **other),
    )
    world.built()
    assert world.days("meter_kwh") == [
        (1, "counted", 1, "100"),
        (7, "counted", 1, "1000"),
        (9, "counted", 1, "60"),
    ]
    world.land(counter("meter_kwh", "r5", "2026-09-05T14", 130, **reading))
    world.built()
    assert world.days("meter_kwh") == [
        (1, "counted", 1, "100"),
        (5, "counted", 1, "30"),
        (7, "counted", 1, "1000"),
        (9, "counted", 1, "30"),
    ]
    world.land(counter("meter_kwh", "r5b", "2026-09-05T14", 150, revision=1, **reading))
    world.built()
    assert step_by_step(world)
    assert world.days("meter_kwh") == [
        (1, "counted", 1, "100"),
        (5, "counted", 1, "50"),
        (5, "superseded", 1, "0"),
        (7, "counted", 1, "1000"),
        (9, "counted", 1, "10"),
    ]


def test_a_new_filter_key_tells_old_counters_apart(world: RollupWorld) -> None:
    """Two regions and none on one day, one row while no charge asks; three when one groups by it,
    and one again when it is gone."""
    world.land(
        counter("seats", "ca", "2026-09-03T14", 4, properties={"region": "ca", "team": "x"}),
        counter("seats", "us", "2026-09-03T15", 5, properties={"region": "us"}),
        counter("seats", "no", "2026-09-03T16", 6),
    )
    world.built()
    asked = (
        "select dimensions, counters::int as counters, quantity_last::int as last"
        " from intermediate.int_usage_daily where metric_code = 'seats' order by quantity_last"
    )
    assert world.rows(asked) == [{"dimensions": {}, "counters": 3, "last": 6}]
    world.charge(10, 5, x_pricing_group_keys="region")
    world.built()
    assert step_by_step(world)
    assert world.rows(asked) == [
        {"dimensions": {"region": "ca"}, "counters": 1, "last": 4},
        {"dimensions": {"region": "us"}, "counters": 1, "last": 5},
        {"dimensions": {}, "counters": 1, "last": 6},
    ]
    world.delete_charge(10)
    world.built()
    assert world.rows(asked) == [{"dimensions": {}, "counters": 3, "last": 6}]


def test_ids_of_any_spelling_are_looked_up(world: RollupWorld) -> None:
    """Late counters of a few subscriptions are read by their names: with quotes, braces, commas and
    what else an id may hold. Another subscription's on the same day stays as it was."""
    odd = ["it's", 'a "b"', "{c,d}", "back\\slash", "100%", "{{ e }}", "NULL", " f ", "é—ß", ""]
    world.land(
        counter("messages", "q", "2026-09-21T14", 64),
        *(
            counter("messages", f"q{number}", "2026-09-21T14", 1, external_subscription_id=name)
            for number, name in enumerate(odd)
        ),
    )
    world.built()
    world.land(
        *(
            counter("messages", f"r{number}", "2026-09-21T15", 2, external_subscription_id=name)
            for number, name in enumerate(odd)
        )
    )
    world.built()
    assert step_by_step(world)
    found = world.rows(
        "select external_subscription_id as id, quantity_sum from intermediate.int_usage_daily"
        " where metric_code = 'messages' and local_day = '2026-09-21'"
    )
    assert {row["id"]: row["quantity_sum"] for row in found} == {
        "s1": 64,
        **dict.fromkeys(odd, 3),
    }


def test_an_aggregation_that_changes_is_rolled_up_anew(world: RollupWorld) -> None:
    """A metric nobody knew (deltas as they say, events as 0) becomes a count: an event counts 1."""
    world.land(
        counter("geocodes", "g1", "2026-09-03T14", 7),
        counter("geocodes", "g2", "2026-09-03T15", kind="event"),
    )
    world.built()
    assert world.days("geocodes") == [(3, "counted", 2, "7")]
    world.metric(7, "geocodes", "count")
    world.built()
    assert step_by_step(world)
    assert world.days("geocodes") == [(3, "counted", 2, "8")]


def test_single_counters_are_kept_while_pricing_needs_them(world: RollupWorld) -> None:
    """Members always; payments only while a percentage has free events."""
    world.land(
        counter("agents", "m1", "2026-09-03T14", kind="event", properties={"agent_id": "anna"}),
        counter(
            "agents",
            "m2",
            "2026-09-04T14",
            kind="event",
            properties={"agent_id": "anna", "operation_type": "remove"},
        ),
        counter("payments", "p1", "2026-09-03T14", kind="event", properties={"amount": "20"}),
    )
    world.built()
    asked = (
        "select transaction_id, member, operation, quantity::int as quantity"
        " from intermediate.int_usage_events"
        " where metric_code in ('agents', 'payments') order by transaction_id"
    )
    agents = [
        {"transaction_id": "m1", "member": "anna", "operation": "add", "quantity": 1},
        {"transaction_id": "m2", "member": "anna", "operation": "remove", "quantity": 1},
    ]
    assert world.rows(asked) == agents
    world.charge(11, 4, x_charge_model="percentage", x_rate="1", x_free_events="3")
    world.built()
    assert step_by_step(world)
    payment = {"transaction_id": "p1", "member": "20", "operation": "add", "quantity": 20}
    assert world.rows(asked) == [*agents, payment]
    world.delete_charge(11)
    world.built()
    assert world.rows(asked) == agents


def test_a_counter_keeps_the_run_of_its_arrival(world: RollupWorld) -> None:
    """Before any run: none. After run 1: run 1, also when a run of another service and run 2
    follow. A counter of before stays with none however often its day is made again."""

    def arrivals() -> list[tuple[int, int | None]]:
        found = world.rows(
            "select quantity_sum::int as quantity, arrived_run from intermediate.int_usage_daily"
            " where metric_code = 'arrivals' order by quantity_sum"
        )
        return [(row["quantity"], row["arrived_run"]) for row in found]

    world.land(counter("arrivals", "x1", "2026-09-20T10", 1))
    world.built()
    first = world.record_run()
    world.land(counter("arrivals", "x2", "2026-09-20T11", 2))
    world.built()
    assert arrivals() == [(1, None), (2, first)]
    world.record_run(service="nexamaps")
    own = world.record_run(service="nexadesk")
    world.land(counter("arrivals", "x4", "2026-09-20T12", 4))
    world.built()
    assert step_by_step(world)
    assert arrivals() == [(1, None), (2, first), (4, own)]


def test_a_run_that_was_recorded_behind_a_build_is_caught_up_with(world: RollupWorld) -> None:
    """The run billed from a build, and the next one rolled up a counter before it was recorded."""
    seen = world.high_water()
    world.land(counter("overtaken", "y1", "2026-09-21T10", 1))
    world.built()
    run = world.record_run(high_water_xid=seen)
    world.built()
    assert step_by_step(world)
    (row,) = world.rows(
        "select arrived_run from intermediate.int_usage_daily where metric_code = 'overtaken'"
    )
    assert row == {"arrived_run": run}


@pytest.mark.parametrize("rollup", ["int_usage_daily", "int_usage_events"])
def test_a_build_that_fails_takes_nothing_and_the_next_one_all(
    world: RollupWorld, rollup: str
) -> None:
    """It fails at its last step, after the touched groups were deleted. The other roll-up, which
    went on alone, takes nothing twice."""
    world.land(
        counter("agents", f"{rollup} 1", "2026-09-22T10", properties={"agent_id": "bo"}),
    )
    world.built()
    before = world.contents()[rollup]
    reached = world.progress(rollup)
    world.land(
        counter("agents", f"{rollup} 2", "2026-09-22T11", properties={"agent_id": "cy"}),
    )
    world.connection.execute(
        f"alter table intermediate.{rollup} add constraint broken check (false) not valid"
    )
    assert "broken" in (world.build() or "")
    assert world.contents()[rollup] == before
    assert world.progress(rollup) == reached
    world.connection.execute(f"alter table intermediate.{rollup} drop constraint broken")
    world.land(counter("messages", f"{rollup} 3", "2026-09-22T12", 1))
    world.built()
    assert step_by_step(world)
    assert_same_as_full_refresh(world)


def test_a_build_that_another_overtakes_says_so(world: RollupWorld) -> None:
    """The other build replaced the steps after they were read: nothing of this one stays."""
    reached = world.progress("int_usage_daily")
    world.land(counter("messages", "overtaken build", "2026-09-23T10", 1))
    world.connection.execute(
        """
        create function public.overtake() returns trigger language plpgsql as $$ begin
            update intermediate.int_rollup_steps set build_id = 'another';
            return null;
        end $$;
        create trigger overtake after insert on intermediate.int_usage_daily
            for each statement execute function public.overtake();
        """
    )
    said = world.build()
    world.connection.execute("drop function public.overtake() cascade")
    assert "another dbt build replaced the steps of int_usage_daily" in (said or "")
    assert world.progress("int_usage_daily") == reached
    world.built()
    assert_same_as_full_refresh(world)


def test_another_servers_batches_are_all_taken_anew(world: RollupWorld) -> None:
    """After a restore the batches' transaction ids are set to 3 (`fusion-billing doctor`): a batch
    that was not yet taken lies below the line, and would be passed over."""
    world.land(counter("restored", "z1", "2026-09-24T10", 1))
    world.connection.execute("update raw.ingest_batch set xid = '3'")
    world.built()
    assert not step_by_step(world)
    assert world.days("restored") == [(24, "counted", 1, "1")]
    assert_same_as_full_refresh(world)


def assert_same_as_full_refresh(world: RollupWorld) -> None:
    step = world.contents()
    world.built("--full-refresh")
    assert step == world.contents()


CODES = ("messages", "meter_kwh", "agents", "payments", "seats", "level", "geocodes", "nobody's")


def random_counter(chance: random.Random, key: str) -> Row:
    """Few values of everything, so that windows, meters and days meet."""
    kind = chance.choice(("delta", "delta", "cumulative", "cumulative", "event"))
    properties: Row = {}
    if chance.random() < 0.4:
        properties["region"] = chance.choice(("ca", "us"))
    if kind == "event":
        properties |= {
            name: chance.choice(("1", "2.5", "x")) for name in ("sent", "value", "amount")
        }
    if chance.random() < 0.7:
        properties["agent_id"] = chance.choice(("anna", "bo"))
    day = chance.choice((5, 6, 7, 9, 14))
    start = f"2026-11-{day:02}T{chance.choice((3, 4, 5, 6, 20)):02}:00Z"
    return {
        **counter(chance.choice(CODES), key, "2026-11-05T00"),
        "service_code": chance.choice(("nexadesk", "nexamaps")),
        "kind": kind,
        "window_start": start,
        # Some windows reach over the days of others.
        "window_end": start
        if kind == "event"
        else f"2026-11-{chance.choice((day, day, 15)):02}T22:00Z",
        "value": None if kind == "event" else chance.choice((1, 5, 20, "20.5", 80)),
        "revision": 0 if kind == "event" else chance.choice((0, 0, 0, 1, 2)),
        "properties": properties,
        "cents": chance.choice((None, None, "12.5")),
    }


@pytest.mark.parametrize("seed", [1, 2])
def test_steps_of_a_random_world_make_what_a_full_refresh_makes(
    world: RollupWorld, seed: int
) -> None:
    chance = random.Random(seed)
    for step in range(4):
        for batch in range(3):
            world.land(
                *(
                    random_counter(chance, f"random {seed} {step} {batch} {number}")
                    for number in range(chance.randint(1, 9))
                )
            )
        if step == 1:
            world.charge(20, chance.choice((1, 2, 3)), x_pricing_group_keys="region")
        if step == 2:
            world.record_run()
            world.charge(21, 4, x_charge_model="percentage", x_rate="1", x_free_amount="5")
        if step == 3:
            world.delete_charge(20)
        world.built()
        assert step_by_step(world), seed
    assert_same_as_full_refresh(world)


# Of a roll-up by its rules: whoever changes the columns raises the rules, and writes both here.
COLUMNS = {
    ("int_usage_daily", 2): (
        "aggregation arrived_run cents_sum counters dimensions events external_subscription_id fate"
        " last_order last_window_end local_day metric_code quantity_last quantity_max quantity_sum"
        " rolled_up_xid service_code"
    ),
    ("int_usage_events", 1): (
        "arrived_run cents dimensions external_subscription_id fate local_day member metric_code"
        " operation quantity received_at service_code transaction_id window_end window_start"
    ),
}


def test_other_columns_have_other_rules(world: RollupWorld) -> None:
    """A roll-up in use gets its new columns empty, and is made anew only by other rules."""
    found = world.rows(
        "select steps.rollup, steps.rules,"
        " string_agg(columns.column_name, ' ' order by columns.column_name) as names"
        " from intermediate.int_rollup_steps as steps"
        " inner join information_schema.columns as columns on steps.rollup = columns.table_name"
        " where columns.table_schema = 'intermediate' group by 1, 2"
    )
    assert {(row["rollup"], row["rules"]): row["names"] for row in found} == COLUMNS
