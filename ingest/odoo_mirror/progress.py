"""How far each table's mirror got: a pass reads what changed, and goes on where one was killed.

Odoo stamps a record with the start of the transaction that wrote it, and the record appears when
that transaction commits. So a pass must begin to read at the start of the oldest transaction that
the pass before it could not see yet: OVERLAP before the moment, on Odoo's clock, at which that
pass began. Nobody tells us Odoo's clock, but every write_date that we see is a moment it has
passed, and from then on it runs as fast as ours: `written_until` is the latest moment proven so.
(An overlap before the newest write_date instead would read a night's batch again all day long,
where nothing newer is written.)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from warehouse.tables import ODOO_TABLES
from warehouse.tables import odoo_mirror as progress

# How long one of Odoo's transactions may last before a change of its can be missed until the next
# full read. Odoo kills a worker after limit_time_real, 120 s by default.
OVERLAP = timedelta(minutes=15)
# What write_date does not tell (docs/odoo_mirror.md) is at most this old.
FULL_EVERY = timedelta(days=1)

_now: sa.ColumnElement[datetime] = sa.func.clock_timestamp(type_=sa.TIMESTAMP(timezone=True))


@dataclass(frozen=True)
class Pass:
    """A pass under way: it reads what was written at or after `since` (Odoo's clock; None is
    everything) and has landed the ids up to `last_id`, in this process or in one that was killed.
    `known_at` is when the complete pass before it began, by the warehouse's clock: what was found
    deleted since then, this table has not heard of."""

    since: datetime | None
    last_id: int
    known_at: datetime | None


def begin(
    connection: Connection, table: str, odoo: str, fields: Sequence[str], *, full: bool
) -> Pass:
    """Takes up the pass that was under way, or begins one; commits nothing.

    Everything is read when `full`, at first, after FULL_EVERY, and when another Odoo or other
    fields are read than before. A pass that began OVERLAP ago or earlier is read from its first
    page again: behind its place stands what was written since.
    """
    now: datetime = connection.execute(sa.select(_now)).scalar_one()
    row = connection.execute(_row_of(table)).one_or_none()
    if row is None or row.odoo != odoo or sorted(row.fields) != sorted(fields):
        connection.execute(sa.delete(progress).where(progress.c.table_name == table))
        connection.execute(
            sa.insert(progress).values(
                table_name=table, odoo=odoo, fields=list(fields), started_at=now
            )
        )
        return Pass(since=None, last_id=0, known_at=None)
    since = None
    if row.started_at is not None and not full:
        if now - row.started_at < OVERLAP:
            return Pass(row.since, row.last_id, row.read_at)
        since = row.since
    elif not full and row.written_until is not None and now - row.full_at < FULL_EVERY:
        since = row.written_until - OVERLAP
    _update(connection, table, started_at=now, since=since, last_id=0)
    return Pass(since=since, last_id=0, known_at=row.read_at)


def reached(connection: Connection, table: str, last_id: int) -> None:
    """All of the pass up to `last_id` has landed, in the same transaction."""
    _update(connection, table, last_id=last_id)


def finish(connection: Connection, table: str) -> None:
    """The pass under way has landed whole."""
    landed = ODOO_TABLES[table]
    newest: datetime | None = connection.execute(
        sa.select(sa.func.max(landed.c.write_date)).where(landed.c.deleted_at.is_(None))
    ).scalar_one()
    now: datetime = connection.execute(sa.select(_now)).scalar_one()
    row = connection.execute(_row_of(table)).one()
    proven: list[datetime] = []
    if newest is not None:
        # A stamp of the future proves a clock that was wrong once, and nothing else.
        proven.append(min(newest, now) - (now - row.started_at))
    # Any table's passes tell of the same clock.
    proven += [
        other.written_until + (row.started_at - other.read_at)
        for other in connection.execute(sa.select(progress).where(progress.c.odoo == row.odoo))
        if other.written_until is not None
    ]
    _update(
        connection,
        table,
        written_until=max(proven, default=None),
        read_at=row.started_at,
        full_at=row.started_at if row.since is None else row.full_at,
        started_at=None,
        since=None,
        last_id=0,
    )


def _row_of(table: str) -> sa.Select[Any]:
    return sa.select(progress).where(progress.c.table_name == table)


def _update(connection: Connection, table: str, **values: Any) -> None:
    connection.execute(sa.update(progress).where(progress.c.table_name == table).values(**values))
