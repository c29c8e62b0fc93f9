"""Advisory locks: one name, one number, held to the end of the transaction or session."""

from __future__ import annotations

import hashlib

import sqlalchemy as sa
from sqlalchemy.engine import Connection

MIGRATE = "migrate"
BILLING_RUN = "billing_run"


def lock_number(name: str) -> int:
    """A stable signed 64-bit number for `pg_advisory_lock`."""
    return int.from_bytes(hashlib.sha256(f"fusion:{name}".encode()).digest()[:8], signed=True)


def advisory_lock(connection: Connection, name: str) -> None:
    """Waits for the lock and holds it until the transaction ends."""
    connection.execute(sa.text("select pg_advisory_xact_lock(:n)"), {"n": lock_number(name)})


def try_session_lock(connection: Connection, name: str) -> bool:
    """Takes the lock for the session without waiting; False where another holds it."""
    taken = connection.execute(
        sa.text("select pg_try_advisory_lock(:n)"), {"n": lock_number(name)}
    ).scalar_one()
    connection.commit()
    return bool(taken)
