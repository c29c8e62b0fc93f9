"""Advisory locks: one name, one number, held to the end of the transaction or session."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

MIGRATE = "migrate"
BILLING_RUN = "billing_run"


def lock_number(name: str) -> int:
    """A stable signed 64-bit number for `pg_advisory_lock`."""
    return int.from_bytes(hashlib.sha256(f"fusion:{name}".encode()).digest()[:8], signed=True)


def advisory_lock(connection: Connection, name: str) -> None:
    """Waits for the lock and holds it until the transaction ends."""
    connection.execute(sa.text("select pg_advisory_xact_lock(:n)"), {"n": lock_number(name)})


@contextlib.contextmanager
def session_lock(engine: Engine, name: str, *, wait: bool = False) -> Iterator[bool]:
    """Tries for the lock on a connection of its own and yields whether it was free, or waits until
    it is; a process that dies gives it back with its connection."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        number = {"n": lock_number(name)}
        if wait:
            connection.execute(sa.text("select pg_advisory_lock(:n)"), number)
        asked = "select true" if wait else "select pg_try_advisory_lock(:n)"
        taken = bool(connection.execute(sa.text(asked), number).scalar_one())
        try:
            yield taken
        finally:
            if taken:
                connection.execute(sa.text("select pg_advisory_unlock(:n)"), number)
