"""Lands rows under their key: new ones in, changed ones replaced, equal ones left alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
import sqlalchemy as sa
from psycopg import sql
from sqlalchemy.engine import Connection

LOADED_AT = "loaded_at"  # a default of the table: the time of the last change


@dataclass(frozen=True)
class UpsertCounts:
    """Rows by what became of them; together all rows that were given."""

    new: int = 0
    unchanged: int = 0
    changed: int = 0

    def __add__(self, other: UpsertCounts) -> UpsertCounts:
        return UpsertCounts(
            self.new + other.new, self.unchanged + other.unchanged, self.changed + other.changed
        )


def upsert(
    connection: Connection,
    table: sa.Table,
    columns: Sequence[str],
    rows: Iterable[Sequence[Any]],
    *,
    apart: Sequence[str] = (),
) -> UpsertCounts:
    """Upserts `rows` (values in the order of `columns`) by the table's primary key, in the
    connection's transaction.

    A row has changed where any of `columns` differs; columns in `apart` (a file's name, say) do
    not count as a change but are written with one. Keys must be distinct within `rows`. Numbers
    compare as numbers: 1.50 equals 1.5.
    """
    keys = [column.name for column in table.primary_key.columns]
    compared = [name for name in columns if name not in keys and name not in apart]
    target = sql.Identifier(str(table.schema), table.name)
    driver = connection.connection.driver_connection
    if not isinstance(driver, psycopg.Connection):
        raise TypeError("upsert needs SQLAlchemy's psycopg dialect")
    given = 0
    with driver.cursor() as cursor:
        cursor.execute(
            sql.SQL("create temp table landing (like {} including defaults) on commit drop").format(
                target
            )
        )
        copy_in = sql.SQL("copy landing ({}) from stdin").format(_names(columns))
        with cursor.copy(copy_in) as copy:
            for row in rows:
                copy.write_row(row)
                given += 1
        cursor.execute(
            sql.SQL(
                "insert into {target} as stored ({columns}) select {columns} from landing"
                " on conflict ({keys}) do update set {assignments}"
                " where ({stored}) is distinct from ({excluded})"
                " returning xmax = 0"  # 0 on a row that this statement inserted
            ).format(
                target=target,
                columns=_names(columns),
                keys=_names(keys),
                assignments=sql.SQL(", ").join(
                    sql.SQL("{0} = excluded.{0}").format(sql.Identifier(name))
                    for name in (*columns, LOADED_AT)
                    if name not in keys and name in table.c
                ),
                stored=_names(compared, "stored"),
                excluded=_names(compared, "excluded"),
            )
        )
        fates = [bool(inserted) for (inserted,) in cursor.fetchall()]
        cursor.execute("drop table landing")
    new = sum(fates)
    return UpsertCounts(new=new, unchanged=given - len(fates), changed=len(fates) - new)


def _names(names: Sequence[str], prefix: str | None = None) -> sql.Composed:
    return sql.SQL(", ").join(
        sql.Identifier(prefix, name) if prefix else sql.Identifier(name) for name in names
    )
