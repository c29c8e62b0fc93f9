"""How the warehouse is reached: one URL, one SQLAlchemy engine."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import sqlalchemy as sa
from sqlalchemy.engine import Engine, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection

from warehouse.embedded import embedded_server
from warehouse.settings import Settings


class WarehouseError(Exception):
    """The warehouse cannot be reached or is not migrated. The message says what to do next."""


def sqlalchemy_url(database_url: str) -> str:
    """The same URL for SQLAlchemy's psycopg 3 dialect."""
    return make_url(database_url).set(drivername="postgresql+psycopg").render_as_string(False)


def make_engine(database_url: str) -> Engine:
    """An engine on the warehouse. Connects on first use; times out after five seconds.

    Its sessions are in UTC, whatever zone the server, the database or the role is set to: so is
    every instant that it returns.
    """
    engine = sa.create_engine(
        sqlalchemy_url(database_url),
        pool_pre_ping=True,
        connect_args={"connect_timeout": 5, "application_name": "fusion-billing"},
    )
    sa.event.listen(engine, "connect", _into_utc)
    return engine


def _into_utc(connection: DBAPIConnection, _record: object) -> None:
    cursor = connection.cursor()
    cursor.execute("set time zone 'UTC'")
    cursor.close()
    connection.commit()  # a setting goes with the transaction that is rolled back


@contextlib.contextmanager
def warehouse_url(settings: Settings) -> Iterator[str]:
    """DATABASE_URL where set, else the embedded server, running for the time of the block."""
    if settings.database_url is not None:
        yield settings.database_url
        return
    with embedded_server(settings.fusion_home / "postgres") as url:
        yield url


@contextlib.contextmanager
def connected(settings: Settings) -> Iterator[Engine]:
    """An engine that has answered once. Raises WarehouseError in one line where it does not."""
    with warehouse_url(settings) as url:
        engine = make_engine(url)
        try:
            with engine.connect() as connection:
                connection.execute(sa.text("select 1"))
        except (sa.exc.OperationalError, sa.exc.ProgrammingError) as error:
            reason = str(error.orig).strip().splitlines()[0]
            safe = make_url(url).render_as_string(hide_password=True)
            raise WarehouseError(
                f"No answer from PostgreSQL at {safe}: {reason}. "
                "Start it, or mend DATABASE_URL; `fusion-billing doctor` checks."
            ) from None
        try:
            yield engine
        finally:
            engine.dispose()
