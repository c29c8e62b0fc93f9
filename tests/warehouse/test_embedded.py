"""The embedded server: shared by all who ask for it, stopped by the last, safe against the dead."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from warehouse.embedded import TUNING, EmbeddedServerError, embedded_server
from warehouse.settings import REPOSITORY

HOLDER = """
import sys
from pathlib import Path
from warehouse.embedded import embedded_server
with embedded_server(Path(sys.argv[1])) as url:
    print("ready", flush=True)
    sys.stdin.read()
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cluster that was made and stopped again."""
    data = tmp_path_factory.mktemp("fusion") / "postgres"
    # The server runs as another user when we are root: it must reach its folder.
    for folder in (data.parent, data.parent.parent, data.parent.parent.parent):
        folder.chmod(0o755)
    with embedded_server(data):
        pass
    return data


@contextmanager
def holder(data: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the server until its input closes."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(data)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=REPOSITORY,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
    finally:
        process.communicate(timeout=30)


def runs(data: Path) -> bool:
    return (data / "postmaster.pid").exists()


def answer(url: str) -> object:
    with psycopg.connect(url) as connection:
        row = connection.execute("select current_setting('timezone')").fetchone()
    return row[0] if row else None


def test_a_new_cluster_is_tuned(data: Path) -> None:
    with embedded_server(data) as url, psycopg.connect(url) as connection:
        rows = connection.execute(
            "select name, current_setting(name) from pg_settings where lower(name) = any(%s)",
            [list(TUNING)],
        ).fetchall()
    assert {name.lower(): value for name, value in rows} == TUNING


def test_it_listens_on_a_socket_alone(data: Path) -> None:
    with embedded_server(data) as url, psycopg.connect(url) as connection:
        row = connection.execute("select current_setting('listen_addresses')").fetchone()
    assert row == ("",)


def test_two_handles_and_the_last_one_stops_it(data: Path) -> None:
    with embedded_server(data) as outer:
        with embedded_server(data) as inner:
            assert inner == outer
        assert answer(outer) == "UTC"
    assert not runs(data)


def test_another_process_keeps_it(data: Path) -> None:
    with holder(data):
        with embedded_server(data) as url:
            assert answer(url) == "UTC"
        assert runs(data)
        assert answer(url) == "UTC"
    assert not runs(data)


def test_who_left_and_came_back_is_counted_again(data: Path) -> None:
    """The library kept the handle of one who had left while another stayed: back again, it was
    not counted, and the server was stopped under it."""
    with holder(data) as other:
        with embedded_server(data):
            pass
        with embedded_server(data) as url:
            other.communicate(timeout=30)
            assert answer(url) == "UTC"
    assert not runs(data)


def test_who_comes_back_to_a_stopped_server_starts_it(data: Path) -> None:
    with holder(data), embedded_server(data):
        pass
    assert not runs(data)
    with embedded_server(data) as url:
        assert answer(url) == "UTC"
    assert not runs(data)


def test_a_killed_process_does_not_keep_it(data: Path) -> None:
    with holder(data) as other:
        other.send_signal(signal.SIGKILL)
        other.wait(30)
        assert json.loads((data / ".handle_pids.json").read_text()) == [other.pid]
        assert runs(data)
        with embedded_server(data) as url:
            assert answer(url) == "UTC"
        assert not runs(data)


def test_a_damaged_list_of_handles_is_no_obstacle(data: Path) -> None:
    """The machine went down while it was written."""
    (data / ".handle_pids.json").write_text("[12, ")
    with embedded_server(data) as url:
        assert answer(url) == "UTC"
    assert not runs(data)


def test_a_cluster_that_does_not_start_names_its_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "postgres"
    data.mkdir()
    (data / "PG_VERSION").write_text("9\n")
    monkeypatch.setattr("warehouse.embedded.START_SECONDS", 0)
    with (
        pytest.raises(EmbeddedServerError, match=r"did not start.*log.*make clean"),
        embedded_server(data),
    ):
        pass
