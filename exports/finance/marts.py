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

from exports.billing_run import last_period_end
from exports.finance.checks import LINE_QUERIES, CheckQuery
from exports.finance.checks_margin import MARGIN_QUERIES
from exports.finance.columns import (
    ACCOUNTS,
    CONSERVATION,
    LINES,
    MARGIN,
    MARGIN_EXCEPTIONS,
    MARTS,
    RECONCILIATION,
    SERVICES,
    UNALLOCATED,
)
from exports.finance.errors import FinanceExportError
from exports.finance.provenance import SOURCES, Source
from exports.finance.tables import Kind, Mart, Row, Table
from warehouse.settings import Settings

# The marts must agree with each other: one snapshot for all of them.
_ONE_SNAPSHOT = "set transaction isolation level repeatable read, read only"
_COLUMNS_PRESENT = """
    select table_name::text as mart, column_name::text as name
    from information_schema.columns where table_schema = 'marts'
"""


@dataclass(frozen=True)
class TableRows:
    """A table and its rows of the month, in the order they are shown."""

    table: Table
    rows: list[Row]


@dataclass(frozen=True)
class MartRows(TableRows):
    """A mart's rows: `arrow` with numerics as text, `rows` with them as Decimal."""

    arrow: pa.Table


@dataclass(frozen=True)
class MonthData:
    """Everything the files of `month` (its first day) are made of, as of one moment.

    `marts` by name; `found` has what each CheckQuery counted, `sources` what each Source said.
    """

    month: dt.date
    marts: dict[str, MartRows]
    found: dict[str, list[Row]]
    sources: dict[str, list[Row]]

    @property
    def label(self) -> str:
        return f"{self.month:%Y-%m}"

    def __getitem__(self, mart: Mart) -> MartRows:
        return self.marts[mart.name]

    @property
    def lines(self) -> MartRows:
        return self[LINES]

    @property
    def margin(self) -> MartRows:
        return self[MARGIN]

    @property
    def accounts(self) -> MartRows:
        return self[ACCOUNTS]

    @property
    def reconciliation(self) -> MartRows:
        return self[RECONCILIATION]

    @property
    def conservation(self) -> MartRows:
        return self[CONSERVATION]

    @property
    def trend(self) -> list[Row]:
        """Margin by service of this month and the months before it."""
        return self[SERVICES].rows

    @property
    def services(self) -> TableRows:
        rows = [row for row in self.trend if row["month"] == self.month]
        return TableRows(SERVICES.table, rows)

    @property
    def margin_exceptions(self) -> list[Row]:
        return self[MARGIN_EXCEPTIONS].rows

    @property
    def unallocated(self) -> list[Row]:
        return self[UNALLOCATED].rows


def next_month(month: dt.date) -> dt.date:
    """The first day of the month after the one `month` lies in."""
    return (month.replace(day=1) + dt.timedelta(days=31)).replace(day=1)


def months_before(month: dt.date, count: int) -> dt.date:
    """The first day of the month `count` months before `month`."""
    ordinal = month.year * 12 + month.month - 1 - count
    return dt.date(ordinal // 12, ordinal % 12 + 1, 1)


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
        columns=sql.SQL(", ").join(typed(c.name, c.kind) for c in mart.table.columns),
        mart=sql.Identifier(mart.name),
        at=sql.SQL(mart.day),
        start=sql.Literal(months_before(month, mart.months - 1)),
        end=sql.Literal(next_month(month)),
        order=sql.SQL(mart.order_by),
    )
    return query.as_string(None)


def _decimals(rows: list[Row], names: list[str]) -> list[Row]:
    for row in rows:
        for name in names:
            value = row[name]
            row[name] = None if value is None else Decimal(str(value))
    return rows


def _mart(cursor: adbc.Cursor, mart: Mart, month: dt.date) -> MartRows:
    cursor.execute(_select(mart, month))
    table = cursor.fetch_arrow_table()
    numerics = [column.name for column in mart.table.columns if column.kind.is_numeric]
    return MartRows(mart.table, _decimals(table.to_pylist(), numerics), table)


def _asked(
    cursor: adbc.Cursor, query: CheckQuery | Source, month: dt.date, currency: str
) -> list[Row]:
    """The rows of a query over the month; it hands numerics over as text."""
    text = sql.SQL(query.sql).format(
        month=sql.Literal(month),
        next_month=sql.Literal(next_month(month)),
        currency=sql.Literal(currency),
    )
    cursor.execute(text.as_string(None))
    rows: list[Row] = cursor.fetch_arrow_table().to_pylist()
    return _decimals(rows, list(query.numerics))


# What the checks ask of beside the marts that are shown; an earlier version did not stamp it all.
_BUILDS = {
    "rpt_rating_build": ("build_id", "high_water_xid"),
    "rpt_finance_build": (
        "rating_build_id",
        "app_documents",
        "app_document_versions",
        "app_documents_loaded_at",
        "cost_drivers_md5",
        "odoo_read_at",
    ),
}


def _require_columns(cursor: adbc.Cursor) -> None:
    cursor.execute(_COLUMNS_PRESENT)
    present = {(row["mart"], row["name"]) for row in cursor.fetch_arrow_table().to_pylist()}
    shown = {mart.name: tuple(column.name for column in mart.table.columns) for mart in MARTS}
    for mart, names in (_BUILDS | shown).items():
        missing = [name for name in names if (mart, name) not in present]
        if len(missing) == len(names):
            raise FinanceExportError(
                f"marts.{mart} does not exist: dbt has not built the marts here. "
                "`fusion-billing run` and `fusion-billing reconcile` build them."
            )
        if missing:
            raise FinanceExportError(
                f"marts.{mart} has no column {', '.join(missing)}: it was built by another "
                "version. `fusion-billing reconcile` builds it anew."
            )


def read_month(engine_or_url: Engine | str, month: dt.date, settings: Settings) -> MonthData:
    """The month's rows of all marts, with what the checks count. `month` is any day in it.

    Raises FinanceExportError where the database does not answer, a mart or a column is missing,
    or the month has no billed lines or no margin.
    """
    first, currency = month.replace(day=1), settings.company_currency
    try:
        with adbc.connect(libpq_url(engine_or_url)) as connection, connection.cursor() as cursor:
            cursor.execute(_ONE_SNAPSHOT)
            _require_columns(cursor)
            data = MonthData(
                first,
                {mart.name: _mart(cursor, mart, first) for mart in MARTS},
                {query.name: _asked(cursor, query, first, currency)
                 for query in (*LINE_QUERIES, *MARGIN_QUERIES)},
                {source.name: _asked(cursor, source, first, currency)
                 for source in SOURCES},
            )  # fmt: skip
    except AdbcError as error:
        reason = str(error).strip().splitlines()[0]
        raise FinanceExportError(
            f"The marts could not be read: {reason}. `fusion-billing doctor` checks."
        ) from None
    for empty in (m for m in (data.lines, data.margin) if not m.rows):
        raise FinanceExportError(
            f"marts.{empty.table.mart} has no rows for {data.label}. {_next_step(first, settings)}"
        )
    return data


def _next_step(first: dt.date, settings: Settings) -> str:
    end = due = next_month(first)
    while last_period_end(due, settings) < end:
        due += dt.timedelta(days=1)
    if due > dt.datetime.now(settings.zone).date():
        return f"Its periods end later: close it from {due} on, after `fusion-billing run`."
    return (
        f"`fusion-billing run --date {due}` bills what ended by then, "
        "`fusion-billing reconcile` builds the marts."
    )
