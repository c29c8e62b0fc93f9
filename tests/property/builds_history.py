"""A random history of one warehouse: steps, each followed by an ordinary build, and now and then a
full build beside it that must have made the same rows."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NoReturn

import builds_accidents  # noqa: F401 - with all that it imports it fills STEPS
import psycopg
from builds_compared import differences, digests, not_conserved, rated, tables
from builds_start import begin
from builds_world import STEPS, Dbt, World
from drawing import SEED_VARIABLE
from sqlalchemy.engine import make_url

from warehouse.engine import make_engine
from warehouse.migrate import migrate

HERE = "tests/property/test_builds_agree.py"
# Compare after every build of a history, to see which step it is.
EACH_VARIABLE = "FUSION_PROPERTY_EACH_BUILD"
DATABASE = "builds_agree"


class BuildsDisagreeError(AssertionError):
    """With what differs, the steps that led there and the command that repeats them."""


@dataclass
class History:
    """`changed` holds, for each step, the rated tables that it changed rows of."""

    world_seed: int
    world: World
    again: str
    steps: list[str] = field(default_factory=list)
    changed: dict[str, set[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.rated = rated(self.world.dbt.manifest(self.world.database_url))

    def begin(self) -> None:
        begin(self.world)
        self._build()
        self.tables = tables(self.world)
        self.now = digests(self.world, self.tables)

    def live(self, kinds: Sequence[str]) -> list[str]:
        """Takes these steps and builds once; those that found something to do."""
        done = [kind for kind in kinds if self._take(kind)]
        if done:
            self._build()
            self.steps[-1] += "  | built"
            before, self.now = self.now, digests(self.world, self.tables)
            changed = {name for name in self.now if self.now[name] != before[name]}
            if done == ["nothing_happens"] and changed:
                self.fail([f"a build with nothing new changed {', '.join(sorted(changed))}"])
            for kind in done:
                self.changed.setdefault(kind, set()).update(changed & self.rated)
            if os.environ.get(EACH_VARIABLE):
                self.compare()
        return done

    def compare(self) -> None:
        """Builds everything anew beside the warehouse, and compares."""
        try:
            self.world.build_in_full()
        except AssertionError as error:
            self.fail([f"the full build failed: {error}"])
        found = [*differences(self.world, self.tables), *not_conserved(self.world)]
        if found:
            self.fail(found)
        self.steps.append("= the full build agrees")

    def fail(self, found: list[str]) -> NoReturn:
        lines = [
            *found,
            f"seed {self.world_seed}; after these steps:",
            *(f"  {step}" for step in self.steps),
            f"Again: {SEED_VARIABLE}={self.world_seed} {EACH_VARIABLE}=1"
            f" python -m pytest {HERE} {self.again}",
        ]
        raise BuildsDisagreeError("\n".join(lines))

    def _take(self, kind: str) -> bool:
        try:
            said = STEPS[kind](self.world)
        except Exception as error:
            self.steps.append(f"{kind}: broke off")
            self.fail([f"{type(error).__name__}: {error}"])
        if said is not None:
            self.steps.append(f"{kind}: {said}")
        return said is not None

    def _build(self) -> None:
        try:
            self.world.built()
        except AssertionError as error:
            self.fail([f"the build failed: {error}"])


def database(server_url: str) -> str:
    return make_url(server_url).set(database=DATABASE).render_as_string(hide_password=False)


@contextmanager
def history(server_url: str, dbt: Dbt, world_seed: int, again: str) -> Iterator[History]:
    """An empty, migrated warehouse with a beginning. It always has the same name, for which dbt was
    parsed."""
    with psycopg.connect(server_url, autocommit=True) as admin:
        admin.execute(f"drop database if exists {DATABASE} with (force)")
        admin.execute(f"create database {DATABASE}")
        url = database(server_url)
        engine = make_engine(url)
        migrate(engine)
        engine.dispose()
        made = History(world_seed, World(url, dbt, random.Random(world_seed)), again)
        try:
            made.begin()
            yield made
        finally:
            made.world.connection.close()
            admin.execute(f"drop database if exists {DATABASE} with (force)")


def dealt(world_seed: int, number: int) -> Iterator[str]:
    """Kinds of steps in the order of a shuffled deck, endlessly. Consecutive seeds deal on where
    the one before stopped, so that a few histories have seen them all."""
    deck = sorted(set(STEPS) - {"nothing_happens"})
    start = world_seed * number
    while True:
        round_no, place = divmod(start, len(deck))
        shuffled = random.Random(round_no).sample(deck, len(deck))
        yield shuffled[place]
        start += 1
