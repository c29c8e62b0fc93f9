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
from sqlalchemy.engine import Engine

from exports import push_record
from exports.line_form import Precision, describe, line_form, to_cents
from exports.push_problems import Judge, Problem, refusal
from odoo_gateway.client import OdooClient, Record
from odoo_gateway.errors import OdooRefusedError, OdooTransientError
from warehouse.locks import session_lock

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
    where coalesce(pushed.state, '') not in ('verified', 'invoiced')
    order by billed.odoo_order_id, billed.line_key
""")

_READ_BACK = ("order_id", "x_fc_line_key", "qty_delivered", "price_unit", "discount", "tax_ids")


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
        if not dry_run:
            push_record.plan(engine)
        odoo = _Odoo(client, _precision(client), Judge.of(client), _rates(client))
        for lines in _batches(pending, KEYS_PER_READ):
            _push_lines(engine, odoo, lines, result, dry_run=dry_run)
        return result


@dataclass(frozen=True)
class _Odoo:
    """One Odoo, and what is read of it once a push."""

    client: OdooClient
    precision: Precision
    judge: Judge
    rates: dict[int, Decimal | None]  # account.tax → fraction of the subtotal; None: not a share


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


def _rates(client: OdooClient) -> dict[int, Decimal | None]:
    """What each tax takes of a subtotal; groups such as GST + QST are the sum of their parts."""
    fields = ["amount_type", "amount", "price_include", "children_tax_ids"]
    taxes = {record["id"]: record for record in client.search_read("account.tax", [], fields)}

    def rate(tax: int) -> Decimal | None:
        record = taxes[tax]
        if record["amount_type"] == "group":
            parts = [rate(child) for child in record["children_tax_ids"]]
            known = [part for part in parts if part is not None]
            return sum(known, Decimal(0)) if len(known) == len(parts) else None
        if record["amount_type"] != "percent" or record["price_include"]:
            return None
        return Decimal(str(record["amount"])) / 100

    return {tax: rate(tax) for tax in taxes}


def _push_lines(
    engine: Engine, odoo: _Odoo, lines: Sequence[_Line], result: PushResult, *, dry_run: bool
) -> None:
    standing = _read_by_key(odoo.client, [line["line_key"] for line in lines])
    result.found += len(standing)
    missing = [line for line in lines if line["line_key"] not in standing]
    problems = odoo.judge.problems(missing)
    creatable = [line for line in missing if line["line_key"] not in problems]
    if dry_run:
        result.refused += len(problems)
        result.reasons |= {key: problem.reason for key, problem in problems.items()}
        return
    for batch in _batches(creatable, LINES_PER_CREATE):
        push_record.sent(engine, batch)
        problems |= _create(odoo, batch)
    standing |= _read_by_key(
        odoo.client, [line["line_key"] for line in creatable if line["line_key"] not in problems]
    )
    rows = [_outcome(odoo, line, standing.get(line["line_key"], []), problems) for line in lines]
    push_record.record(engine, rows)
    result.created += sum(
        1 for line in creatable if line["line_key"] in standing and line["line_key"] not in problems
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


def _create(odoo: _Odoo, lines: Sequence[_Line], *, repeat: bool = True) -> dict[str, Problem]:
    """Creates the lines; returns problems by key. Whatever goes wrong, what stands in Odoo by now
    is left out. A batch that Odoo refuses is halved until the bad line stands alone: creation is
    all-or-nothing, so nothing is created twice. After a lost answer the rest is tried once more."""
    if not lines:
        return {}
    try:
        odoo.client.create("sale.order.line", [_values(line, odoo.precision) for line in lines])
    except OdooTransientError:
        if not repeat:
            raise
        return _create(odoo, _missing(odoo.client, lines), repeat=False)
    except OdooRefusedError as error:
        # A key may be there already: Odoo goes on with a call whose answer we gave up on.
        left = _missing(odoo.client, lines)
        if len(left) < len(lines):
            return _create(odoo, left, repeat=repeat)
        if len(lines) == 1:
            return {lines[0]["line_key"]: refusal(error.name, str(error))}
        middle = len(lines) // 2
        return _create(odoo, lines[:middle]) | _create(odoo, lines[middle:])
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


def _outcome(
    odoo: _Odoo, line: _Line, records: Sequence[Record], problems: dict[str, Problem]
) -> _Line:
    row: _Line = dict.fromkeys(("problem", "reason", "odoo_line_id", "subtotal", "tax"))
    row |= {"line_key": line["line_key"], "odoo_order_id": line["odoo_order_id"]}
    if not records:
        missed = Problem("not_found", "created, but not found when read back")
        return row | {"state": "refused"} | _named(problems.get(line["line_key"], missed))
    record, *others = records
    subtotal = _subtotal(record)
    row |= {
        "odoo_line_id": record["id"],
        "subtotal": subtotal,
        "tax": _tax(subtotal, [odoo.rates.get(tax) for tax in record["tax_ids"]]),
    }
    if others:
        ids = ", ".join(str(each["id"]) for each in records)
        problem = Problem(
            "duplicate_key",
            f"Odoo has {len(records)} lines with this key ({ids}): run "
            "`fusion-billing odoo bootstrap` for its unique index, then set one to 0",
        )
    elif record["order_id"] != line["odoo_order_id"]:
        problem = Problem(
            "other_order",
            f"Odoo has it on order {record['order_id']}, the ledger on {line['odoo_order_id']}",
        )
    elif subtotal != line["amount"]:
        problem = Problem(
            "edited_by_hand",
            f"Odoo has {subtotal}, the ledger {line['amount']}: set the line back, or adjust the"
            " ledger by a correction",
        )
    else:
        return row | {"state": "verified"}
    return row | {"state": "differs"} | _named(problem)


def _named(problem: Problem) -> _Line:
    return {"problem": problem.name, "reason": problem.reason}


def _tax(subtotal: Decimal, rates: Sequence[Decimal | None]) -> Decimal | None:
    """Of a line by itself, in cents; None where a tax is not a share of the subtotal."""
    known = [rate for rate in rates if rate is not None]
    if len(known) < len(rates):
        return None
    return sum((to_cents(subtotal, rate) for rate in known), Decimal(0))


def _subtotal(record: Record) -> Decimal:
    """What Odoo invoices of a delivered-policy line, from the shortest decimals of its doubles."""
    quantity, price, discount = (
        Decimal(str(record[name])) for name in ("qty_delivered", "price_unit", "discount")
    )
    return to_cents(quantity, price, 1 - discount / 100)
