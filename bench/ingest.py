"""The endpoint against its yardsticks: COPY, a plain endpoint, an empty handler.

`python -m bench.ingest` prints a table in Markdown; docs/benchmarks.md keeps it. Client, server
and PostgreSQL share the machine, and every ratio is of two figures of the same run.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from sqlalchemy.engine import make_url

from bench import load, world
from warehouse.embedded import embedded_server

BATCH = 1_000
_FILL = """
insert into raw.usage_counter (service_code, external_subscription_id, transaction_id, batch_id,
    code, kind, window_start, window_end, value, properties, payload_hash)
select 'nexacloud', 'sub_' || lpad((n %% 500)::text, 5, '0'), md5(n::text), n / 1000,
    'compute_hours', 'delta', timestamptz '2024-01-01' + n / 500 * interval '1 hour',
    timestamptz '2024-01-01' + (n / 500 + 1) * interval '1 hour', (n %% 9973)::numeric / 100,
    '{"region": "ca-tor"}', sha256(n::text::bytea)
from generate_series(%s::bigint, %s::bigint) as n
"""

_PRIMARY_KEY = """
alter table raw.usage_counter add constraint usage_counter_pkey
    primary key (service_code, external_subscription_id, transaction_id)
"""


class Bench:
    """One PostgreSQL, one key; each measurement starts from an empty table unless it says so."""

    def __init__(self, database_url: str, workers: int) -> None:
        self.url = database_url
        self.key = world.prepare(database_url)
        self.workers = workers

    @contextmanager
    def ours(self) -> Iterator[tuple[int, int]]:
        """Port and process of the endpoint."""
        port = world.free_port()
        workers = str(self.workers)
        with world.process("bench.endpoint", port=port, URL=self.url, WORKERS=workers) as pid:
            yield port, pid

    def batches(
        self, count: int, *, seed: int, port: int, path: str = "/api/v1/usage"
    ) -> list[bytes]:
        items = world.counters(count * BATCH, seed=seed)
        return [
            world.request(self.key, path, {"counters": items[at : at + BATCH]}, port)
            for at in range(0, len(items), BATCH)
        ]

    def copy_rate(self, rows: int, *, seed: int, rows_each: int) -> float:
        """Rows a second of COPY over one connection, `rows_each` to a transaction."""
        items = world.counters(rows, seed=seed)
        parts = [world.copy_text(items[at : at + rows_each]) for at in range(0, rows, rows_each)]
        statement = f"copy raw.usage_counter ({world.COLUMNS}) from stdin"
        with psycopg.connect(self.url, autocommit=True) as connection:
            started = time.perf_counter()
            for part in parts:
                with connection.cursor().copy(statement) as copy:
                    copy.write(part)
            return rows / (time.perf_counter() - started)

    def batch_load(self, count: int, *, seed: int, connections: int) -> load.Load:
        """Our endpoint on batches of 1,000; checks that every row is there."""
        before = world.stored(self.url)
        with self.ours() as (port, _):
            load.send(self.batches(2, seed=seed + 1000, port=port), port=port, connections=1)
            requests = self.batches(count, seed=seed, port=port)
            answer = load.send(requests, port=port, connections=connections)
        assert world.stored(self.url) == before + (count + 2) * BATCH
        return answer


def compare_batches(bench: Bench, rounds: int, batches: int) -> None:
    """(a) batches of 1,000 beside COPY and beside a plain endpoint."""
    rows = batches * BATCH
    copies, commits, rates, p50, p99 = [], [], [], [], []
    for seed in range(rounds):
        world.empty(bench.url)
        copies.append(bench.copy_rate(rows, seed=seed, rows_each=rows))
        world.empty(bench.url)
        commits.append(bench.copy_rate(rows, seed=seed, rows_each=BATCH))
        world.empty(bench.url)
        ours = bench.batch_load(batches, seed=seed, connections=4)
        rates.append(ours.rate * BATCH)
        p50.append(ours.quantile(0.5))
        p99.append(ours.quantile(0.99))
    ours_rate = statistics.median(rates)
    print(f"| COPY, one transaction | {statistics.median(copies):,.0f} rows/s | |")
    print(f"| COPY, {BATCH} rows a transaction | {statistics.median(commits):,.0f} rows/s | |")
    print(
        f"| POST /usage, {BATCH} counters a request | {ours_rate:,.0f} rows/s "
        f"| {ratio(rates, copies)} of COPY, {ratio(rates, commits)} of COPY with commits |"
    )
    print(
        f"| latency of such a request, 4 at a time | p50 {statistics.median(p50) * 1000:.0f} ms, "
        f"p99 {statistics.median(p99) * 1000:.0f} ms | |"
    )
    if importlib.util.find_spec("fastapi") is None:
        print("| plain endpoint | not run: needs the dependency group `bench` | |")
        return
    world.empty(bench.url)
    port = world.free_port()
    few = max(4, batches // 20)
    with world.process("bench.plain_endpoint", port=port, URL=bench.url):
        load.send(bench.batches(1, seed=77, port=port, path="/usage"), port=port, connections=1)
        requests = bench.batches(few, seed=78, port=port, path="/usage")
        plain = load.send(requests, port=port, connections=4).rate * BATCH
    print(f"| FastAPI + ORM, row by row | {plain:,.0f} rows/s | ours × {ours_rate / plain:.1f} |")


def compare_singles(bench: Bench, rounds: int, requests: int) -> None:
    """(b) single events over 64 connections beside an empty handler; the delay of a lone one."""
    empties, readers, bares, owns, granians, rates, p50, p99 = ([] for _ in range(8))  # type: ignore[var-annotated]
    for seed in range(rounds):
        for figures, kind, path in (
            (empties, "litestar", "/empty"),
            (readers, "litestar", "/read"),
            (bares, "none", "/empty"),
            (owns, "own", "/empty"),
            (granians, "granian", "/empty"),
        ):
            port = world.free_port()
            with world.process("bench.empty_handler", port=port, KIND=kind):
                body = {"event": world.counters(1, seed=1)[0]}
                one = world.request(bench.key, path, body, port)
                load.send([one] * 500, port=port, connections=64)
                figures.append(load.send([one] * requests, port=port, connections=64).rate)
        world.empty(bench.url)
        with bench.ours() as (port, _):
            load.send(_events(bench, 500, seed + 100, port), port=port, connections=64)
            ours = load.send(_events(bench, requests, seed, port), port=port, connections=64)
            rates.append(ours.rate)
            p50.append(ours.quantile(0.5))
            p99.append(ours.quantile(0.99))
            lone = load.send(_events(bench, 300, seed + 200, port), port=port, connections=1)
        assert world.stored(bench.url) == requests + 800
    for name, figures in (
        ("empty handler, Litestar", empties),
        ("the same, having read the body", readers),
        ("empty handler, no framework", bares),
        ("empty handler on the endpoint's own protocol", owns),
        ("empty handler, Litestar on Granian", granians),
    ):
        print(
            f"| {name} | {statistics.median(figures):,.0f} requests/s | {ratio(rates, figures)} |"
        )
    print(f"| POST /events, 64 connections | {statistics.median(rates):,.0f} requests/s | 1.00 |")
    print(
        f"| its latency | p50 {statistics.median(p50) * 1000:.1f} ms, "
        f"p99 {statistics.median(p99) * 1000:.1f} ms | one at a time: "
        f"p50 {lone.quantile(0.5) * 1000:.2f} ms |"
    )
    print(f"| a bare insert and commit, one at a time | p50 {commit_ms(bench):.2f} ms | |")


def _events(bench: Bench, count: int, seed: int, port: int) -> list[bytes]:
    sent = []
    for number, item in enumerate(world.counters(count, seed=seed)):
        event = {
            "transaction_id": item["transaction_id"],
            "external_subscription_id": item["external_subscription_id"],
            "code": item["code"],
            "timestamp": 1_735_689_600 + number // 100,
            "properties": {"hours": item["value"]},
        }
        sent.append(world.request(bench.key, "/api/v1/events", {"event": event}, port))
    return sent


def commit_ms(bench: Bench) -> float:
    """Milliseconds that one row and its commit take on this disk, without an endpoint."""
    took = []
    with psycopg.connect(bench.url, autocommit=True) as connection:
        connection.execute("create table if not exists public.bench_one (n int)")
        for number in range(200):
            started = time.perf_counter()
            connection.execute("insert into public.bench_one values (%s)", [number])
            took.append(time.perf_counter() - started)
        connection.execute("drop table public.bench_one")
    return statistics.median(took) * 1000


def flat_memory(bench: Bench, batches: int) -> None:
    """(c) resident memory of supervisor and workers over so many batches."""
    world.empty(bench.url)
    sizes = []
    with bench.ours() as (port, pid):
        step = max(1, batches // 20)
        for at in range(0, batches, step):
            load.send(bench.batches(step, seed=10_000 + at, port=port), port=port, connections=4)
            sizes.append(world.resident_kib(pid) / 1024)
    print(
        f"| memory over {batches * BATCH:,} counters | {sizes[1]:.0f} MiB after a tenth, "
        f"{max(sizes[1:]):.0f} most, {sizes[-1]:.0f} at the end "
        f"| {(max(sizes[1:]) / sizes[1] - 1) * 100:+.1f} % |"
    )


def growth(bench: Bench, sizes: list[int], batches: int) -> None:
    """(d) the rate with so many rows stored already."""
    world.empty(bench.url)
    filled, first = 0, None
    for size in sizes:
        with psycopg.connect(bench.url, autocommit=True) as connection:
            # The index is built afterwards: filled by the row, 50 million take half an hour.
            connection.execute("alter table raw.usage_counter drop constraint usage_counter_pkey")
            for at in range(filled, size, 1_000_000):
                connection.execute(_FILL, [at, min(at + 1_000_000, size) - 1])
            connection.execute(_PRIMARY_KEY)
            connection.execute("vacuum analyze raw.usage_counter")
            connection.execute("checkpoint")
        filled = size
        copy = bench.copy_rate(batches * BATCH, seed=size + 1, rows_each=batches * BATCH)
        ours = bench.batch_load(batches, seed=size + 2, connections=4)
        rate = ours.rate * BATCH
        first = first or rate
        print(
            f"| {size:,} rows stored | {rate:,.0f} rows/s, p99 {ours.quantile(0.99) * 1000:.0f} ms "
            f"| {rate / first:.2f} of the empty table's, {rate / copy:.2f} of COPY's |"
        )


def ratio(ours: list[float], theirs: list[float]) -> str:
    """The median of the rounds' ratios."""
    return f"{statistics.median([a / b for a, b in zip(ours, theirs, strict=True)]):.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", help="batches singles memory growth; default: all")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batches", type=int, default=100, help="requests of 1,000 counters")
    parser.add_argument("--requests", type=int, default=20_000, help="single events")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--rows", type=int, nargs="*", default=[0, 1_000_000])
    chosen = parser.parse_args()
    parts: dict[str, Callable[[Bench], None]] = {
        "batches": lambda bench: compare_batches(bench, chosen.rounds, chosen.batches),
        "singles": lambda bench: compare_singles(bench, chosen.rounds, chosen.requests),
        "memory": lambda bench: flat_memory(bench, 1_000),
        "growth": lambda bench: growth(bench, chosen.rows, chosen.batches),
    }
    print(f"| {os.cpu_count()} cores, {chosen.workers} worker(s) | | |\n|---|---|---|")
    with (
        tempfile.TemporaryDirectory(prefix="fusion-bench-", ignore_cleanup_errors=True) as folder,
        embedded_server(Path(folder) / "postgres") as server,
    ):
        for name in chosen.parts or parts:
            database = f"bench_{name}"
            with psycopg.connect(server, autocommit=True) as admin:
                admin.execute(f"create database {database}")
            url = make_url(server).set(database=database).render_as_string(hide_password=False)
            parts[name](Bench(url, chosen.workers))


if __name__ == "__main__":
    main()
