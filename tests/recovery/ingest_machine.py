"""A machine of the test's own, a PostgreSQL and an endpoint with two workers, and how it dies.

What kills is SIGKILL, what brings back is a start like any other. The server's configuration is
hostile: `synchronous_commit` is off and its WAL stays in memory as long as it may, so that an
endpoint that relied on the server's settings would lose what it has acknowledged.
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import psycopg
from endpoint_world import NO_TLS, free_port, start, until, workers_of

from ingest import keys
from warehouse.embedded import embedded_server
from warehouse.engine import make_engine
from warehouse.migrate import migrate

WORKERS = 2
_HOSTILE = {"fsync": "on", "synchronous_commit": "off", "wal_writer_delay": "10s"}


class Machine:
    """PostgreSQL in `folder`, and the endpoint on `port`. `kills` counts SIGKILLs by what died."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.kills: Counter[str] = Counter()
        self.gave_up = 0  # times the supervisor ended by itself, its workers killed too often
        self._folder = folder
        self._data = folder / "pg"
        self.database_url, self._command = _make_database(self._data)
        self._postgres = self._start_postgres()
        self._endpoint = self._start_endpoint()
        until(self._is_back, seconds=60)

    def _start_postgres(self) -> subprocess.Popen[bytes]:
        """As warehouse.embedded starts it, but a child of ours: its end is noticed at once."""
        with (self._folder / "postgres.log").open("ab") as log:
            postgres = subprocess.Popen(
                self._command, cwd=self._data, user=self.postgres_user, stdout=log, stderr=log
            )

        def is_ready() -> bool:
            assert postgres.poll() is None, (self._folder / "postgres.log").read_text()[-2000:]
            return self._is_open()

        until(is_ready, seconds=60)
        return postgres

    def _start_endpoint(self) -> subprocess.Popen[bytes]:
        self._log = self._folder / f"endpoint-{time.monotonic_ns()}.log"
        return start(self.database_url, self.port, self._log, WORKERS=str(WORKERS))

    @property
    def supervisor(self) -> int:
        return self._endpoint.pid

    @property
    def workers(self) -> list[int]:
        return workers_of(self.supervisor)

    @property
    def postgres_user(self) -> int:
        """The user id that PostgreSQL's files belong to."""
        return self._data.stat().st_uid

    def unexpected(self) -> list[str]:
        """What the endpoint logged as its own fault, in the order of time."""
        logs = sorted(self._folder.glob("endpoint-*.log"))
        lines = (line for log in logs for line in log.read_text().splitlines())
        return [line for line in lines if '"unexpected"' in line or "Traceback" in line]

    def answers(self) -> bool:
        """Whether a write of counters would go through now."""
        try:
            health = httpx.get(f"http://127.0.0.1:{self.port}/health", verify=NO_TLS, timeout=10)
        except httpx.TransportError:
            return False
        return health.status_code == 200

    def key_of_new_service(self, service_code: str) -> str:
        engine = make_engine(self.database_url)
        keys.add_service(engine, service_code, service_code)
        key = keys.create_key(engine, service_code)
        engine.dispose()
        return key

    # --- how it dies -------------------------------------------------------------------------

    def kill_worker(self) -> None:
        """One worker; the supervisor is to replace it, the other to go on."""
        workers = self.workers
        if workers:
            self._kill("worker", workers[:1])

    def kill_supervisor(self) -> None:
        """The supervisor alone: its workers are to leave by themselves."""
        workers = self.workers
        self._kill("supervisor", [self.supervisor])
        _await_end(workers)

    def kill_endpoint(self) -> None:
        """The supervisor and its workers at once."""
        self._kill("endpoint", [self.supervisor, *self.workers])

    def kill_backend(self) -> None:
        """One backend that serves the endpoint: PostgreSQL restarts itself, hanging up on all."""
        busy = "select pid from pg_stat_activity where application_name = 'fusion-billing-ingest'"
        with psycopg.connect(self.database_url) as admin:
            row = admin.execute(f"{busy} order by state_change desc limit 1").fetchone()
        if row:
            self._kill("backend", [row[0]])

    def kill_postgres(self) -> None:
        """The postmaster and all its children."""
        self._postgres.send_signal(signal.SIGSTOP)  # no backend may be born meanwhile
        self._kill("postgres", [self._postgres.pid, *children(self._postgres.pid)])

    def kill_everything(self) -> None:
        """Endpoint and PostgreSQL, as when the machine is reset."""
        self.kill_endpoint()
        self.kill_postgres()

    def _kill(self, what: str, processes: Sequence[int]) -> None:
        for process in processes:
            os.kill(process, signal.SIGKILL)
        for ours in (self._endpoint, self._postgres):
            if ours.pid in processes:
                ours.wait(20)
        _await_end(processes)
        self.kills[what] += 1

    def stop_endpoint(self) -> int:
        """Not a kill: SIGTERM, and the exit code."""
        self._endpoint.send_signal(signal.SIGTERM)
        return self._endpoint.wait(40)

    # --- how it comes back -------------------------------------------------------------------

    def heal(self) -> None:
        """Starts what does not run, as a process manager would, until the endpoint answers."""
        if self._postgres.poll() is not None:
            self._postgres = self._start_postgres()
        until(self._is_open, seconds=60)  # after a backend's death it recovers by itself
        until(lambda: self._endpoint.poll() is not None or self._is_whole(), seconds=60)
        if self._endpoint.poll() is None:
            return
        self.gave_up += self._endpoint.returncode not in (0, -signal.SIGKILL)
        self._endpoint = self._start_endpoint()
        until(self._is_back, seconds=60)

    def _is_open(self) -> bool:
        try:
            psycopg.connect(self.database_url).close()
        except psycopg.OperationalError:
            return False
        return True

    def _is_whole(self) -> bool:
        return len(self.workers) == WORKERS and self.answers()

    def _is_back(self) -> bool:
        assert self._endpoint.poll() is None, self._log.read_text()
        return self._is_whole()

    def close(self) -> None:
        """Stops the endpoint, then PostgreSQL."""
        self._endpoint.terminate()
        self._endpoint.wait(40)
        self._postgres.send_signal(signal.SIGINT)
        self._postgres.wait(40)


def _make_database(data: Path) -> tuple[str, list[str]]:
    """A migrated database in the folder, not running: its URL, and the command that runs it."""
    with embedded_server(data) as url:
        with psycopg.connect(url, autocommit=True) as admin:
            for name, value in _HOSTILE.items():
                admin.execute(f"alter system set {name} = '{value}'")
        engine = make_engine(url)
        migrate(engine)
        engine.dispose()
        return url, shlex.split((data / "postmaster.opts").read_text())


@contextmanager
def running_machine() -> Iterator[Machine]:
    """A machine for the time of the block."""
    # Not pytest's folder: each session that starts closes it to PostgreSQL's user.
    with TemporaryDirectory(prefix="fusion-machine-", ignore_cleanup_errors=True) as folder:
        machine = Machine(Path(folder))
        try:
            yield machine
        finally:
            machine.close()


def children(process: int) -> list[int]:
    """The processes that this one started."""
    try:
        tasks = list(Path(f"/proc/{process}/task").iterdir())
        return [int(pid) for task in tasks for pid in (task / "children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []


def is_gone(process: int) -> bool:
    """Whether the process has ended, waited for or not."""
    try:
        stat = Path(f"/proc/{process}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True
    return stat.rpartition(")")[2].split()[0] == "Z"


def _await_end(processes: Sequence[int]) -> None:
    until(lambda: all(map(is_gone, processes)), seconds=40)


def pause(seconds: float) -> None:
    """Lets the load run on: a moment drawn at random is what is wanted here, not a condition."""
    threading.Event().wait(seconds)
