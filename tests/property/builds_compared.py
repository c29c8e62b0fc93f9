"""What two builds made, table by table and row by row. Which tables there are is dbt's to say: a
model that is added to the rating is compared from its first day on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from graphlib import TopologicalSorter
from typing import Any

from builds_world import REPLAY, World
from dbt.artifacts.resources.types import NodeType
from dbt.contracts.graph.manifest import Manifest

# What a build notes of itself: where it got to, and what it found to do.
OF_THE_BUILD = {
    "stg_usage__snapshot",
    "int_rollup_steps",
    "int_usage_touched",
    "int_rating_step",
    "int_subscriptions_touched",
}
COLUMNS_OF_THE_BUILD = {
    "build_id",
    "snapshot_build_id",
    "high_water_xid",
    "previous_xid",
    "rolled_up_xid",
}
# Kept in as many parts as there were builds: folded again they agree.
IN_PARTS = {"int_usage_landed": {"counters": "sum", "quantity": "sum", "last_day": "max"}}
# What is rated anew for the subscriptions that were touched: all that comes after the roll-ups.
ROLLUPS = ("int_usage_daily", "int_usage_events")
SHOWN = 3
SHOWN_TABLES = 2
BUCKETS_THAT_DIFFER = """
select {columns} from {schema}.fct_usage_conservation
where counters_difference <> 0 or quantity_difference <> 0
"""


@dataclass(frozen=True)
class Table:
    name: str
    schema: str
    columns: tuple[str, ...]

    def rows(self, prefix: str = "") -> str:
        """A query of the rows, each as one text."""
        relation = f"{prefix}{self.schema}.{self.name}"
        parts = IN_PARTS.get(self.name, {})
        told = [f'"{column}"' for column in self.columns if column not in parts]
        folds = [f"{fold}({column}) as {column}" for column, fold in parts.items()]
        grouped = f" group by {', '.join(told)}" if parts else ""
        return (
            f"select row_to_json(told)::text as line"
            f" from (select {', '.join([*told, *folds])} from {relation}{grouped}) as told"
        )


def rating_models(manifest: Manifest) -> dict[str, Any]:
    """The models of `+tag:rating`, by their ids."""
    wanted = [key for key, node in manifest.nodes.items() if "rating" in node.tags]
    found: dict[str, Any] = {}
    while wanted:
        key = wanted.pop()
        node = manifest.nodes.get(key)
        if node is not None and key not in found and node.resource_type == NodeType.Model:
            found[key] = node
            wanted += node.depends_on.nodes
    return found


def in_order(models: dict[str, Any]) -> Iterator[str]:
    """Their ids, each after what it reads: the first table that differs is where it began."""
    sorter = TopologicalSorter({key: models[key].depends_on.nodes for key in sorted(models)})
    return (key for key in sorter.static_order() if key in models)


def physical(manifest: Manifest) -> dict[str, Any]:
    models = rating_models(manifest)
    return {
        key: node
        for key, node in ((key, models[key]) for key in in_order(models))
        if node.config.materialized in ("table", "incremental") and node.name not in OF_THE_BUILD
    }


def rated(manifest: Manifest) -> set[str]:
    """Names of the tables downstream of the roll-ups, those themselves left out."""
    models = rating_models(manifest)
    downstream = {key for key, node in models.items() if node.name in ROLLUPS}
    while True:
        more = {
            key for key, node in models.items() if downstream.intersection(node.depends_on.nodes)
        } - downstream
        if not more:
            break
        downstream |= more
    return {
        node.name
        for key, node in physical(manifest).items()
        if key in downstream and node.name not in ROLLUPS
    }


def tables(world: World) -> list[Table]:
    """The tables to compare, without the columns that say which build it was."""
    manifest = world.dbt.manifest(world.database_url)
    beside = world.dbt.manifest(world.database_url, REPLAY)
    found = []
    for key, node in physical(manifest).items():
        assert beside.nodes[key].schema == REPLAY + node.schema
        columns = tuple(
            name
            for (name,) in world.connection.execute(
                "select column_name::text from information_schema.columns"
                " where table_schema = %s and table_name = %s order by ordinal_position",
                (node.schema, node.alias),
            )
            if name not in COLUMNS_OF_THE_BUILD
        )
        assert columns, f"{node.name} has no column to compare"
        found.append(Table(node.alias, node.schema, columns))
    return found


def digests(world: World, compared: list[Table], prefix: str = "") -> dict[str, tuple[Any, ...]]:
    """Of each table a number of rows and a sum of their hashes, whatever their order."""
    query = " union all ".join(
        f"select '{table.name}', count(*), sum(hashtextextended(line, 0)::numeric)"
        f" from ({table.rows(prefix)}) as lines"
        for table in compared
    )
    return {name: (rows, digest) for name, rows, digest in world.connection.execute(query)}


def differences(world: World, compared: list[Table]) -> Iterator[str]:
    """What the warehouse and the full build beside it do not agree on, with a few rows of the
    first tables: in the others it goes on."""
    here, beside = digests(world, compared), digests(world, compared, REPLAY)
    differ = [table for table in compared if here[table.name] != beside[table.name]]
    for number, table in enumerate(differ):
        yield f"{table.name}: {here[table.name][0]} rows, {beside[table.name][0]} in full"
        if number >= SHOWN_TABLES:
            continue
        for title, one, other in (
            ("only in the warehouse", table.rows(), table.rows(REPLAY)),
            ("only in the full build", table.rows(REPLAY), table.rows()),
        ):
            rows = world.connection.execute(
                f"select line from ({one} except all {other}) as lines order by 1"
            ).fetchall()
            yield f"  {len(rows)} {title}"
            yield from (f"    {line}" for (line,) in rows[:SHOWN])


def not_conserved(world: World) -> Iterator[str]:
    columns = "service_code, metric_code, month, bucket, counters_difference, quantity_difference"
    for row in world.connection.execute(
        BUCKETS_THAT_DIFFER.format(columns=columns, schema="marts")
    ).fetchmany(SHOWN):
        yield f"not conserved: {row}"
