"""Migrations and the ingestion endpoint."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.options import FormatOption, url_of, warehouse
from cli.output import Format, show
from warehouse.engine import connected
from warehouse.migrate import migrate
from warehouse.settings import settings


def register(app: typer.Typer) -> None:
    app.command("migrate")(migrate_command)
    app.command("serve")(serve_command)


def migrate_command(format_: FormatOption = Format.TABLE) -> None:
    """Bring the warehouse's schemas up to date."""
    with connected(settings()) as engine:
        revision = migrate(engine)
    show({"revision": revision}, format_, title="The warehouse")


def serve_command(
    host: Annotated[str, typer.Option("--host", help="Default: SERVE_HOST.")] = "",
    port: Annotated[int, typer.Option("--port", help="Default: SERVE_PORT.")] = 0,
    workers: Annotated[int, typer.Option("--workers", min=1, max=64)] = 1,
) -> None:
    """Run the ingestion endpoint until it is stopped."""
    # The web framework takes a second to import; `migrate` does without it.
    from ingest.api.server import serve

    current = settings()
    with warehouse() as engine:
        serve(
            current,
            url_of(engine),
            host=host or current.serve_host,
            port=port or current.serve_port,
            workers=workers,
        )
