"""Runs the endpoint on Granian: one supervising process, and `workers` that answer."""

from __future__ import annotations

import gc
import os
import signal
import socket
import tempfile
import threading
import time
from functools import partial
from pathlib import Path
from typing import Any

from granian.constants import Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server import Server
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError

from ingest.api.app import create_endpoint
from ingest.api.direct import Endpoint
from ingest.api.metrics import Metrics
from ingest.api.observe import log
from warehouse.engine import WarehouseError, make_engine
from warehouse.migrate import require_migrated
from warehouse.settings import Settings

_STOP_SECONDS = 30
_HEADER_SECONDS = 10
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
    "loggers": {
        "_granian": {"handlers": ["stderr"], "level": "WARNING", "propagate": False},
        "granian.access": {"handlers": [], "level": "CRITICAL", "propagate": False},
    },
}


class ServeError(Exception):
    """The endpoint cannot run. The message is one line that says why and what to do."""


def serve(settings: Settings, database_url: str, *, host: str, port: int, workers: int = 1) -> None:
    """Answers requests until SIGTERM or SIGINT, then lets those under way end, and returns.

    To be called in a process's main thread. Raises ServeError where the port is taken or the
    database is away or not migrated at the start; once it runs, it outlives the database.
    """
    _require_database(database_url)
    _require_port(host, port)
    server = Server(
        "ingest.api.app",
        address=host,
        port=port,
        workers=workers,
        interface=Interfaces.RSGI,
        websockets=False,
        http1_settings=HTTP1Settings(header_read_timeout=_HEADER_SECONDS * 1000),
        log_level=LogLevels.warning,
        log_dictconfig=_QUIET,
        respawn_failed_workers=True,
        workers_kill_timeout=_STOP_SECONDS,
    )
    counts = tempfile.TemporaryDirectory(prefix="fusion-metrics-", ignore_cleanup_errors=True)
    handlers = {number: signal.getsignal(number) for number in _SIGNALS}
    server.on_startup(partial(log.info, "listening", host=host, port=port, workers=workers))
    try:
        server.serve(
            target_loader=partial(_load, settings, database_url, os.getpid(), Path(counts.name)),
            wrap_loader=False,
        )
    except OSError as error:
        raise ServeError(f"The endpoint cannot listen on {host}:{port}: {error}.") from None
    except SystemExit:
        raise ServeError("A worker of the endpoint ended again and again; see its log.") from None
    finally:
        counts.cleanup()
        for number, handler in handlers.items():
            signal.signal(number, handler)
    log.info("stopped")


_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def _load(
    settings: Settings, database_url: str, supervisor: int, folder: Path, *_: Any
) -> Endpoint:
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


def _require_port(host: str, port: int) -> None:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise ServeError(
            f"The endpoint cannot listen on {host}:{port}: {error.strerror}. "
            "Stop what runs there, or choose another with --port or SERVE_PORT."
        ) from None
