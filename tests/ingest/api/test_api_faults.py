"""The database goes away or hangs, the port is taken, the process is stopped or killed."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import psycopg
import pytest
from endpoint_world import (
    NO_TLS,
    Endpoint,
    counter,
    free_port,
    running,
    start,
    until,
    workers_of,
)
from sqlalchemy.engine import make_url

from ingest.api.database import asyncpg_url
from warehouse.embedded import embedded_server
from warehouse.engine import make_engine
from warehouse.migrate import migrate


def children(pid: int) -> list[int]:
    listed = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False
    )
    return [int(line) for line in listed.stdout.split()]


def is_gone(pid: int) -> bool:
    status = Path(f"/proc/{pid}/stat")
    try:
        return status.read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


@contextmanager
def hung(data: Path) -> Iterator[None]:
    """The server of this data folder neither answers nor hangs up."""
    postmaster = int((data / "postmaster.pid").read_text().split()[0])
    processes = [postmaster, *children(postmaster)]
    for pid in processes:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in processes:
            os.kill(pid, signal.SIGCONT)


def health(endpoint: Endpoint) -> int:
    return httpx.get(f"{endpoint.base}/health", verify=NO_TLS).status_code


def test_the_database_goes_away_comes_back_and_hangs(tmp_path: Path) -> None:
    """503 meanwhile, in bounded time, with Retry-After; the same process answers afterwards."""
    data = tmp_path / "pg"
    server = ExitStack()
    url = server.enter_context(embedded_server(data))
    engine = make_engine(url)
    migrate(engine)
    engine.dispose()
    with server, running(url, tmp_path) as endpoint:
        app = endpoint.service()
        assert app.post("/usage", {"counters": [counter(0)]}).status_code == 200
        endpoint.engine.dispose()
        server.close()

        answer = app.post("/usage", {"counters": [counter(1)]})
        assert (answer.status_code, answer.json()) == (
            503,
            {"status": 503, "error": "Service Unavailable", "code": "service_unavailable"},
        )
        assert int(answer.headers["Retry-After"]) >= 1
        until(lambda: health(endpoint) == 503, seconds=5)
        assert app.get("/events").status_code == 503

        with embedded_server(data):
            until(lambda: health(endpoint) == 200, seconds=10)
            assert (
                app.post("/usage", {"counters": [counter(0), counter(1)]}).json()["usage"][
                    "accepted"
                ]
                == 1
            )
            assert app.rows("transaction_id") == [("tx0",), ("tx1",)]

            with hung(data):
                started = time.monotonic()
                assert app.post("/usage", {"counters": [counter(2)]}).status_code == 503
                assert time.monotonic() - started < 8
            until(lambda: app.post("/usage", {"counters": [counter(2)]}).status_code == 200)
            assert app.rows("count(*)") == [(3,)]
            endpoint.engine.dispose()


def test_a_lock_is_waited_for_so_long_and_no_longer(endpoint: Endpoint) -> None:
    app = endpoint.service()
    assert app.post("/usage", {"counters": [counter(0)]}).status_code == 200
    with psycopg.connect(endpoint.database_url) as blocker:
        blocker.execute("lock table raw.usage_counter in access exclusive mode")
        started = time.monotonic()
        answer = app.post("/usage", {"counters": [counter(1)]})
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
        assert time.monotonic() - started < 8
        blocker.rollback()
    assert app.post("/usage", {"counters": [counter(1)]}).json()["usage"]["accepted"] == 1


def test_a_stop_lets_the_request_under_way_end(api_database_url: str, tmp_path: Path) -> None:
    with running(api_database_url, tmp_path) as endpoint, ThreadPoolExecutor(1) as pool:
        app = endpoint.service()
        app.get("/events")
        (worker,) = workers_of(endpoint.process.pid)
        with psycopg.connect(api_database_url) as blocker:
            blocker.execute("lock table raw.usage_counter in access exclusive mode")
            answer = pool.submit(app.post, "/usage", {"counters": [counter(0)]})
            until(lambda: _waiting(api_database_url))
            endpoint.process.send_signal(signal.SIGTERM)
            with pytest.raises(subprocess.TimeoutExpired):
                endpoint.process.wait(0.3)
            blocker.rollback()
        assert answer.result(10).json()["usage"]["accepted"] == 1
        assert endpoint.process.wait(10) == 0
        assert is_gone(worker)


def _waiting(database_url: str) -> bool:
    with psycopg.connect(database_url) as connection:
        query = (
            "select exists (select from pg_stat_activity where datname = current_database() "
            "and wait_event_type = 'Lock' and application_name = 'fusion-billing-ingest')"
        )
        row = connection.execute(query).fetchone()
    return bool(row and row[0])


def test_a_killed_worker_is_replaced_and_a_killed_supervisor_leaves_none(
    api_database_url: str, tmp_path: Path
) -> None:
    with running(api_database_url, tmp_path) as endpoint:
        app = endpoint.service()
        (worker,) = workers_of(endpoint.process.pid)
        os.kill(worker, signal.SIGKILL)

        def answers() -> bool:
            try:
                return app.get("/events").status_code == 200
            except httpx.TransportError:
                return False

        until(lambda: workers_of(endpoint.process.pid) not in ([], [worker]) and answers())
        (successor,) = workers_of(endpoint.process.pid)
        endpoint.process.kill()
        until(lambda: is_gone(successor), seconds=10)


def test_workers_that_end_at_the_start_do_not_hold_up_a_stop(
    api_database_url: str, tmp_path: Path
) -> None:
    """As Ctrl-C has it, which reaches them too: the supervisor waits for a sign of life just then,
    of workers that are held here so that it has to."""
    process = start(api_database_url, free_port(), tmp_path / "log", WORKERS="2")
    until(lambda: len(workers_of(process.pid)) == 2)
    workers = workers_of(process.pid)
    for pid in workers:
        os.kill(pid, signal.SIGSTOP)
    until(lambda: "poll" in Path(f"/proc/{process.pid}/wchan").read_text())
    process.send_signal(signal.SIGINT)
    for pid in workers:
        os.kill(pid, signal.SIGKILL)
    assert process.wait(10) == 0


def test_what_prevents_a_start_is_one_clear_line(endpoint: Endpoint, tmp_path: Path) -> None:
    """A taken port, a dead database, a database without our tables."""
    taken = make_url(endpoint.base).port
    assert taken is not None
    dead = f"postgresql://someone:secret@127.0.0.1:{free_port()}/x"
    empty = make_url(endpoint.database_url).set(database="template1")
    cases = {
        "taken": (endpoint.database_url, taken),
        "dead": (dead, free_port()),
        "empty": (empty.render_as_string(hide_password=False), free_port()),
        "none": (endpoint.database_url, 70_000),
    }
    processes = [start(url, port, tmp_path / name) for name, (url, port) in cases.items()]
    assert [process.wait(30) for process in processes] == [1, 1, 1, 1]
    lines = {name: (tmp_path / name).read_text() for name in cases}
    assert all(line.count("\n") == 1 for line in lines.values()), lines
    assert f"cannot listen on 127.0.0.1:{taken}: Address already in use" in lines["taken"]
    assert "on 127.0.0.1:70000: a port is a number from 1 to 65535" in lines["none"]
    assert "No answer from PostgreSQL at postgresql://someone:***@" in lines["dead"]
    assert "secret" not in lines["dead"]
    assert "Run `fusion-billing migrate`" in lines["empty"]


@pytest.mark.parametrize(
    ("url", "asyncpgs"),
    [
        ("postgresql://postgres:@/postgres?host=%2Fa+b%2Fpg",) * 2,
        ("postgresql://u:p%40s@h:1/d?sslmode=require",) * 2,
        ("postgresql://u@h/d?connect_timeout=5&application_name=x&keepalives_idle=3",
         "postgresql://u@h/d?application_name=x"),
    ],
)  # fmt: skip
def test_urls_that_libpq_takes(url: str, asyncpgs: str) -> None:
    assert asyncpg_url(url) == asyncpgs
