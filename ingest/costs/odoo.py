"""fusion_api's daily provider costs from its model in Odoo, by RPC.

Read by day: whole days are compared with what was mirrored of them, so that a record that was
changed, moved or deleted in Odoo leaves nothing behind. Which days: all that are younger than
WINDOW, and older ones in which a record was written since; everything at first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.engine import Connection, Engine

from ingest.costs.landing import land
from ingest.costs.odoo_model import (
    CostModel,
    links_of,
    read_costs,
    refuse_no_day,
    rewritten_days,
)
from ingest.costs.rows import ODOO, CostRow
from ingest.odoo_mirror.deletions import MANY, MassDeletionError
from odoo_gateway.client import OdooClient
from warehouse.locks import session_lock
from warehouse.tables import provider_cost

WINDOW = timedelta(days=62)


@dataclass(frozen=True)
class CostMirrorReport:
    """Costs by what became of them, `read` = new + unchanged + changed; those of one provider,
    SKU, day, service and account are one. `since` is the first day of all that were read; null:
    every day."""

    read: int
    new: int
    unchanged: int
    changed: int
    deleted: int
    since: date | None


def mirror_costs(
    engine: Engine,
    client: OdooClient,
    model: CostModel,
    *,
    today: date,
    full: bool = False,
    accept_deletions: bool = False,
) -> CostMirrorReport:
    """Brings the costs of source `odoo` up to what Odoo shows, all or nothing.

    Raises CostModelError where the model or a record is none of costs, MissingCostModelError where
    there is no model, MassDeletionError (unless told to accept them) before more than half of the
    costs, MANY or more, would be deleted; OdooTransientError, OdooRefusedError.
    """
    links = links_of(client, model)
    with session_lock(engine, "odoo_mirror:provider_cost", wait=True), engine.begin() as connection:
        since = None if full else _first_day(connection, today)
        days = [] if since is None else rewritten_days(client, model, since)
        refuse_no_day(client, model)
        told: set[str] = set()
        costs = read_costs(client, model, links, since, days)
        counts = land(connection, ODOO, _noting(costs, told), told_in=model.name)
        deleted = _delete_untold(connection, since, days, told, accept_deletions=accept_deletions)
    return CostMirrorReport(len(told), counts.new, counts.unchanged, counts.changed, deleted, since)


def _noting(costs: Iterable[CostRow], told: set[str]) -> Iterator[CostRow]:
    for cost in costs:
        told.add(cost.cost_key)
        yield cost


def has_landed(engine: Engine) -> bool:
    """Whether costs were ever mirrored from Odoo."""
    with engine.connect() as connection:
        return _newest_day(connection) is not None


def _newest_day(connection: Connection) -> date | None:
    newest = sa.select(sa.func.max(provider_cost.c.day)).where(provider_cost.c.source == ODOO)
    found: date | None = connection.execute(newest).scalar_one()
    return found


def _first_day(connection: Connection, today: date) -> date | None:
    """A mirror that stood still for months reads on from where it stood."""
    newest = _newest_day(connection)
    return None if newest is None else min(newest, today) - WINDOW


def _delete_untold(
    connection: Connection,
    since: date | None,
    days: Sequence[str],
    told: set[str],
    *,
    accept_deletions: bool,
) -> int:
    """Takes out what Odoo does not show any more of the days that were read."""
    mirrored = [provider_cost.c.source == ODOO]
    if since is not None:
        old = [date.fromisoformat(day) for day in days]
        mirrored.append(sa.or_(provider_cost.c.day >= since, provider_cost.c.day.in_(old)))
    keys = sa.select(sa.func.unnest(sa.cast(sorted(told), ARRAY(sa.Text))))
    live = connection.execute(
        sa.select(sa.func.count()).select_from(provider_cost).where(*mirrored)
    ).scalar_one()
    deleted = connection.execute(
        sa.delete(provider_cost).where(*mirrored, provider_cost.c.cost_key.not_in(keys))
    ).rowcount
    if deleted > live / 2 and live >= MANY and not accept_deletions:
        raise MassDeletionError(
            f"Odoo no longer shows {deleted} of {live} costs: check the rights of ODOO_USER."
            " If they were deleted on purpose, run"
            " `fusion-billing costs mirror --accept-deletions`."
        )
    return deleted
