"""What the benchmarks run on: an endpoint as a process of its own, and counters to send."""

from __future__ import annotations

import json
import os
import random
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import psycopg

from ingest import keys
from ingest.api.payloads import Counter
from ingest.api.rows import Row, counter_row
from warehouse.engine import make_engine
from warehouse.migrate import migrate

REPOSITORY = Path(__file__).resolve().parent.parent
SERVICE = "nexacloud"
_START_SECONDS = 30
_OPENED = int(datetime(2025, 1, 1, tzinfo=UTC).timestamp())

COLUMNS = (
    "service_code, external_subscription_id, transaction_id, batch_id, code, kind, window_start, "
    "window_end, value, revision, properties, payload_hash, received_at"
)


def prepare(database_url: str) -> str:
    """Migrates the database, makes a service and returns its key."""
    engine = make_engine(database_url)
    migrate(engine)
    keys.add_service(engine, SERVICE, "Benchmark")
    key = keys.create_key(engine, SERVICE)
    engine.dispose()
    return key


def counters(count: int, *, seed: int, subscriptions: int = 500) -> list[dict[str, object]]:
    """Hourly counters of many subscriptions; random transaction ids: no order helps an index."""
    chance = random.Random(seed)
    made = []
    for number in range(count):
        start = _OPENED + 3600 * (number // subscriptions)
        made.append(
            {
                "external_subscription_id": f"sub_{number % subscriptions:05d}",
                "code": "compute_hours",
                "from": datetime.fromtimestamp(start, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
                "to": datetime.fromtimestamp(start + 3600, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
                "value": f"{chance.randrange(10**6)}.{chance.randrange(10**4):04d}",
                "transaction_id": f"{chance.getrandbits(128):032x}",
                "properties": {"region": chance.choice(["ca-tor", "ca-mtl", "us-nyc"])},
            }
        )
    return made


def copy_text(items: list[dict[str, object]]) -> bytes:
    """The same counters as COPY's text format wants the rows of raw.usage_counter."""
    latest = datetime(2100, 1, 1, tzinfo=UTC)
    lines = []
    for item in items:
        sent = {("from_" if name == "from" else name): value for name, value in item.items()}
        row = counter_row(Counter(**sent), latest)
        assert isinstance(row, Row)
        assert row.window is not None
        fields = (
            SERVICE,
            row.identity.external_subscription_id,
            row.identity.transaction_id,
            "1",
            row.code,
            row.kind,
            row.window.start_text,
            row.window.end_text,
            str(row.value),
            str(row.revision),
            row.properties,
            "\\\\x" + row.payload_hash.hex(),
            row.window.end_text,
        )
        lines.append("\t".join(fields) + "\n")
    return "".join(lines).encode()


def request(key: str, path: str, body: object, port: int) -> bytes:
    """One HTTP/1.1 request on a connection that stays open."""
    content = json.dumps(body).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
    )
    return head.encode() + content


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def process(module: str, *arguments: str, port: int, **environment: str) -> Iterator[int]:
    """Runs `python -m module` until it listens on the port; yields its process id."""
    running = subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        cwd=REPOSITORY,
        env=os.environ | {"PORT": str(port)} | environment,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + _START_SECONDS
        while True:
            if running.poll() is not None:
                raise RuntimeError(f"{module} ended with status {running.returncode}")
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            if time.monotonic() > deadline:
                raise RuntimeError(f"{module} does not listen")
            time.sleep(0.05)
        yield running.pid
    finally:
        running.terminate()
        running.wait(30)


def empty(database_url: str) -> None:
    """No counters, and no checkpoint that falls due in the middle of a run."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("truncate raw.usage_counter, raw.ingest_batch, raw.event_conflict")
        connection.execute("checkpoint")


def stored(database_url: str) -> int:
    """How many counters there are."""
    with psycopg.connect(database_url) as connection:
        row = connection.execute("select count(*) from raw.usage_counter").fetchone()
    assert row is not None
    return int(row[0])


def resident_kib(pid: int) -> int:
    """Resident memory of a process and its children."""
    listed = subprocess.run(
        ["ps", "-o", "rss=", "--pid", str(pid), "--ppid", str(pid)],
        capture_output=True,
        text=True,
        check=True,
    )
    return sum(map(int, listed.stdout.split()))
