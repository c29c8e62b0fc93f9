"""One warehouse and its life: what the mirror, the endpoint and the builds write, all chosen by one
seed. The records of Odoo are kept here as well, so that a step can change them and take it back."""

from __future__ import annotations

import copy
import json
import os
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from unittest import mock
from zoneinfo import ZoneInfo

import psycopg
from dbt.artifacts.schemas.run import RunExecutionResult
from dbt.cli.main import dbtRunner
from dbt.contracts.graph.manifest import Manifest
from dbt.contracts.graph.nodes import CompiledNode
from psycopg.types.json import Jsonb

from warehouse.dbt_project import dbt_environment
from warehouse.settings import Settings

ZONE = ZoneInfo("America/Toronto")
REPLAY = "replay_"
RATING = "+tag:rating"
# They read raw alone and no build changes them: made once, they save a third of each build.
STAGING_VIEWS = "config.materialized:view,path:models/staging"

# write_date stays: stored computed fields of Odoo change without a new one. A record that comes
# again as it was is left alone, as the mirror leaves it.
SAVE = """
insert into raw.odoo_{table} as mirrored (id, write_date, record) values (%s, '2025-01-01', %s)
on conflict (id) do update
set record = excluded.record, mirrored_at = clock_timestamp(), deleted_at = null
where mirrored.record <> excluded.record or mirrored.deleted_at is not null
"""
COUNTER = """
insert into raw.usage_counter (
    service_code, external_subscription_id, transaction_id, batch_id, code, kind, window_start,
    window_end, value, revision, properties, precise_total_amount_cents, payload_hash, received_at
) values (
    %(service)s, %(subscription)s, %(transaction)s, %(batch)s, %(code)s, %(kind)s, %(start)s,
    %(end)s, %(value)s, %(revision)s, %(properties)s, %(cents)s, '\\x00', %(received)s
)
"""

Record = dict[str, Any]
Counter = dict[str, Any]
Records = dict[str, dict[int, Record]]
# A step says what it did, or None where there is nothing to do it to.
Step = Callable[["World"], str | None]
STEPS: dict[str, Step] = {}


def step(function: Step) -> Step:
    STEPS[function.__name__] = function
    return function


class Dbt:
    """dbt in this process, parsed once for the warehouse and once for a replay beside it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.parsed: dict[str, Manifest] = {}

    def manifest(self, database_url: str, prefix: str = "") -> Manifest:
        if prefix not in self.parsed:
            with self._environment(database_url, prefix):
                done = dbtRunner().invoke(["--quiet", "parse"])
            if done.exception is not None:
                raise done.exception
            assert isinstance(done.result, Manifest)
            self.parsed[prefix] = done.result
        # A manifest that has been compiled does not put ephemeral models in a second time.
        for node in self.parsed[prefix].nodes.values():
            if isinstance(node, CompiledNode):
                node.compiled = False
                node.extra_ctes_injected = False
                node.extra_ctes = []
        return self.parsed[prefix]

    def run(self, database_url: str, *arguments: str, prefix: str = "") -> str | None:
        """What dbt says went wrong, or None."""
        manifest = self.manifest(database_url, prefix)
        with self._environment(database_url, prefix):
            done = dbtRunner(manifest).invoke(
                [
                    *("--quiet", "--no-write-json", "--log-level-file", "none"),
                    *("run", "--threads", "2", *arguments),
                ]
            )
        if done.exception is not None:
            raise done.exception
        assert isinstance(done.result, RunExecutionResult)
        said = [
            f"{result.node.name}: {result.message}"
            for result in done.result.results
            if result.status == "error"
        ]
        return None if done.success else "; ".join(said)

    def _environment(self, database_url: str, prefix: str) -> Any:
        settings = Settings(_env_file=None, fusion_home=self.folder / (prefix or "warehouse"))
        changes = {**dbt_environment(database_url, settings), "FUSION_SCHEMA_PREFIX": prefix}
        return mock.patch.dict(os.environ, changes)


@dataclass
class World:
    database_url: str
    dbt: Dbt
    chance: random.Random
    connection: psycopg.Connection[tuple[Any, ...]] = field(init=False)
    odoo: Records = field(default_factory=dict)
    counters: list[Counter] = field(default_factory=list)
    # Odoo's records as of each build, the newest last.
    past: list[Records] = field(default_factory=list)
    today: date = date(2025, 3, 20)
    is_built: bool = False

    def __post_init__(self) -> None:
        self.connection = psycopg.connect(self.database_url, autocommit=True)

    # --- Odoo ------------------------------------------------------------------------------

    def records(self, table: str, where: Callable[[Record], object] = bool) -> list[Record]:
        """Copies, in order of their ids."""
        found = self.odoo.setdefault(table, {})
        return [dict(found[number]) for number in sorted(found) if where(found[number])]

    def a_record(self, table: str, where: Callable[[Record], object] = bool) -> Record | None:
        found = self.records(table, where)
        return self.chance.choice(found) if found else None

    def save(self, table: str, record: Record) -> Record:
        """As search_read gives it: what is unset is false. Without an id it is a new one."""
        known = self.odoo.setdefault(table, {})
        record.setdefault("id", self.new_id(table))
        known[record["id"]] = dict(record)
        said = {name: False if value is None else value for name, value in record.items()}
        self.connection.execute(SAVE.format(table=table), (record["id"], Jsonb(said)))
        return record

    def new_id(self, table: str) -> int:
        """Never one that was used before, removed or not."""
        (last,) = self.row(f"select coalesce(max(id), 0) from raw.odoo_{table}")
        return int(last) + 1

    def remove(self, table: str, record: Record) -> None:
        del self.odoo[table][record["id"]]
        self.connection.execute(
            f"update raw.odoo_{table} set deleted_at = clock_timestamp() where id = %s",
            (record["id"],),
        )

    def restore(self, records: Records) -> bool:
        """Odoo as it was; whether anything had changed since."""
        if records == self.odoo:
            return False
        for table in sorted(self.odoo):
            then = records.get(table, {})
            for record in self.records(table):
                if record["id"] not in then:
                    self.remove(table, record)
            for record in then.values():
                self.save(table, dict(record))
        return True

    # --- usage -----------------------------------------------------------------------------

    def land(
        self,
        counters: list[Counter],
        on: psycopg.Connection[tuple[Any, ...]] | None = None,
    ) -> None:
        """One committed request of each service, unless `on` a transaction of the caller's."""
        connection = on or self.connection
        for service in sorted({counter["service"] for counter in counters}):
            own = [counter for counter in counters if counter["service"] == service]
            with connection.transaction():
                found = connection.execute(
                    "insert into raw.ingest_batch (service_code, counters) values (%s, %s)"
                    " returning batch_id",
                    (service, len(own)),
                ).fetchone()
                assert found is not None
                connection.cursor().executemany(
                    COUNTER,
                    [
                        counter
                        | {"batch": found[0], "properties": json.dumps(counter["properties"])}
                        for counter in own
                    ],
                )
        self.counters += counters

    def counter(
        self, subscription: tuple[str, str], code: str, day: date, value: object, **other: Any
    ) -> Counter:
        """A delta of an hour of that local day, received on the world's today."""
        hour = self.chance.choice((0, 1, 9, 12, 17, 23))
        start = datetime.combine(day, time(hour, self.chance.randrange(60)), ZONE)
        end = start if other.get("kind") == "event" else start + timedelta(minutes=50)
        return {
            "service": subscription[0],
            "subscription": subscription[1],
            "transaction": f"t{len(self.counters)}.{self.chance.randrange(10**9)}",
            "code": code,
            "kind": "delta",
            "start": start,
            "end": end,
            "value": value,
            "revision": 0,
            "properties": {},
            "cents": None,
            "received": datetime.combine(self.today, time(23, 59), ZONE),
            **other,
        }

    # --- builds ----------------------------------------------------------------------------

    def build(self, *arguments: str) -> str | None:
        """The ordinary build; what went wrong, or None. Every other one reads days as they lie, as
        where many subscriptions are touched, and half of the touched beside them."""
        spared = ["--exclude", STAGING_VIEWS] if self.is_built else []
        most = 500 if len(self.past) % 2 == 0 else 0
        looked_up = ("--vars", f"{{most_looked_up: {most}, share_looked_up: 0.5}}")
        said = self.dbt.run(self.database_url, "--select", RATING, *spared, *looked_up, *arguments)
        self.is_built = self.is_built or said is None
        return said

    def built(self) -> None:
        said = self.build()
        assert said is None, said
        self.past.append(copy.deepcopy(self.odoo))

    def build_in_full(self) -> None:
        """Everything from raw, in the replay's schemas."""
        said = self.dbt.run(self.database_url, "--select", RATING, "--full-refresh", prefix=REPLAY)
        assert said is None, said

    def row(self, query: str, parameters: tuple[object, ...] = ()) -> tuple[Any, ...]:
        found = self.connection.execute(query, parameters).fetchone()
        assert found is not None
        return found
