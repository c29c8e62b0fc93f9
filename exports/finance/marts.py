"""Reads a month of the marts once, in one snapshot, through ADBC into Arrow.

ADBC hands a PostgreSQL numeric over as an opaque string; here every numeric is asked for as text
and becomes Decimal, so no digit passes through a double.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal

import adbc_driver_postgresql.dbapi as adbc
import pyarrow as pa
from adbc_driver_manager.dbapi import Error as AdbcError
from psycopg import sql
from sqlalchemy.engine import Engine, make_url

from exports.finance.columns import MARTS, Kind, Mart
from exports.finance.errors import FinanceExportError

Value = str | int | Decimal | dt.date | dt.datetime | None
Row = dict[str, Value]

# The marts must agree with each other: one snapshot for all of them.
_ONE_SNAPSHOT = "set transaction isolation level repeatable read, read only"
_RATED = """
    select service_code, currency, sum(amount)::text as amount from marts.fct_rated_lines
    where period_end - 1 >= {start} and period_end - 1 < {end} group by 1, 2
"""
_COLUMNS_PRESENT = """
    select table_name::text as mart, column_name::text as name
    from information_schema.columns where table_schema = 'marts'
"""


@dataclass(frozen=True)
class MartRows:
    """One mart's rows of the month: `arrow` with numerics as text, `rows` with them as Decimal."""

    mart: Mart
    arrow: pa.Table
    rows: list[Row]


@dataclass(frozen=True)
class MonthData:
    """All marts of `month` (its first day), as of one moment. `rated`, by (service, currency), is
    what should be billed of the periods whose last day is in the month."""

    month: dt.date
    lines: MartRows
    margin: MartRows
    reconciliation: MartRows
    conservation: MartRows
    rated: dict[tuple[str, str], Decimal]

    @property
    def label(self) -> str:
        return f"{self.month:%Y-%m}"


def next_month(month: dt.date) -> dt.date:
    """The first day of the month after the one `month` lies in."""
    return (month.replace(day=1) + dt.timedelta(days=31)).replace(day=1)


def libpq_url(engine_or_url: Engine | str) -> str:
    """The URL as libpq takes it, whatever SQLAlchemy driver it names."""
    url = make_url(engine_or_url) if isinstance(engine_or_url, str) else engine_or_url.url
    return url.set(drivername="postgresql").render_as_string(hide_password=False)


def _select(mart: Mart, month: dt.date) -> str:
    """SQL of the month's rows of a mart, each column in the type of its Kind, totally ordered."""

    def typed(name: str, kind: Kind) -> sql.Composable:
        template = (
            "{0}::numeric::text as {0}" if kind.is_numeric else f"{{0}}::{kind.value} as {{0}}"
        )
        return sql.SQL(template).format(sql.Identifier(name))

    query = sql.SQL(
        "select {columns} from marts.{mart} where {at} >= {start} and {at} < {end} order by {order}"
    ).format(
        columns=sql.SQL(", ").join(typed(column.name, column.kind) for column in mart.columns),
        mart=sql.Identifier(mart.name),
        at=sql.SQL(mart.day),
        start=sql.Literal(month),
        end=sql.Literal(next_month(month)),
        order=sql.SQL(mart.order_by),
    )
    return query.as_string(None)


def _rated(cursor: adbc.Cursor, month: dt.date) -> dict[tuple[str, str], Decimal]:
    span = {"start": sql.Literal(month), "end": sql.Literal(next_month(month))}
    cursor.execute(sql.SQL(_RATED).format(**span).as_string(None))
    return {
        (str(row["service_code"]), str(row["currency"])): Decimal(str(row["amount"]))
        for row in cursor.fetch_arrow_table().to_pylist()
    }


def _rows(mart: Mart, table: pa.Table) -> list[Row]:
    numerics = [column.name for column in mart.columns if column.kind.is_numeric]
    rows: list[Row] = table.to_pylist()
    for row in rows:
        for name in numerics:
            value = row[name]
            row[name] = None if value is None else Decimal(str(value))
    return rows


def _require_columns(cursor: adbc.Cursor) -> None:
    cursor.execute(_COLUMNS_PRESENT)
    present = {(row["mart"], row["name"]) for row in cursor.fetch_arrow_table().to_pylist()}
    for mart in MARTS:
        missing = [c.name for c in mart.columns if (mart.name, c.name) not in present]
        if len(missing) == len(mart.columns):
            raise FinanceExportError(
                f"marts.{mart.name} does not exist: dbt has not built the marts here. "
                "`fusion-billing reconcile` builds them."
            )
        if missing:
            raise FinanceExportError(
                f"marts.{mart.name} has no column {', '.join(missing)}: it was built by another "
                "version. `fusion-billing reconcile` builds it anew."
            )


def read_month(engine_or_url: Engine | str, month: dt.date) -> MonthData:
    """The month's rows of all four marts. `month` is any day in it.

    Raises FinanceExportError where the database does not answer, a mart or a column is missing,
    or the month has no billed lines or no margin.
    """
    first = month.replace(day=1)
    found: dict[str, MartRows] = {}
    try:
        with adbc.connect(libpq_url(engine_or_url)) as connection, connection.cursor() as cursor:
            cursor.execute(_ONE_SNAPSHOT)
            _require_columns(cursor)
            for mart in MARTS:
                cursor.execute(_select(mart, first))
                table = cursor.fetch_arrow_table()
                found[mart.name] = MartRows(mart, table, _rows(mart, table))
            rated = _rated(cursor, first)
    except AdbcError as error:
        reason = str(error).strip().splitlines()[0]
        raise FinanceExportError(
            f"The marts could not be read: {reason}. `fusion-billing doctor` checks."
        ) from None
    lines, margin, reconciliation, conservation = (found[mart.name] for mart in MARTS)
    data = MonthData(first, lines, margin, reconciliation, conservation, rated)
    # A period is billed after its end and its grace: by then the next month is two days old.
    due = next_month(first) + dt.timedelta(days=2)
    for empty in (m for m in (data.lines, data.margin) if not m.rows):
        raise FinanceExportError(
            f"marts.{empty.mart.name} has no rows for {data.label}. "
            f"`fusion-billing run --date {due}` bills what ended by then, "
            "`fusion-billing reconcile` builds the marts."
        )
    return data
