"""A ledger line explained: what it bills, why that much, from which counters, and its fate in Odoo.

Each part is one query, whatever the line: nothing is looped over.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext
from difflib import SequenceMatcher
from typing import Any

import sqlalchemy as sa
from psycopg.errors import UndefinedColumn, UndefinedTable
from sqlalchemy.engine import Connection, Engine

from exports import explain_queries as queries
from exports.arithmetic import sentence

Row = dict[str, Any]


class UnknownLineError(Exception):
    """No line has this key. The message names the nearest."""


@dataclass(frozen=True)
class Explanation:
    """Everything about one line; each list is in the order of its key or of time."""

    line_key: str
    arithmetic: str
    line: Row
    run: Row | None  # None: rated, not billed yet
    price: Row | None  # the catalogue's version that priced it, as the marts have it now
    adjustments: list[Row]  # all ledger lines of the same rated line
    tiers: list[Row]  # the lines of the same charge and period, adjustments summed
    days: list[Row]  # counters and quantity per local day and verdict
    counters_total: int
    counters: list[Row]  # the first of them
    odoo: Row


_NAMED = 3


def explain(engine: Engine, line_key: str, *, counters: int = 20) -> Explanation:
    """Explains a ledger line, or a rated line that is not billed yet, with its first counters.

    Raises UnknownLineError with the nearest keys. Figures of counters and price are those of the
    last build; what was billed is the ledger's.
    """
    with engine.connect() as connection:
        try:
            return _explained(connection, line_key, counters)
        except sa.exc.ProgrammingError as error:
            if not isinstance(error.orig, UndefinedColumn | UndefinedTable):
                raise
            reason = str(error.orig).splitlines()[0]
            raise UnknownLineError(
                f"The marts are not built yet, or by an older version ({reason}): "
                "`fusion-billing run` builds them."
            ) from None


def _explained(connection: Connection, key: str, counters: int) -> Explanation:
    ledger = _rows(connection, queries.LINES, key=key)
    if ledger:
        line = next((one for one in ledger if one["line_key"] == key), None)
    else:
        line = next(iter(_rows(connection, queries.RATED, key=key)), None)
    if line is None:
        raise UnknownLineError(_unknown(connection, key))
    group = "/".join(line["charge_key"].split("/")[:2])
    scope = {
        "subscription_key": line["subscription_key"],
        "charge_key": line["charge_key"],
        "charge_group": group,
        "period_start": line["period_start"],
        "group_key": line["group_key"] or "",
    }
    price = next(iter(_rows(connection, queries.PRICE, **scope)), None)
    tiers = _rows(connection, queries.TIERS, **scope)
    days = _rows(connection, queries.DAYS, **scope)
    return Explanation(
        line_key=key,
        arithmetic=_arithmetic(line, ledger, price, tiers),
        line={name: line[name] for name in _LINE},
        run={name: line[name] for name in _RUN} if ledger else None,
        price=_without_nulls(price),
        adjustments=[{name: one[name] for name in _ADJUSTMENT} for one in ledger],
        tiers=tiers,
        days=days,
        counters_total=sum(day["counters"] for day in days),
        counters=_rows(connection, queries.COUNTERS, **scope, counters=counters),
        odoo=_odoo(connection, line, key),
    )


_LINE = (
    "service_code",
    "account_key",
    "subscription_key",
    "odoo_order_id",
    "plan_code",
    "metric_code",
    "charge_key",
    "variant",
    "group_key",
    "charge_model",
    "period_start",
    "period_end",
    "tier",
    "quantity_used",
    "quantity_included",
    "quantity_billed",
    "unit_price",
    "flat_amount",
    "package_size",
    "amount",
    "amount_precise",
    "currency",
)
_RUN = (
    "run_id",
    "run_date",
    "run_at",
    "build_id",
    "high_water_xid",
    "catalog_sha256",
    "code_version",
)
_ADJUSTMENT = (
    "line_key",
    "reason",
    "quantity_used",
    "quantity_billed",
    "unit_price",
    "amount",
    "run_id",
    "billed_at",
)
_SUMMED = (
    "quantity_used",
    "quantity_included",
    "quantity_billed",
    "flat_amount",
    "amount",
    "amount_precise",
)


def _arithmetic(line: Row, ledger: Sequence[Row], price: Row | None, tiers: Sequence[Row]) -> str:
    """Of a first line what it says; of an adjustment what the line came to with it."""
    until = [
        one
        for one in ledger
        if one["adjustment_no"] <= line["adjustment_no"] and one["currency"] == line["currency"]
    ]
    with localcontext(prec=1000):
        summed = {
            name: sum((one[name] or Decimal(0) for one in until), Decimal(0)) for name in _SUMMED
        }
        total = {**line, **summed} if until else line
        of_usage = [one for one in tiers if one["tier"] > 0 and one["currency"] == line["currency"]]
        is_true_up = line["charge_key"].endswith("/true_up")
        return sentence(
            total,
            price=price,
            beside=sum((one["amount"] for one in of_usage), Decimal(0)) if is_true_up else None,
            adjustment=line if until and line["adjustment_no"] > 0 else None,
        )


def _odoo(connection: Connection, line: Row, key: str) -> Row:
    pushed = next(iter(_rows(connection, queries.PUSHED, key=key)), None)
    odoo: Row = {"odoo_order_id": line["odoo_order_id"], "state": "planned"}
    if pushed is not None:
        odoo |= pushed
    # Finance's marts are built after the push: there may be none yet, or none that knows the line.
    known = sa.inspect(connection).has_table("fct_billed_lines", "marts")
    invoiced = next(iter(_rows(connection, queries.INVOICED, key=key)), None) if known else None
    if invoiced is not None:
        odoo |= {name: value for name, value in invoiced.items() if value is not None}
    return odoo


def _unknown(connection: Connection, key: str) -> str:
    subscription = ":".join(key.split(":")[:2])
    found = [
        str(row["line_key"])
        for row in _rows(connection, queries.NEAREST, key=key, subscription=subscription)
    ]
    if not found:
        return f"There is no line {key!r}: nothing is billed yet. `fusion-billing run` comes first."
    nearest = sorted(found, key=lambda one: (-SequenceMatcher(None, key, one).ratio(), one))
    return f"There is no line {key!r}. Nearest: {', '.join(nearest[:_NAMED])}."


def _rows(connection: Connection, statement: sa.TextClause, **parameters: Any) -> list[Row]:
    return [dict(row) for row in connection.execute(statement, parameters).mappings()]


def _without_nulls(row: Mapping[str, Any] | None) -> Row | None:
    return (
        None if row is None else {name: value for name, value in row.items() if value is not None}
    )
