"""A build sees a change of Odoo and fails half way; the change is taken back before the next one.
Nothing is left of it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from builds_accidents import fail_at_a_lock
from builds_compared import digests
from builds_history import history
from builds_world import Dbt, World

# What was written before each of these stays as the failed build made it.
LOCKED = ("intermediate.int_charge_usage", "intermediate.int_usage_bucketed")


def other_terms(world: World) -> None:
    """Every order bills by the calendar that billed by anniversaries, and the other way round."""
    other = {"calendar": "anniversary", "anniversary": "calendar"}
    for order in world.records("subscription"):
        time = other[order.get("x_fc_billing_time") or "calendar"]
        world.save("subscription", order | {"x_fc_billing_time": time})


def other_prices(world: World) -> None:
    for charge in world.records("charge"):
        world.save("charge", charge | {"x_included": "7"})


def nobody_is_served(world: World) -> None:
    for order in world.records("subscription"):
        world.save("subscription", order | {"state": "draft"})


CHANGES = (other_terms, other_prices, nobody_is_served)


@pytest.fixture(scope="module")
def dbt(tmp_path_factory: pytest.TempPathFactory) -> Dbt:
    return Dbt(tmp_path_factory.mktemp("dbt"))


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_nothing_is_left(server_url: str, dbt: Dbt, change: Callable[[World], None]) -> None:
    with history(server_url, dbt, 1, "-k taken_back") as life:
        before = dict(life.now)
        for table in LOCKED:
            change(life.world)
            assert fail_at_a_lock(life.world, table).startswith("a build failed")
            assert life.world.restore(life.world.past[-1])
            assert life.live(["nothing_happens"])
            life.compare()
        assert life.now == before


def test_whoever_came_and_went_leaves_nothing(server_url: str, dbt: Dbt) -> None:
    """A subscription that only the failed build knew; its usage was there before."""
    with history(server_url, dbt, 1, "-k came_and_went") as life:
        world = life.world
        order = world.records("subscription", lambda order: order["state"] == "sale")[0]
        name = (order["x_fc_service_code"], "came and went")
        world.land([world.counter(name, code, world.today, 5) for code in ("messages", "seats")])
        world.built()
        before = digests(world, life.tables)
        new = {"id": world.new_id("subscription"), "x_fc_external_id": name[1]}
        world.save("subscription", order | new)
        assert fail_at_a_lock(world, LOCKED[-1]).startswith("a build failed")
        assert world.restore(world.past[-1])
        world.built()
        life.compare()
        assert digests(world, life.tables) == before
