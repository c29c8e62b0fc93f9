"""`fusion-billing up`: everything running locally until Ctrl-C."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from cli.demo import DemoError, make_world_ready, sandbox_odoo
from cli.local import LocalPartError, Part, answers, child, endpoint, free_port, listens
from cli.options import today, url_of
from cli.output import err, out
from odoo_gateway.connect import connect_from
from warehouse.engine import connected
from warehouse.migrate import migrate
from warehouse.settings import Settings, env_files, load_settings, up_env

ODOO_PORT = 8069  # Odoo's own


def register(app: typer.Typer) -> None:
    app.command("up")(up)


def up(
    ui_port: Annotated[int, typer.Option("--ui-port", help="Dagster's UI.")] = 3000,
    port: Annotated[int, typer.Option("--port", help="The endpoint; default: SERVE_PORT.")] = 0,
) -> None:
    """PostgreSQL, endpoint, Dagster, and the sandbox's Odoo unless ODOO_URL is set."""
    if up_env() in env_files():
        raise DemoError("`fusion-billing up` runs on this state already.")
    up_env().unlink(missing_ok=True)
    settings = load_settings()
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: stopped.set())
    logs = settings.fusion_home / "logs"
    try:
        with connected(settings) as engine, contextlib.ExitStack() as stack:
            err.print("… starting")
            migrate(engine)
            url = url_of(engine)
            state = settings.fusion_home / "demo" / "odoo.sqlite"
            state.parent.mkdir(parents=True, exist_ok=True)
            odoo_port = free_port() if listens(ODOO_PORT) else ODOO_PORT
            stack.enter_context(sandbox_odoo(settings, state, today(), port=odoo_port))
            if settings.odoo_url is None:
                make_world_ready(engine, connect_from(load_settings()), settings)
            base, part = stack.enter_context(
                endpoint(url, port or settings.serve_port, logs / "endpoint.log")
            )
            parts = [part, *stack.enter_context(_dagster(url, settings, ui_port, logs))]
            stack.enter_context(_up_env(url))
            _say_where(url, base, ui_port, logs)
            while not stopped.wait(1):
                for part in parts:
                    part.require_alive()
            err.print("… stopping")
    except LocalPartError as error:
        raise DemoError(str(error)) from error


@contextlib.contextmanager
def _dagster(url: str, settings: Settings, port: int, logs: Path) -> Iterator[list[Part]]:
    from dagster_project.instance import enter

    enter(url, settings)
    workspace = settings.fusion_home / "dagster" / "workspace.yaml"
    code_port = free_port()
    # One code server for UI and daemon: each would otherwise load the definitions by itself.
    workspace.write_text(f"load_from: [{{grpc_server: {{host: 127.0.0.1, port: {code_port}}}}}]\n")
    code = ["dagster", "api", "grpc", "-m", "dagster_project.definitions", "-p", str(code_port)]
    web = ["dagster_webserver", "-h", "127.0.0.1", "-p", str(port), "-w", str(workspace)]
    daemon = ["dagster._daemon", "run", "-w", str(workspace)]
    with contextlib.ExitStack() as stack:

        def start(name: str, arguments: list[str], log: str, port: int | None = None) -> Part:
            return stack.enter_context(child(name, arguments, {}, logs / log, port=port))

        code_server = start("Dagster's code server", code, "dagster-code.log")
        code_server.wait_until(lambda: listens(code_port), seconds=120)
        runner = start("Dagster's daemon", daemon, "dagster-daemon.log")
        ui = start("Dagster's UI", web, "dagster-ui.log", port)
        ui.wait_until(lambda: answers(f"http://127.0.0.1:{port}/server_info"), seconds=120)
        yield [code_server, runner, ui]


@contextlib.contextmanager
def _up_env(url: str) -> Iterator[None]:
    """Tells other `fusion-billing` commands on this machine where the parts listen."""
    names = ("ODOO_URL", "ODOO_DB", "ODOO_API_KEY")
    up_env().parent.mkdir(parents=True, exist_ok=True)
    up_env().touch(mode=0o600)
    up_env().write_text(
        f"FUSION_UP_PID={os.getpid()}\n"
        + "".join(f"{name}={os.environ[name]}\n" for name in names if name in os.environ)
    )
    try:
        yield
    finally:
        up_env().unlink(missing_ok=True)


def _say_where(url: str, base: str, ui_port: int, logs: Path) -> None:
    out.print(f"Dagster    http://127.0.0.1:{ui_port}")
    out.print(f"Endpoint   {base}/api/billing/v1   (OpenAPI at {base}/schema)")
    out.print(f"Odoo       {os.environ.get('ODOO_URL', '')}")
    out.print(f"PostgreSQL {url}")
    out.print(f"Logs       {logs}")
    out.print("A key      fusion-billing key create nexacloud")
    out.print("Ctrl-C stops it all.")
