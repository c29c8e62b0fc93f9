"""Pages of records into raw.odoo_*: COPY and one upsert a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import msgspec
import psycopg
import sqlalchemy as sa
from psycopg import sql
from sqlalchemy.engine import Connection

from odoo_gateway.client import Record

# Of a record that was put into Odoo's database by hand.
NEVER_WRITTEN = datetime(1970, 1, 1, tzinfo=UTC)

_STAGE = (
    "create temp table landing (id bigint, write_date timestamptz, record jsonb) on commit drop"
)
_UPSERT = """
insert into {table} as stored (id, write_date, record)
select id, write_date, record from landing
on conflict (id) do update set
    write_date = excluded.write_date,
    record = excluded.record,
    mirrored_at = clock_timestamp(),
    deleted_at = null
where stored.record is distinct from excluded.record or stored.deleted_at is not null
"""
_POINTING = """
select pointing.id
from raw.odoo_{table} as pointing
cross join lateral jsonb_array_elements(
    case jsonb_typeof(pointing.record -> :field)
        when 'array' then pointing.record -> :field
        else jsonb_build_array(pointing.record -> :field)
    end
) as link
where pointing.deleted_at is null
    and link in (select to_jsonb(id) from raw.odoo_{target} where deleted_at >= :since)
"""


def land(connection: Connection, table: str, records: Sequence[Record]) -> int:
    """Writes what differs from what is there, in the connection's transaction; how many did."""
    if not records:
        return 0
    driver = connection.connection.driver_connection
    if not isinstance(driver, psycopg.Connection):
        raise TypeError("the mirror needs SQLAlchemy's psycopg dialect")
    with driver.cursor() as cursor:
        cursor.execute(_STAGE)
        with cursor.copy("copy landing from stdin") as copy:
            for record in records:
                text = msgspec.json.encode(record).decode()
                copy.write_row((record["id"], _written(record), text))
        cursor.execute(sql.SQL(_UPSERT).format(table=sql.Identifier("raw", f"odoo_{table}")))
        changed = cursor.rowcount
        cursor.execute("drop table landing")
    return changed


def _written(record: Record) -> datetime:
    stamp = record["write_date"]
    return datetime.fromisoformat(stamp).replace(tzinfo=UTC) if stamp else NEVER_WRITTEN


def pointing_at_deleted(
    connection: Connection, table: str, links: Mapping[str, str], since: datetime
) -> list[int]:
    """Ids of live records that point at one which was found deleted at or after `since`.

    `links` holds field → table for many2one and many2many fields. PostgreSQL empties these by
    itself ("on delete set null", "cascade"), and Odoo's write_date does not move.
    """
    found: set[int] = set()
    for field, target in links.items():
        statement = sa.text(_POINTING.format(table=table, target=target))
        found.update(connection.execute(statement, {"field": field, "since": since}).scalars())
    return sorted(found)
