"""Mirror and push against a bare paged search_read and a bare batch create, on a real Odoo 19.

`python -m bench.odoo` prints a table in Markdown; docs/benchmarks.md keeps it. It needs
ODOO_TEST_URL, ODOO_TEST_DB, ODOO_TEST_USER and ODOO_TEST_KEY, and for the mirror
ODOO_TEST_DATABASE_URL: Odoo's own PostgreSQL, for lines by the hundred thousand. What the push
makes stays: take a database of its own. Every ratio is of two figures of the same run.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from bench.odoo_lines import LINE, order_lines
from bench.odoo_push import compare_push
from ingest.odoo_mirror import BILLING, MirrorCount, mirror
from ingest.odoo_mirror.passes import PAGE
from odoo_gateway.client import OdooClient, Record
from odoo_gateway.connect import connect
from warehouse.embedded import embedded_server
from warehouse.engine import make_engine
from warehouse.migrate import migrate
from warehouse.tables import odoo_mirror

(LINES,) = (model for model in BILLING if model.table == "order_line")


class Counted:
    """A client that counts its calls."""

    def __init__(self, client: OdooClient) -> None:
        self._client, self.calls = client, 0

    def __getattr__(self, name: str) -> Any:
        function = getattr(self._client, name)

        def counted(*args: Any, **kwargs: Any) -> Any:
            self.calls += 1
            return function(*args, **kwargs)

        return counted


def bare_read(client: Any) -> tuple[int, float]:
    """Rows and seconds of the mirror's fields, page by page, thrown away."""
    fields = [*LINES.fields, "write_date"]
    rows, last = 0, 0
    started = time.perf_counter()
    while True:
        domain = [*LINES.domain, ("id", ">", last)]
        page: list[Record] = client.search_read(LINE, domain, fields, order="id", limit=PAGE)
        rows += len(page)
        if len(page) < PAGE:
            return rows, time.perf_counter() - started
        last = page[-1]["id"]


def compare_mirror(engine: Engine, client: OdooClient, rounds: int, lines: int) -> None:
    """A first pass beside a bare read, an incremental one with nothing new, a full one."""
    bare_read(client)  # warm caches on both sides
    bare: list[tuple[int, float]] = []
    seconds: dict[str, list[float]] = {"first": [], "quiet": [], "full": []}
    calls: dict[str, int] = {}

    def run(name: str, **options: bool) -> MirrorCount:
        spy = Counted(client)
        started = time.perf_counter()
        count = mirror(engine, spy, [LINES], odoo="bench", **options)["order_line"]
        seconds[name].append(time.perf_counter() - started)
        calls[name] = spy.calls
        assert count.live >= lines
        return count

    for number in range(rounds):
        with engine.begin() as connection:
            connection.execute(sa.delete(odoo_mirror))
            connection.execute(sa.text("truncate raw.odoo_order_line"))
        if number % 2:  # neither is always the one that finds the caches warm
            bare.append(bare_read(client))
        assert run("first").changed >= lines
        if not number % 2:
            bare.append(bare_read(client))
        assert run("quiet").read < lines / 100, "this Odoo is written to by others"
        assert run("full", full=True).read >= lines
    first, quiet, full = (statistics.median(seconds[name]) for name in ("first", "quiet", "full"))
    rows = bare[0][0]
    rates = [found / taken for found, taken in bare]
    ratios = [taken / mine for (_, taken), mine in zip(bare, seconds["first"], strict=True)]
    print(f"| bare search_read, {PAGE} a page | {statistics.median(rates):,.0f} rows/s | |")
    print(
        f"| first pass of {rows:,} lines | {rows / first:,.0f} rows/s, {first:.1f} s, "
        f"{calls['first']} calls | {statistics.median(ratios):.2f} of bare "
        f"({min(ratios):.2f} to {max(ratios):.2f}) |"
    )
    print(
        f"| a pass with nothing new | {quiet:.2f} s, {calls['quiet']} calls | "
        f"{first / quiet:.0f} × faster than the first |"
    )
    print(f"| a full pass, nothing changed | {full:.1f} s, {calls['full']} calls | |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", help="mirror push; default: all")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--lines", type=int, default=100_000, help="that the mirror reads")
    parser.add_argument("--pushed", type=int, default=2_000, help="lines a push")
    chosen = parser.parse_args()
    needed = ["ODOO_TEST_URL"]
    if not chosen.parts or "mirror" in chosen.parts:
        needed.append("ODOO_TEST_DATABASE_URL")
    missing = [name for name in needed if not os.environ.get(name)]
    if missing:
        sys.exit(f"bench.odoo needs a real Odoo 19: set {', '.join(missing)}. See --help.")

    def mirror_part(engine: Engine, client: OdooClient) -> None:
        with order_lines(client, os.environ["ODOO_TEST_DATABASE_URL"], chosen.lines):
            compare_mirror(engine, client, chosen.rounds, chosen.lines)

    def push_part(engine: Engine, client: OdooClient) -> None:
        compare_push(engine, client, Counted, chosen.rounds, chosen.pushed)

    parts: dict[str, Callable[[Engine, OdooClient], None]] = {
        "mirror": mirror_part,
        "push": push_part,
    }
    client = connect(
        os.environ["ODOO_TEST_URL"],
        os.environ.get("ODOO_TEST_DB", "odoo"),
        os.environ.get("ODOO_TEST_USER", "admin"),
        os.environ.get("ODOO_TEST_KEY", "admin"),
        timeout=120,
    )
    print(f"| {os.cpu_count()} cores, Odoo {client.version().series} | | |\n|---|---|---|")
    with (
        tempfile.TemporaryDirectory(prefix="fusion-bench-", ignore_cleanup_errors=True) as folder,
        embedded_server(Path(folder) / "postgres") as server,
    ):
        engine = make_engine(server)
        migrate(engine)
        for name in chosen.parts or parts:
            parts[name](engine, client)
        engine.dispose()


if __name__ == "__main__":
    main()
