"""What Odoo no longer shows is marked as deleted, unless it is too much to be believed."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.engine import Connection

from ingest.odoo_mirror.models import Mirrored
from warehouse.tables import ODOO_TABLES

MANY = 20


class MassDeletionError(Exception):
    """Most records of a model are gone at once: more likely a lost access right than a clean-up."""


def compare(
    connection: Connection, model: Mirrored, ids: Sequence[int], *, accept_deletions: bool
) -> tuple[list[int], int, int]:
    """Marks the live records of the table that are not in `ids` (all that Odoo shows); the ids
    that are missing here, how many records are live, how many were marked.

    Raises MassDeletionError before more than half of MANY or more.
    """
    table = ODOO_TABLES[model.table]
    shown = sa.select(sa.func.unnest(sa.cast(list(ids), ARRAY(sa.BigInteger))).label("id"))
    here = sa.select(table.c.id).where(table.c.deleted_at.is_(None))
    live = connection.execute(sa.select(sa.func.count()).select_from(here.subquery())).scalar_one()
    missing: Sequence[int] = connection.execute(shown.except_(here)).scalars().all()
    deleted = connection.execute(
        sa.update(table)
        .where(table.c.deleted_at.is_(None), table.c.id.not_in(shown))
        .values(deleted_at=sa.func.clock_timestamp())
    ).rowcount
    if deleted > live / 2 and live >= MANY and not accept_deletions:
        raise MassDeletionError(
            f"Odoo no longer shows {deleted} of {live} records of {model.model}: check the"
            " rights of ODOO_USER. If they were deleted on purpose, run"
            " `fusion-billing odoo mirror --accept-deletions`."
        )
    return sorted(missing), live - deleted, deleted
