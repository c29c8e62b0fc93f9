"""The push: ledger lines onto their subscriptions in Odoo, keyed by line_key, verified by reading.

Each line is looked up by its key, created once if it is missing, read back and compared to the
cent. A lost answer is settled by looking again, never by guessing; an existing line is never
changed. Odoo's behaviour behind each choice: the design's odoo.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import islice
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.engine import Engine

from exports.line_form import Precision, describe, line_form, to_cents
from odoo_gateway.client import OdooClient, Record
from odoo_gateway.errors import OdooRefusedError, OdooTransientError
from warehouse.locks import session_lock
from warehouse.tables import odoo_push

_Line = dict[str, Any]

KEYS_PER_READ = 500
LINES_PER_CREATE = 200


class NothingRatedError(Exception):
    """dbt has not built the marts."""


class PushBusyError(Exception):
    """Another push is at work on this Odoo database."""


@dataclass
class PushResult:
    """Counts of ledger lines. `pending` were due; `found` stood in Odoo already, by their key."""

    pending: int = 0
    found: int = 0
    created: int = 0
    verified: int = 0
    differs: int = 0
    refused: int = 0
    reasons: dict[str, str] = field(default_factory=dict)  # line_key → why it was refused


_PENDING = sa.text("""
    select
        billed.line_key, billed.odoo_order_id, billed.reason, billed.period_start,
        billed.period_end, billed.quantity_used, billed.quantity_included, billed.quantity_billed,
        billed.unit_price, billed.amount, billed.currency, billed.tier, billed.charge_model,
        billed.group_key, billed.flat_amount, billed.package_size,
        -- The name and product of today, for finance may mend them; those it was billed under
        -- where the charge has left the catalogue since.
        coalesce(charges.charge_name, billed.charge_name, billed.charge_key) as charge_name,
        coalesce(charges.unit, billed.unit) as unit,
        coalesce(charges.odoo_product_id, billed.odoo_product_id) as odoo_product_id
    from ops.billed_line as billed
    left join marts.dim_charge as charges
        on regexp_replace(billed.charge_key, '/true_up$', '') = charges.charge_key
    left join ops.odoo_push as pushed
        on billed.line_key = pushed.line_key
    where pushed.state is distinct from 'verified'
    order by billed.odoo_order_id, billed.line_key
""")

_READ_BACK = ("order_id", "x_fc_line_key", "qty_delivered", "price_unit", "discount")


def push(engine: Engine, client: OdooClient, *, database: str, dry_run: bool = False) -> PushResult:
    """Brings Odoo to the ledger's state. `database` names the Odoo for the lock, e.g. url and name.

    A refused line is recorded with Odoo's reason and stops no other. Raises PushBusyError where
    another push holds the lock, OdooTransientError where Odoo stays away; what was pushed until
    then is recorded, and the next push settles the rest by reading.
    """
    with session_lock(engine, f"push:{database}") as taken:
        if not taken:
            raise PushBusyError(
                f"Another push is at work on {database}. Let it finish, then repeat."
            )
        pending = _pending(engine)
        result = PushResult(pending=len(pending))
        if not pending:
            return result
        precision = _precision(client)
        for lines in _batches(pending, KEYS_PER_READ):
            _push_lines(engine, client, lines, precision, result, dry_run=dry_run)
        return result


def _pending(engine: Engine) -> list[_Line]:
    try:
        with engine.connect() as connection:
            return [dict(row) for row in connection.execute(_PENDING).mappings()]
    except sa.exc.ProgrammingError:
        raise NothingRatedError("Nothing is rated yet: `fusion-billing run` comes first.") from None


def _batches(lines: Sequence[_Line], size: int) -> Iterator[Sequence[_Line]]:
    rest = iter(lines)
    while batch := list(islice(rest, size)):
        yield batch


def _precision(client: OdooClient) -> Precision:
    """Digits of the database's `decimal.precision`, by their names in Odoo 19."""
    digits = {
        record["name"]: int(record["digits"])
        for record in client.search_read("decimal.precision", [], ["name", "digits"])
    }
    return Precision(quantity=digits.get("Product Unit", 2), price=digits.get("Product Price", 2))


def _push_lines(
    engine: Engine,
    client: OdooClient,
    lines: Sequence[_Line],
    precision: Precision,
    result: PushResult,
    *,
    dry_run: bool,
) -> None:
    standing = _read_by_key(client, [line["line_key"] for line in lines])
    result.found += len(standing)
    missing = [line for line in lines if line["line_key"] not in standing]
    if dry_run:
        return
    refusals = _refusals(client, missing)
    creatable = [line for line in missing if line["line_key"] not in refusals]
    for batch in _batches(creatable, LINES_PER_CREATE):
        refusals |= _create(client, batch, precision)
    standing |= _read_by_key(
        client, [line["line_key"] for line in creatable if line["line_key"] not in refusals]
    )
    rows = [_outcome(line, standing.get(line["line_key"], []), refusals) for line in lines]
    _record(engine, rows)
    result.created += sum(
        1 for line in creatable if line["line_key"] in standing and line["line_key"] not in refusals
    )
    for row in rows:
        match row["state"]:
            case "verified":
                result.verified += 1
            case "differs":
                result.differs += 1
            case _:
                result.refused += 1
                result.reasons[row["line_key"]] = row["reason"]


def _read_by_key(client: OdooClient, keys: Sequence[str]) -> dict[str, list[Record]]:
    """Order lines by key. More than one to a key is possible where the unique index is gone."""
    found: dict[str, list[Record]] = {}
    if keys:
        domain = [("x_fc_line_key", "in", list(keys))]
        for record in client.search_read("sale.order.line", domain, _READ_BACK):
            found.setdefault(record["x_fc_line_key"], []).append(record)
    return found


def _missing(client: OdooClient, lines: Sequence[_Line]) -> list[_Line]:
    standing = _read_by_key(client, [line["line_key"] for line in lines])
    return [line for line in lines if line["line_key"] not in standing]


def _refusals(client: OdooClient, lines: Sequence[_Line]) -> dict[str, str]:
    """Lines that must not be created, with the reason. Odoo itself takes a new line on cancelled
    orders (odoo.md), so the state is checked here."""
    order_ids = sorted({line["odoo_order_id"] for line in lines})
    if not order_ids:
        return {}
    orders = {
        record["id"]: record
        for record in client.search_read(
            "sale.order", [("id", "in", order_ids)], ["name", "state", "currency_id"]
        )
    }
    currencies = {
        record["id"]: record["name"]
        for record in client.search_read("res.currency", [("active", "=", True)], ["name"])
    }
    refusals = {}
    for line in lines:
        order = orders.get(line["odoo_order_id"])
        if order is None:
            refusals[line["line_key"]] = f"sale.order {line['odoo_order_id']} is gone"
        elif order["state"] != "sale":
            refusals[line["line_key"]] = f"order {order['name']} is in state {order['state']}"
        elif currencies.get(order["currency_id"]) != line["currency"]:
            refusals[line["line_key"]] = (
                f"order {order['name']} is in {currencies.get(order['currency_id'])},"
                f" the line in {line['currency']}"
            )
        elif line["odoo_product_id"] is None:
            refusals[line["line_key"]] = "the charge has no product in the catalogue"
    return refusals


def _create(
    client: OdooClient, lines: Sequence[_Line], precision: Precision, *, repeat: bool = True
) -> dict[str, str]:
    """Creates the lines; returns refusals by key. Whatever goes wrong, what stands in Odoo by now
    is left out. A batch that Odoo refuses is halved until the bad line stands alone: creation is
    all-or-nothing, so nothing is created twice. After a lost answer the rest is tried once more."""
    if not lines:
        return {}
    try:
        client.create("sale.order.line", [_values(line, precision) for line in lines])
    except OdooTransientError:
        if not repeat:
            raise
        return _create(client, _missing(client, lines), precision, repeat=False)
    except OdooRefusedError as error:
        # A key may be there already: Odoo goes on with a call whose answer we gave up on.
        left = _missing(client, lines)
        if len(left) < len(lines):
            return _create(client, left, precision, repeat=repeat)
        if len(lines) == 1:
            return {lines[0]["line_key"]: str(error)}
        middle = len(lines) // 2
        return _create(client, lines[:middle], precision) | _create(
            client, lines[middle:], precision
        )
    return {}


def _values(line: _Line, precision: Precision) -> _Line:
    form = line_form(line["quantity_billed"], line["unit_price"], line["amount"], precision)
    return {
        "order_id": line["odoo_order_id"],
        "product_id": line["odoo_product_id"],
        "name": describe(line),
        "product_uom_qty": 0,  # delivered is what counts; odoo.md: no price reset, no chatter
        "qty_delivered": float(form.quantity),
        "price_unit": float(form.price),
        "x_fc_line_key": line["line_key"],
        "x_fc_period_start": line["period_start"].isoformat(),
        "x_fc_period_end": line["period_end"].isoformat(),
    }


def _outcome(line: _Line, records: Sequence[Record], refusals: dict[str, str]) -> _Line:
    row = {"line_key": line["line_key"], "odoo_order_id": line["odoo_order_id"], "reason": None}
    if not records:
        reason = refusals.get(line["line_key"], "created, but not found when read back")
        return {**row, "state": "refused", "reason": reason, "odoo_line_id": None, "subtotal": None}
    record, *others = records
    subtotal = _subtotal(record)
    row |= {"odoo_line_id": record["id"], "subtotal": subtotal}
    if others:
        ids = ", ".join(str(each["id"]) for each in records)
        reason = (
            f"Odoo has {len(records)} lines with this key ({ids}): run "
            "`fusion-billing odoo bootstrap` for its unique index, then set one to 0"
        )
        return {**row, "state": "differs", "reason": reason}
    if subtotal == line["amount"] and record["order_id"] == line["odoo_order_id"]:
        return {**row, "state": "verified"}
    return {
        **row,
        "state": "differs",
        "reason": f"Odoo has {subtotal} on order {record['order_id']}, the ledger {line['amount']} "
        f"on {line['odoo_order_id']}",
    }


def _subtotal(record: Record) -> Decimal:
    """What Odoo invoices of a delivered-policy line, from the shortest decimals of its doubles."""
    quantity, price, discount = (
        Decimal(str(record[name])) for name in ("qty_delivered", "price_unit", "discount")
    )
    return to_cents(quantity, price, 1 - discount / 100)


def _record(engine: Engine, rows: Sequence[_Line]) -> None:
    statement = insert(odoo_push)
    with engine.begin() as connection:
        connection.execute(
            statement.on_conflict_do_update(
                index_elements=[odoo_push.c.line_key],
                set_={
                    name: statement.excluded[name]
                    for name in ("state", "reason", "odoo_order_id", "odoo_line_id", "subtotal")
                }
                | {"pushed_at": sa.func.clock_timestamp()},
            ),
            list(rows),
        )
