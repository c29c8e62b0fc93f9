"""Whatever happens between two builds, the next one makes what a build from nothing would make.

A build rates anew only what was touched; a change that it overlooks leaves stale lines, and nobody
is told. Here warehouses live through random histories, and are compared row by row, in every table
of the rating, with a full build beside them."""

from __future__ import annotations

import os
import random

import pytest
from builds_compared import IN_PARTS, OF_THE_BUILD, physical, rating_models
from builds_history import database, dealt, history
from builds_world import STEPS, Dbt
from drawing import SEED_VARIABLE

QUICK_SEEDS = (1, 2, 3)
BUILDS_A_HISTORY, STEPS_A_BUILD = 2, 4
SEEDS = tuple(range(100, 140))
COMPARISONS_A_HISTORY, STEPS_A_COMPARISON = 2, 4
# Which kinds of steps matter is seen in these: more than are needed.
TELLING_SEEDS = (201, 202, 203, 204, 205)


def seeds(those: tuple[int, ...]) -> tuple[int, ...]:
    """The one asked for, else those."""
    given = os.environ.get(SEED_VARIABLE)
    return (int(given),) if given else those


@pytest.fixture(scope="module")
def dbt(tmp_path_factory: pytest.TempPathFactory) -> Dbt:
    return Dbt(tmp_path_factory.mktemp("dbt"))


@pytest.mark.parametrize("world_seed", seeds(QUICK_SEEDS))
def test_builds_agree(server_url: str, dbt: Dbt, world_seed: int) -> None:
    """Several steps a build, as between two nights."""
    with history(server_url, dbt, world_seed, "-k 'builds_agree['") as life:
        kinds = dealt(world_seed, BUILDS_A_HISTORY * STEPS_A_BUILD)
        for _ in range(BUILDS_A_HISTORY):
            life.live([next(kinds) for _ in range(STEPS_A_BUILD)])
        if world_seed == QUICK_SEEDS[0]:
            life.live(["nothing_happens"])
        life.compare()


@pytest.mark.slow
@pytest.mark.parametrize("world_seed", seeds(SEEDS))
def test_builds_agree_step_by_step(server_url: str, dbt: Dbt, world_seed: int) -> None:
    with history(server_url, dbt, world_seed, "-k step_by_step") as life:
        kinds = dealt(world_seed, COMPARISONS_A_HISTORY * STEPS_A_COMPARISON)
        for _ in range(COMPARISONS_A_HISTORY):
            taken = 0
            while taken < STEPS_A_COMPARISON:
                taken += len(life.live([next(kinds)]))
            life.compare()
        life.live(["nothing_happens"])


def is_told(table: str) -> bool:
    """A fact, or the periods that a billing run closed: of that alone no fact knows."""
    return table.startswith("fct_") or table == "int_period_closings"


@pytest.mark.slow
def test_every_kind_of_step_matters(server_url: str, dbt: Dbt) -> None:
    """Each changes, in some history, a row of a fact, or closes a period: none tests nothing."""
    idle = set(STEPS) - {"nothing_happens"}
    for world_seed in seeds(TELLING_SEEDS):
        if not idle:
            break
        # What is to be taken back must have been done: that comes last.
        kinds = sorted(idle - {"the_last_changes_are_taken_back"})
        random.Random(world_seed).shuffle(kinds)
        with history(server_url, dbt, world_seed, "-k matters") as life:
            life.live(["a_quota_is_changed"])
            for number, kind in enumerate([*kinds, "the_last_changes_are_taken_back"]):
                life.live([kind])
                if number % 10 == 9:
                    life.compare()
            life.compare()
        idle -= {kind for kind, changed in life.changed.items() if any(map(is_told, changed))}
    assert sorted(idle) == []


def test_all_of_the_rating_is_compared(server_url: str, dbt: Dbt) -> None:
    """What is left out is there to be left out, and what matters most is not."""
    manifest = dbt.manifest(database(server_url))
    models = {node.name for node in rating_models(manifest).values()}
    compared = {node.name for node in physical(manifest).values()}
    assert models >= OF_THE_BUILD | set(IN_PARTS)
    assert compared >= {"fct_rated_lines", "int_usage_placed", "fct_usage_conservation"}
    assert not OF_THE_BUILD.intersection(compared)
