"""A real endpoint process, and source apps that talk to it over HTTP."""

from __future__ import annotations

import itertools
import os
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psycopg
from sqlalchemy.engine import Engine

from ingest import keys
from warehouse.engine import make_engine

REPOSITORY = Path(__file__).resolve().parents[3]
RUN = """
import os, sys
from ingest.api.server import ServeError, serve
from warehouse.settings import Settings
try:
    settings, port = Settings(_env_file=None), int(os.environ["PORT"])
    workers = int(os.environ.get("WORKERS", "1"))
    serve(settings, os.environ["URL"], host="127.0.0.1", port=port, workers=workers)
except ServeError as error:
    sys.exit(f"ServeError: {error}")
"""
_numbers = itertools.count(1)
# Everything is plain HTTP on loopback; loading the CA bundle per client would cost seconds.
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def until(condition: Callable[[], bool], *, seconds: float = 20.0) -> None:
    """Polls the condition; fails after the deadline."""
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        pause.wait(0.02)


def start(database_url: str, port: int, log: Path, **environment: str) -> subprocess.Popen[bytes]:
    """The endpoint as a process of its own, its log in a file."""
    with log.open("wb") as sink:
        return subprocess.Popen(
            [sys.executable, "-c", RUN],
            cwd=REPOSITORY,
            env=os.environ | {"URL": database_url, "PORT": str(port)} | environment,
            stderr=sink,
        )


def workers_of(supervisor: int) -> list[int]:
    """The processes that answer. (multiprocessing has one more, that cleans up after them.)"""
    tasks = Path(f"/proc/{supervisor}/task")
    with suppress(FileNotFoundError):
        children = [
            pid for task in tasks.iterdir() for pid in (task / "children").read_text().split()
        ]
        commands = {int(pid): Path(f"/proc/{pid}/cmdline").read_bytes() for pid in children}
        return sorted(pid for pid, command in commands.items() if b"spawn_main" in command)
    return []


@dataclass
class Endpoint:
    """A running endpoint, its warehouse, and the means to make services."""

    base: str
    database_url: str
    engine: Engine
    process: subprocess.Popen[bytes]
    log: Path

    def client(self, key: str | None = None) -> httpx.Client:
        headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        return httpx.Client(base_url=self.base, headers=headers, timeout=30, verify=NO_TLS)

    def service(self) -> Service:
        code = f"app{next(_numbers)}"
        keys.add_service(self.engine, code, code.title())
        return Service(code, self.client(keys.create_key(self.engine, code)), self)


@dataclass
class Service:
    """One source app with a valid key."""

    code: str
    http: httpx.Client
    endpoint: Endpoint

    def post(self, path: str, body: Any, *, prefix: str = "/api/v1") -> httpx.Response:
        return self.http.post(prefix + path, json=body)

    def post_raw(self, path: str, body: str | bytes) -> httpx.Response:
        headers = {"Content-Type": "application/json"}
        return self.http.post(f"/api/v1{path}", content=body, headers=headers)

    def get(self, path: str, **query: Any) -> httpx.Response:
        return self.http.get(f"/api/v1{path}", params=query)

    def rows(self, columns: str, table: str = "raw.usage_counter", order: str = "1") -> list[Any]:
        with psycopg.connect(self.endpoint.database_url) as connection:
            return connection.execute(
                f"select {columns} from {table} where service_code = %s order by {order}",
                [self.code],
            ).fetchall()


@contextmanager
def running(database_url: str, folder: Path, **environment: str) -> Iterator[Endpoint]:
    """An endpoint that answers, stopped at the end."""
    port = free_port()
    base = f"http://127.0.0.1:{port}"
    log = folder / f"endpoint-{port}.log"
    process = start(database_url, port, log, **environment)

    def answers() -> bool:
        assert process.poll() is None, log.read_text()
        try:
            return httpx.get(f"{base}/health", verify=NO_TLS).status_code == 200
        except httpx.TransportError:
            return False

    engine = make_engine(database_url)
    try:
        until(answers)
        yield Endpoint(base, database_url, engine, process, log)
    finally:
        engine.dispose()
        process.terminate()
        process.wait(20)


def counter(number: int = 0, **changes: Any) -> dict[str, Any]:
    """A valid counter: an hour of 2023-11-14, one minute later for each number."""
    start_at = 1_700_000_000 + 60 * number
    return {
        "external_subscription_id": "sub1",
        "code": "compute_hours",
        "from": start_at,
        "to": start_at + 60,
        "value": "1.5",
        "transaction_id": f"tx{number}",
    } | changes


def event(number: int = 0, **changes: Any) -> dict[str, Any]:
    """A valid Lago event."""
    return {
        "transaction_id": f"tx{number}",
        "external_subscription_id": "sub1",
        "code": "api_calls",
        "timestamp": 1_700_000_000,
        "properties": {"foo": "bar"},
    } | changes
