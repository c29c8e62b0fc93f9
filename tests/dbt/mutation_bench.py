"""A warehouse to try mutants on, and what of the project's own tests notices one.

Tried are, the cheapest first: the unit tests of the model; a full build from it on, with all data
tests; the next build of a warehouse that usage has come to since. Each stops at the first failure.
Of a macro that finance's models alone call, only their unit tests: the world has no invoices.
A mutant that no test notices is told by the rows it changed, if any."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from builds_compared import COLUMNS_OF_THE_BUILD, Table, digests, physical, rating_models
from builds_world import Dbt, World
from dbt.cli.main import dbtRunner
from dbt.contracts.graph.manifest import Manifest
from mutation_world import begin_rich, change
from mutations import Mutant
from sqlalchemy.engine import make_url

from warehouse.engine import make_engine
from warehouse.migrate import migrate

QUIET = ("--quiet", "--no-write-json", "--log-level-file", "none")
OF_RATING = "+tag:rating"
OF_FINANCE = "+tag:finance"
NO_UNIT_TESTS = ("--exclude-resource-type", "unit_test")
NO_TESTS = (*NO_UNIT_TESTS, "--exclude-resource-type", "test")
CLEAN, EARLIER = "clean", "earlier"


@dataclass(frozen=True)
class Verdict:
    """`caught_by` is empty where nothing noticed; `changed` are tables that it changed."""

    caught_by: str
    said: str = ""
    changed: tuple[str, ...] = ()

    @property
    def is_caught(self) -> bool:
        return bool(self.caught_by)

    @property
    def survived(self) -> bool:
        return not self.caught_by and bool(self.changed)


class ParsedDbt(Dbt):
    """dbt in process. The steps are views, for unit tests to ask the database for their columns."""

    def manifest(self, database_url: str, prefix: str = "") -> Manifest:
        if prefix not in self.parsed:
            with self._environment(database_url, prefix):
                parsed = dbtRunner().invoke([*QUIET, "parse", "--vars", "{steps: view}"]).result
            assert isinstance(parsed, Manifest)
            self.parsed[prefix] = parsed
        return super().manifest(database_url, prefix)

    def _environment(self, database_url: str, prefix: str) -> Any:
        """The code stays the same, as it were: a mutant in the next build is one that changed with
        nothing to tell, and does not have everything rated anew."""
        changed = super()._environment(database_url, prefix)
        changed.values["FUSION_DBT_CODE"] = "mutants"
        return changed

    def failures(self, database_url: str, *arguments: str) -> list[str]:
        """What failed, tests and models alike; a build that broke off is a failure too."""
        manifest = self.manifest(database_url)
        with self._environment(database_url, ""):
            done = dbtRunner(manifest).invoke([*QUIET, *arguments, "--threads", "2"])
        results = getattr(done.result, "results", [])
        said = [
            f"{result.node.name}: {result.status}: {(result.message or '').strip()[:300]}"
            for result in results
            if result.status in ("fail", "error", "runtime error")
        ]
        if not said and not done.success:
            # Another thread may have told of the stop before the failure itself was told of.
            said = [f"stopped at the first failure: {done.exception or 'not told which'}"]
        return said


class Bench:
    """One database `name`, made again from what it was like before a mutant came."""

    def __init__(self, server_url: str, folder: Path, name: str, world_seed: int) -> None:
        self.server_url, self.name = server_url, name
        self.url = self._url_of(name)
        self.dbt = ParsedDbt(folder)
        self._recreate(name, None)
        engine = make_engine(self.url)
        migrate(engine)
        engine.dispose()
        self.world = World(self.url, self.dbt, random.Random(world_seed))
        begin_rich(self.world)
        change(self.world)
        self._keep(EARLIER)
        self.refused = self.dbt.failures(
            self.url, "build", "--full-refresh", "--select", OF_RATING, *NO_UNIT_TESTS
        )
        # For the columns of their inputs, which unit tests ask for.
        finance = ("build", "--empty", "--select", OF_FINANCE, "--exclude", OF_RATING)
        self.refused += self.dbt.failures(self.url, *finance, *NO_TESTS)
        self.tables = self._tables()
        self.clean = digests(self.world, self.tables)
        self._keep(CLEAN)
        self.holds = CLEAN

    @property
    def manifest(self) -> Manifest:
        return self.dbt.manifest(self.url)

    def close(self) -> None:
        self.world.connection.close()
        with self._admin() as admin:
            for name in (self.name, f"{self.name}_{CLEAN}", f"{self.name}_{EARLIER}"):
                admin.execute(f"drop database if exists {name} with (force)")

    # --- a mutant --------------------------------------------------------------------------

    def judge(self, mutant: Mutant, with_tests: bool = True) -> Verdict:
        with self.mutated(mutant):
            said = self.unit_tests(mutant) if with_tests else []
            if said:
                return Verdict("unit test", said[0])
            if self.models(mutant) and not self.rating_models(mutant):
                return Verdict("")
            said = self.full_build(mutant, with_tests)
            if said:
                return Verdict("data test", said[0])
            changed = self.changed()
            if changed:
                return Verdict("", changed=changed)
            said = self.next_build(with_tests)
            if said:
                return Verdict("data test", said[0])
            changed = self.changed()
        # tests/property/test_builds_agree.py compares just so, on many more histories.
        if changed and with_tests:
            return Verdict("builds agree", ", ".join(changed))
        return Verdict("", changed=changed)

    @contextmanager
    def mutated(self, mutant: Mutant) -> Iterator[None]:
        manifest = self.manifest
        item: Any = manifest.nodes.get(mutant.unique_id) or manifest.macros[mutant.unique_id]
        attribute = "macro_sql" if mutant.unique_id.startswith("macro.") else "raw_code"
        original = getattr(item, attribute)
        setattr(item, attribute, mutant.code)
        try:
            yield
        finally:
            setattr(item, attribute, original)

    def rating_models(self, mutant: Mutant) -> list[str]:
        """The one that is mutated, or those with the macro's code in them."""
        if not mutant.unique_id.startswith("macro."):
            return [mutant.model]
        return self._calling(mutant, rating_models(self.manifest).values())

    def models(self, mutant: Mutant) -> list[str]:
        """The same; where the rating has none, finance's."""
        nodes = self.manifest.nodes.values()
        models = [node for node in nodes if node.resource_type == "model"]
        return self.rating_models(mutant) or self._calling(mutant, models)

    def _calling(self, mutant: Mutant, nodes: Iterable[Any]) -> list[str]:
        return sorted(node.name for node in nodes if mutant.unique_id in self._called_by(node))

    def _called_by(self, node: Any) -> set[str]:
        """Macros that the node calls, and those that these call in turn."""
        found: set[str] = set()
        wanted = list(node.depends_on.macros)
        while wanted:
            macro = wanted.pop()
            if macro not in found:
                found.add(macro)
                wanted += self.manifest.macros[macro].depends_on.macros
        return found

    def unit_tests(self, mutant: Mutant) -> list[str]:
        self._hold(CLEAN)
        chosen = [f"{model},test_type:unit" for model in self.models(mutant)]
        if not chosen:
            return []
        return self.dbt.failures(self.url, "--fail-fast", "test", "--select", *chosen)

    def full_build(self, mutant: Mutant, with_tests: bool) -> list[str]:
        self._hold(CLEAN, dirty=True)
        following = [f"{model}+,{OF_RATING}" for model in self.rating_models(mutant)]
        following = following or [OF_RATING]  # a hook's macro
        return self._build(with_tests, "--full-refresh", "--select", *following)

    def next_build(self, with_tests: bool) -> list[str]:
        self._hold(EARLIER, dirty=True)
        # As where many are touched: some of them looked up, most read as their days lie.
        many = ("--vars", "{most_looked_up: 0, share_looked_up: 0.3}")
        return self._build(with_tests, "--select", OF_RATING, *many)

    def _build(self, with_tests: bool, *arguments: str) -> list[str]:
        command = ("build", *NO_UNIT_TESTS) if with_tests else ("run",)
        return self.dbt.failures(self.url, "--fail-fast", command[0], *arguments, *command[1:])

    def changed(self) -> tuple[str, ...]:
        now = digests(self.world, self.tables)
        return tuple(sorted(name for name in now if now[name] != self.clean[name]))

    # --- databases -------------------------------------------------------------------------

    def _tables(self) -> list[Table]:
        found = []
        for _, node in sorted(physical(self.manifest).items()):
            columns = self.world.connection.execute(
                "select column_name::text from information_schema.columns"
                " where table_schema = %s and table_name = %s order by ordinal_position",
                (node.schema, node.alias),
            ).fetchall()
            told = tuple(name for (name,) in columns if name not in COLUMNS_OF_THE_BUILD)
            found.append(Table(node.alias, node.schema, told))
        return found

    def _hold(self, state: str, dirty: bool = False) -> None:
        if self.holds != state:
            self.world.connection.close()
            self._recreate(self.name, f"{self.name}_{state}")
            self.world.connection = psycopg.connect(self.url, autocommit=True)
        self.holds = "" if dirty else state

    def _keep(self, state: str) -> None:
        self.world.connection.close()
        self._recreate(f"{self.name}_{state}", self.name)
        self.world.connection = psycopg.connect(self.url, autocommit=True)

    def _recreate(self, name: str, template: str | None) -> None:
        like = f" template {template} strategy file_copy" if template else ""
        with self._admin() as admin:
            admin.execute(f"drop database if exists {name} with (force)")
            admin.execute(f"create database {name}{like}")

    def _admin(self) -> psycopg.Connection[Any]:
        return psycopg.connect(self.server_url, autocommit=True)

    def _url_of(self, name: str) -> str:
        return make_url(self.server_url).set(database=name).render_as_string(hide_password=False)
