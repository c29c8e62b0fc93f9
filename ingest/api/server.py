"""Runs the endpoint under uvicorn: one supervising process, and `workers` that answer."""

from __future__ import annotations

import errno
import gc
import os
import signal
import socket
import tempfile
import threading
import time
from functools import partial
from pathlib import Path

from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError
from uvicorn.config import STARTUP_FAILURE, Config
from uvicorn.supervisors.multiprocess import SIGNALS, Multiprocess

from ingest.api.app import create_endpoint
from ingest.api.connection import Connection
from ingest.api.direct import Endpoint
from ingest.api.metrics import Metrics
from ingest.api.observe import log
from warehouse.engine import WarehouseError, make_engine
from warehouse.migrate import require_migrated
from warehouse.settings import Settings

_STOP_SECONDS = 30
_ALIVE_SECONDS = 30  # for a worker to say that it lives
_BACKLOG = 2048
_GC_ALLOCATIONS = 50_000

_QUIET = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "%(message)s"}},
    "handlers": {
        "stderr": {
            "class": "logging.StreamHandler",
            "formatter": "plain",
            "stream": "ext://sys.stderr",
        }
    },
    "loggers": {"uvicorn": {"handlers": ["stderr"], "level": "WARNING", "propagate": False}},
}


class ServeError(Exception):
    """The endpoint cannot run. The message is one line that says why and what to do."""


def serve(settings: Settings, database_url: str, *, host: str, port: int, workers: int = 1) -> None:
    """Answers requests until SIGTERM or SIGINT, then lets those under way end, and returns.

    To be called in a process's main thread. Raises ServeError where the port is taken or the
    database is away or not migrated at the start; once it runs, it outlives the database.
    """
    _require_database(database_url)
    listener = _listen(host, port)
    counts = tempfile.TemporaryDirectory(prefix="fusion-metrics-", ignore_cleanup_errors=True)
    handlers = {number: signal.getsignal(number) for number in SIGNALS}
    try:
        supervisor = _Supervisor(
            Config(
                partial(_load, settings, database_url, os.getpid(), Path(counts.name)),
                factory=True,
                interface="asgi3",
                http=Connection,
                ws="none",
                loop="uvloop",
                lifespan="on",
                log_config=_QUIET,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                workers=workers,
                backlog=_BACKLOG,
                timeout_graceful_shutdown=_STOP_SECONDS,
                timeout_worker_healthcheck=_ALIVE_SECONDS,
            ),
            [listener],
        )
        log.info("listening", host=host, port=port, workers=workers)
        supervisor.run()
    finally:
        listener.close()
        counts.cleanup()
        for number, handler in handlers.items():
            signal.signal(number, handler)
    if any(process.exitcode == STARTUP_FAILURE for process in supervisor.processes):
        raise ServeError("A worker of the endpoint could not start; see its log.")
    log.info("stopped")


class _Supervisor(Multiprocess):
    """uvicorn's, but nobody can connect any more once it was told to stop, and it notices at once
    that a worker has gone."""

    def keep_subprocess_alive(self) -> None:
        for process in self.processes:
            process.child_conn.close()  # the worker's end: kept open here, it would never be broken
        super().keep_subprocess_alive()

    def terminate_all(self) -> None:
        for listener in self.sockets:
            listener.close()
        super().terminate_all()


def _load(settings: Settings, database_url: str, supervisor: int, folder: Path) -> Endpoint:
    """What a worker serves."""
    threading.Thread(target=_leave_with, args=(supervisor,), daemon=True).start()
    app = create_endpoint(settings, database_url, Metrics(folder))
    # What stands now stands for ever; looking through it again and again was 8 % of the work.
    gc.freeze()
    gc.set_threshold(_GC_ALLOCATIONS)
    return app


def _leave_with(supervisor: int) -> None:
    """A supervisor that is killed cannot stop its workers; they notice and stop by themselves."""
    while os.getppid() == supervisor:
        time.sleep(0.5)
    # Again and again: one that comes before the server listens for it is lost, and a worker that
    # was born as its supervisor died held the port for ever.
    deadline = time.monotonic() + _STOP_SECONDS
    while time.monotonic() < deadline:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(1)
    os.kill(os.getpid(), signal.SIGKILL)


def _require_database(database_url: str) -> None:
    safe = make_url(database_url).render_as_string(hide_password=True)
    engine = make_engine(database_url)
    try:
        require_migrated(engine)
    except WarehouseError as error:
        raise ServeError(str(error)) from None
    except DBAPIError as error:
        reason = str(error.orig).strip().splitlines()[0]
        raise ServeError(
            f"No answer from PostgreSQL at {safe}: {reason}. Start it, or mend DATABASE_URL."
        ) from None
    finally:
        engine.dispose()


def _listen(host: str, port: int) -> socket.socket:
    try:
        if not 0 < port < 65_536:
            raise OSError(errno.EINVAL, "a port is a number from 1 to 65535")
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        both = family == socket.AF_INET6 and socket.has_dualstack_ipv6()
        return socket.create_server(
            address[:2], family=family, backlog=_BACKLOG, dualstack_ipv6=both
        )
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "no name of a host"
        raise ServeError(
            f"The endpoint cannot listen on {host}:{port}: {reason}. "
            "Stop what runs there, or choose another with --host, --port or SERVE_PORT."
        ) from None
