"""A pass over Odoo: pages of what was written, a sweep over the ids, and what neither tells."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC

from sqlalchemy.engine import Engine

from ingest.odoo_mirror import progress
from ingest.odoo_mirror.deletions import compare
from ingest.odoo_mirror.landing import land, pointing_at_deleted
from ingest.odoo_mirror.models import BILLING, MASTER, Mirrored
from odoo_gateway.client import Domain, OdooClient, Record
from odoo_gateway.errors import OdooRefusedError
from warehouse.locks import session_lock

PAGE = 2000  # odoo.md: 0.04 ms a row against 0.21 at 500
SWEEP_PAGE = 20_000  # ids alone

_TABLE_OF = {model.model: model.table for model in MASTER + BILLING}


@dataclass(frozen=True)
class MirrorCount:
    """Records by what a pass did with them; `live` is how many the table holds after it."""

    read: int
    changed: int
    deleted: int
    live: int = field(default=0, compare=False)


def mirror(
    engine: Engine,
    client: OdooClient,
    models: Sequence[Mirrored] = MASTER + BILLING,
    *,
    odoo: str = "",
    full: bool = False,
    accept_deletions: bool = False,
) -> dict[str, MirrorCount]:
    """Brings raw.odoo_* of `models` up to what Odoo shows; counts by table.

    Reads what was written since the pass before, or everything with `full`, the first time, once
    a day, and when `odoo` (a name of the database read from) or the fields are others. A pass that
    is killed is taken up by the next one where it was. Waits for another mirror of the same table.

    Raises OdooTransientError or OdooRefusedError with Odoo's reason; MassDeletionError, unless
    told to accept them, before more than half of a model's records (20 or more) would be marked
    as deleted: the next billing run would credit all that they were billed. What has landed stays.
    """
    counts = {}
    for model in models:
        with session_lock(engine, f"odoo_mirror:{model.table}", wait=True):
            counts[model.table] = _mirror_one(
                engine, client, model, odoo=odoo, full=full, accept_deletions=accept_deletions
            )
    return counts


def _mirror_one(
    engine: Engine,
    client: OdooClient,
    model: Mirrored,
    *,
    odoo: str,
    full: bool,
    accept_deletions: bool,
) -> MirrorCount:
    fields, links = _fields(client, model)
    with engine.begin() as connection:
        under_way = progress.begin(connection, model.table, odoo, fields, full=full)
    read = changed = 0
    written: Domain = []
    if under_way.since is not None:
        # Odoo reads UTC; PostgreSQL gives the session's zone.
        since = under_way.since.astimezone(UTC)
        written = [("write_date", ">=", f"{since:%Y-%m-%d %H:%M:%S}")]
    # By id alone within a fixed window: Odoo orders by microseconds but answers with seconds, so
    # a place between two records of one second cannot be named by (write_date, id).
    for page in _pages(client, model, written, fields, PAGE, after=under_way.last_id):
        with engine.begin() as connection:
            changed += land(connection, model.table, page)
            progress.reached(connection, model.table, page[-1]["id"])
        read += len(page)
    ids = [row["id"] for page in _pages(client, model, [], ["id"], SWEEP_PAGE) for row in page]
    with engine.begin() as connection:
        missing, live, deleted = compare(connection, model, ids, accept_deletions=accept_deletions)
    emptied: list[int] = []
    if under_way.known_at is not None:
        with engine.begin() as connection:
            emptied = pointing_at_deleted(connection, model.table, links, under_way.known_at)
    for page in _by_id(client, model, fields, sorted({*missing, *emptied})):
        with engine.begin() as connection:
            changed += land(connection, model.table, page)
        read += len(page)
        live += len({row["id"] for row in page} & set(missing))
    with engine.begin() as connection:
        progress.finish(connection, model.table)
    return MirrorCount(read=read, changed=changed, deleted=deleted, live=live)


def _fields(client: OdooClient, model: Mirrored) -> tuple[list[str], dict[str, str]]:
    """The fields to read, and those that point at another table's records: field → table."""
    try:
        known = client.fields_get(model.model)
    except OdooRefusedError as error:
        if not model.model.startswith("x_fc_"):
            raise
        raise OdooRefusedError(
            f"Odoo has no model {model.model} that this user may read ({error}). "
            "Run `fusion-billing odoo bootstrap`.",
            name=error.name,
        ) from None
    missing = [name for name in model.fields if name not in known]
    if missing:
        raise OdooRefusedError(
            f"Odoo's {model.model} has no {', '.join(missing)}. "
            "Run `fusion-billing odoo bootstrap`."
        )
    optional = [name for name in model.enterprise_fields if name in known]
    names = [*model.fields, *optional]
    links = {name: _TABLE_OF.get(known[name].get("relation", "")) for name in names}
    return [*names, "write_date"], {name: table for name, table in links.items() if table}


def _pages(
    client: OdooClient,
    model: Mirrored,
    narrowed: Domain,
    fields: Sequence[str],
    limit: int,
    after: int = 0,
) -> Iterator[list[Record]]:
    """All records of the model's domain, by id, none on an empty page."""
    while True:
        domain = [*model.domain, *narrowed, ("id", ">", after)]
        page = client.search_read(model.model, domain, fields, order="id", limit=limit)
        if page:
            yield page
            after = page[-1]["id"]
        if len(page) < limit:
            return


def _by_id(
    client: OdooClient, model: Mirrored, fields: Sequence[str], ids: Sequence[int]
) -> Iterator[list[Record]]:
    """Those of `ids` that Odoo still shows in the model's domain."""
    for at in range(0, len(ids), PAGE):
        wanted = [*model.domain, ("id", "in", list(ids[at : at + PAGE]))]
        yield client.search_read(model.model, wanted, fields)
