"""A full disk under raw.usage_counter: 503 in bounded time, nothing half stored, and as soon as
there is room the same process stores again. The disk is a tmpfs, so this needs the right to mount.
"""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import psycopg
import pytest
from endpoint_world import NO_TLS, counter, until
from ingest_machine import Machine, running_machine

FIRST, LATER = "2m", "64m"
ROWS = 1000


def _mount(folder: Path, options: str) -> None:
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode and "remount" not in options:
        pytest.skip(f"a tmpfs cannot be mounted here: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr


@contextmanager
def _small_disk(owner: int) -> Iterator[Path]:
    """A file system of a few megabytes that belongs to PostgreSQL's user."""
    with TemporaryDirectory(prefix="fusion-disk-", ignore_cleanup_errors=True) as folder:
        parent = Path(folder)
        disk = parent / "disk"
        disk.mkdir()
        parent.chmod(0o755)
        _mount(disk, f"size={FIRST}")
        try:
            shutil.chown(disk, owner)
            yield disk
        finally:
            subprocess.run(["umount", "-l", str(disk)], check=False, capture_output=True)


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    if shutil.which("mount") is None:
        pytest.skip("no mount here")
    with running_machine() as machine:
        yield machine


def test_a_full_disk_is_waited_out(machine: Machine) -> None:
    with _small_disk(machine.postgres_user) as disk:
        with psycopg.connect(machine.database_url, autocommit=True) as admin:
            admin.execute(f"create tablespace small location '{disk}'")
            admin.execute("alter table raw.usage_counter set tablespace small")
        try:
            _fill_and_make_room(machine, disk)
        finally:
            with psycopg.connect(machine.database_url, autocommit=True) as admin:
                admin.execute("alter table raw.usage_counter set tablespace pg_default")
                admin.execute("checkpoint")
                admin.execute("drop tablespace small")


def _fill_and_make_room(machine: Machine, disk: Path) -> None:
    key = machine.key_of_new_service("full")
    base = f"http://127.0.0.1:{machine.port}/api/v1"
    headers = {"Authorization": f"Bearer {key}"}
    acknowledged = 0
    with httpx.Client(base_url=base, headers=headers, verify=NO_TLS, timeout=30) as http:

        def post(first: int, rows: int = ROWS) -> httpx.Response:
            counters = [counter(first + row) for row in range(rows)]
            return http.post("/usage", json={"counters": counters})

        answer = post(0)
        while answer.status_code == 200:
            acknowledged += ROWS
            assert acknowledged < 100_000, "the disk did not fill"
            answer = post(acknowledged)
        for rows in (ROWS, 100):  # by COPY, and in one statement
            started = time.monotonic()
            answer = post(acknowledged, rows)
            while answer.status_code == 200:  # a hundred may still fit
                acknowledged += rows
                answer = post(acknowledged, rows)
            assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
            assert time.monotonic() - started < 8
        assert _stored(machine) == acknowledged > 0

        page = http.get("/events", params={"per_page": 1}).json()
        assert page["meta"]["total_count"] == acknowledged, "reading needs no room"

        workers = machine.workers
        _mount(disk, f"remount,size={LATER}")
        until(lambda: post(acknowledged).status_code == 200, seconds=10)
        assert _stored(machine) == acknowledged + ROWS
        assert machine.workers == workers


def _stored(machine: Machine) -> int:
    with psycopg.connect(machine.database_url) as connection:
        row = connection.execute(
            "select count(*) from raw.usage_counter where service_code = 'full'"
        ).fetchone()
    assert row is not None
    return int(row[0])
