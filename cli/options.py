"""Options that many commands share, and the warehouse they open."""

from __future__ import annotations

import getpass
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from typing import Annotated

import typer
from sqlalchemy.engine import Engine

from cli.output import Format
from warehouse import services
from warehouse.engine import connected
from warehouse.migrate import require_migrated
from warehouse.settings import settings

FormatOption = Annotated[
    Format, typer.Option("--format", help="A table for people, JSON for programs.")
]
DryRunOption = Annotated[
    bool, typer.Option("--dry-run", help="Say what would happen, change nothing.")
]
ServiceOption = Annotated[
    str | None, typer.Option("--service", metavar="CODE", help="Only this service.")
]
_MONTH = re.compile(r"(20\d\d|2100)-(0[1-9]|1[0-2])", re.ASCII)


def parse_date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a date such as 2026-10-31") from None


def parse_month(text: str) -> date:
    """The first day of a month, as YYYY-MM. Raises typer.BadParameter."""
    if not _MONTH.fullmatch(text):
        raise typer.BadParameter(
            f"{text!r} is not a month such as 2026-10: YYYY-MM, from 2000-01 to 2100-12"
        )
    return date.fromisoformat(f"{text}-01")


def today() -> date:
    """Today in company time."""
    return datetime.now(settings().zone).date()


def login_name() -> str:
    """Who gives a command: the login name, or the number where a container's user has none."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


@contextmanager
def warehouse() -> Iterator[Engine]:
    """The migrated warehouse of the settings. Raises WarehouseError in one line otherwise."""
    with connected(settings()) as engine:
        require_migrated(engine)
        yield engine


def require_service(engine: Engine, service: str | None) -> None:
    """UnknownServiceError where a service was named that is not there: no rows would read as if it
    had none."""
    if service is not None:
        with engine.connect() as connection:
            services.require_service(connection, service)


def url_of(engine: Engine) -> str:
    """The warehouse's URL as libpq and dbt understand it."""
    return engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
