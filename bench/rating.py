"""The rating against its yardsticks: a full build, one DuckDB query, Lago's way.

`python -m bench.rating` prints a table in Markdown; docs/benchmarks.md keeps it. Everything runs
on one machine, one after the other, and every ratio is of two figures of the same run.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import psycopg

from bench import rating_queries as sql
from bench.rating_world import (
    COUNTERS_A_BATCH,
    WINDOWS,
    Windows,
    add_counters,
    make_catalogue,
    make_subscriptions,
)
from warehouse.dbt_project import dbt_target, prepare_manifest, run_dbt
from warehouse.embedded import embedded_server
from warehouse.engine import make_engine
from warehouse.migrate import migrate
from warehouse.settings import Settings

_LAGO_SAMPLE = 300


@contextmanager
def timed(seconds: dict[str, float], name: str) -> Iterator[None]:
    """Notes how long the block took."""
    started = time.perf_counter()
    yield
    seconds[name] = time.perf_counter() - started


def build(url: str, settings: Settings, *arguments: str) -> dict[str, float]:
    """Runs the rating's models; seconds of each, as dbt tells them. No more at a time than there
    are cores: a sum of what waited for one another says nothing."""
    threads = ("--threads", str(os.cpu_count()))
    run_dbt(url, settings, "run", "--select", "+tag:rating", *threads, *arguments)
    results = json.loads((dbt_target(settings) / "run_results.json").read_text())["results"]
    return {result["unique_id"].rsplit(".", 1)[-1]: result["execution_time"] for result in results}


def settle(url: str) -> None:
    """What autovacuum and the next checkpoint would do after a build that wrote everything."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("vacuum (analyze)")
        connection.execute("checkpoint")


def to_parquet(url: str, folder: Path) -> Path:
    """Every counter as one row of a Parquet file, in the types that DuckDB is quickest with."""
    import adbc_driver_postgresql.dbapi as postgres
    import pyarrow as pa
    import pyarrow.parquet as parquet

    path = folder / "counters.parquet"
    with postgres.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute(sql.COUNTERS)
        reader = cursor.fetch_record_batch()
        value = reader.schema.get_field_index("value")
        schema = reader.schema.set(value, pa.field("value", pa.decimal128(18, 2)))
        with parquet.ParquetWriter(path, schema) as writer:
            for batch in reader:
                writer.write_table(pa.Table.from_batches([batch]).cast(schema))
    return path


def duckdb_lines(path: Path) -> tuple[float, list[tuple[object, ...]]]:
    """Seconds of the one query, the median of three, and the lines it rated."""
    took = []
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'UTC'")
        for _ in range(3):
            started = time.perf_counter()
            connection.execute(sql.DUCKDB.format(path=path))
            took.append(time.perf_counter() - started)
        return statistics.median(took), connection.execute(sql.DUCKDB_LINES).fetchall()


def lagos_way(url: str, subscriptions: int) -> float:
    """Seconds for all subscriptions, from a sample: a query or two a subscription and charge."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(sql.LAGO_EVENTS)
        connection.execute("vacuum analyze lago.events")
        every = max(1, subscriptions // _LAGO_SAMPLE)
        chosen = [f"sub_{number:06d}" for number in range(0, subscriptions, every)]
        started = time.perf_counter()
        for subscription in chosen:
            codes = connection.execute(sql.LAGO_CODES, {"sub": subscription}).fetchall()
            for (code,) in codes:
                for query in sql.LAGO_QUERIES[code]:
                    connection.execute(query, {"sub": subscription, "code": code}).fetchall()
        took = time.perf_counter() - started
        connection.execute("drop schema lago cascade")
        return took * subscriptions / len(chosen)


def measure(rows: int, subscriptions: int, parts: set[str], windows: Windows) -> None:
    """One size: fill, full build, what 100,000 more cost, and the yardsticks."""
    seconds: dict[str, float] = {}
    with (
        tempfile.TemporaryDirectory(prefix="fusion-bench-", ignore_cleanup_errors=True) as folder,
        embedded_server(Path(folder) / "postgres") as url,
    ):
        settings = Settings(_env_file=None, fusion_home=Path(folder))
        engine = make_engine(url)
        migrate(engine)
        engine.dispose()
        make_catalogue(url)
        make_subscriptions(url, subscriptions)
        add_counters(url, rows, subscriptions, first=0, windows=windows)
        prepare_manifest(url, settings)
        with timed(seconds, "full"):
            full = build(url, settings, "--full-refresh")
        settle(url)
        with timed(seconds, "nothing"):
            nothing = build(url, settings)
        add_counters(url, COUNTERS_A_BATCH, subscriptions, first=rows, windows=windows)
        with timed(seconds, "more"):
            more = build(url, settings)
        few = subscriptions // 100
        add_counters(url, COUNTERS_A_BATCH, few, first=0, kind="late", windows=windows)
        with timed(seconds, "late"):
            late = build(url, settings)
        counted = f"{rows:,} counters by {windows.length}, {subscriptions:,} subscriptions"
        print(f"| {counted} | | |")
        _line("full build", full, seconds["full"], full)
        _line("with nothing new", nothing, seconds["nothing"], full)
        _line(f"{COUNTERS_A_BATCH:,} more of all", more, seconds["more"], full)
        _line(
            f"{COUNTERS_A_BATCH:,} late ones of {few:,} subscriptions", late, seconds["late"], full
        )
        for name, models in (("full", full), ("nothing new", nothing), ("more", more)):
            slowest = sorted(models.items(), key=lambda item: -item[1])[:6]
            shown = ", ".join(f"{model} {took:.1f} s" for model, took in slowest)
            print(f"| slowest, {name} | {shown} | |", flush=True)
        if "duckdb" in parts:
            took, lines = duckdb_lines(to_parquet(url, Path(folder)))
            with psycopg.connect(url) as connection:
                ours = connection.execute(sql.OURS).fetchall()
            assert ours == lines, [
                pair for pair in zip(ours, lines, strict=True) if pair[0] != pair[1]
            ][:3]
            full_sql = sum(full.values())
            print(
                f"| one DuckDB query over Parquet, same lines | {took:.2f} s "
                f"| full build {full_sql / took:.1f} × |"
            )
        if "lago" in parts:
            lago = lagos_way(url, subscriptions)
            rated = sum(s for name, s in more.items() if name not in sql.ROLL_UPS)
            print(
                f"| Lago's way, from {_LAGO_SAMPLE} subscriptions | {lago:.1f} s "
                f"| {lago / sum(more.values()):.0f} × the build with new usage, "
                f"{lago / rated:.0f} × its rating alone |"
            )


def _line(name: str, models: dict[str, float], wall: float, full: dict[str, float]) -> None:
    took = sum(models.values())
    share = took / sum(full.values())
    print(f"| {name} | {took:.1f} s in PostgreSQL, {wall:.1f} s in all | {share:.3f} of full |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", default=["duckdb", "lago"], help="duckdb lago")
    parser.add_argument("--rows", type=int, nargs="*", default=[1_000_000])
    parser.add_argument("--subscriptions", type=int, default=10_000)
    parser.add_argument("--windows", nargs="*", choices=WINDOWS, default=["half-hours"])
    chosen = parser.parse_args()
    print(f"| {os.cpu_count()} cores | | |\n|---|---|---|")
    for rows in chosen.rows:
        for name in chosen.windows:
            measure(rows, chosen.subscriptions, set(chosen.parts), WINDOWS[name])


if __name__ == "__main__":
    main()
