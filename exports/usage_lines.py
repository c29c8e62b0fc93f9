"""The push: ledger lines into Odoo by their line_key, verified by reading.

Lines of live periods go onto their subscriptions, those of dual-run periods onto drafts that bill
nothing, those of shadow periods nowhere: exports/cutover/phases.py. Each line is looked up by its
key, created once if it is missing, read back and compared to the cent. A lost answer is settled by
looking again, never by guessing; an existing line is never changed. Odoo's behaviour behind each
choice: the design's odoo.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import islice
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from exports import push_record
from exports.create_once import create_once
from exports.cutover.drafts import Drafts
from exports.cutover.phases import routed
from exports.destination import Destination, SubscriptionOrders
from exports.line_form import Precision
from exports.push_problems import Judge, Problem
from odoo_gateway.client import OdooClient, Record
from odoo_gateway.uniqueness import require_indexes
from warehouse.locks import session_lock

_Line = dict[str, Any]

LINE, KEY = "sale.order.line", "x_fc_line_key"
KEYS_PER_READ = 500
LINES_PER_CREATE = 200


class NothingRatedError(Exception):
    """dbt has not built the marts."""


class NoRunError(Exception):
    """No billing run has that date."""


class PushBusyError(Exception):
    """Another push is at work on this Odoo database."""


@dataclass
class PushResult:
    """Counts of ledger lines. `pending` were due; `found` stood in Odoo already, by their key;
    `verified` stand on their subscriptions, `drafted` on dual-run drafts."""

    pending: int = 0
    found: int = 0
    created: int = 0
    verified: int = 0
    drafted: int = 0
    differs: int = 0
    refused: int = 0
    reasons: dict[str, str] = field(default_factory=dict)  # line_key → why it was refused


_PENDING = routed("""
    select
        unsettled.route,
        billed.line_key, billed.subscription_key, billed.odoo_order_id, billed.reason,
        billed.period_start,
        billed.period_end, billed.quantity_used, billed.quantity_included, billed.quantity_billed,
        billed.unit_price, billed.amount, billed.currency, billed.tier, billed.charge_model,
        billed.group_key, billed.flat_amount, billed.package_size,
        -- The name and product of today, for finance may mend them; those it was billed under
        -- where the charge has left the catalogue since.
        coalesce(charges.charge_name, billed.charge_name, billed.charge_key) as charge_name,
        coalesce(charges.unit, billed.unit) as unit,
        coalesce(charges.odoo_product_id, billed.odoo_product_id) as odoo_product_id
    from unsettled
    inner join ops.billed_line as billed
        on unsettled.line_key = billed.line_key
    left join marts.dim_charge as charges
        on regexp_replace(billed.charge_key, '/true_up$', '') = charges.charge_key
    where
        cast(:run_date as date) is null
        or billed.run_id in (select run_id from ops.billing_run where run_date = :run_date)
    order by billed.odoo_order_id, billed.line_key
""")


_HAS_RUN = sa.text("select run_id from ops.billing_run where run_date = :run_date limit 1")


def push(
    engine: Engine,
    client: OdooClient,
    *,
    database: str,
    run_date: date | None = None,
    dry_run: bool = False,
) -> PushResult:
    """Brings Odoo to the ledger's state. `database` names the Odoo for the lock, e.g. url and name;
    with `run_date`, only the lines that the billing runs of that date wrote are pushed.

    A refused line is recorded with Odoo's reason and stops no other. Raises PushBusyError where
    another push holds the lock, NoRunError, OdooRefusedError where Odoo lacks the indexes that keep
    a line from standing twice, OdooTransientError where Odoo stays away; what was pushed until then
    is recorded, and the next push settles the rest by reading.
    """
    with session_lock(engine, f"push:{database}") as taken:
        if not taken:
            raise PushBusyError(
                f"Another push is at work on {database}. Let it finish, then repeat."
            )
        pending = _pending(engine, run_date)
        result = PushResult(pending=len(pending))
        if not pending:
            return result
        require_indexes(client)
        if not dry_run:
            push_record.plan(engine, pending)
        destinations = _destinations(client)
        for route, destination in destinations.items():
            lines = [line for line in pending if line["route"] == route]
            for batch in _batches(lines, KEYS_PER_READ):
                _push_lines(engine, client, destination, batch, result, dry_run=dry_run)
        return result


def _destinations(client: OdooClient) -> dict[str, Destination]:
    """By route. What is the same for all lines of a push is read of Odoo once."""
    judge, precision = Judge.of(client), precision_of(client)
    return {
        "order": SubscriptionOrders(judge, precision),
        "draft": Drafts(client, judge, precision),
    }


def _pending(engine: Engine, run_date: date | None) -> list[_Line]:
    with engine.connect() as connection:
        if run_date is not None and not connection.execute(_HAS_RUN, {"run_date": run_date}).all():
            raise NoRunError(
                f"No billing run has the date {run_date}: `fusion-billing run --date {run_date}`"
                " makes one."
            )
        try:
            rows = connection.execute(_PENDING, {"run_date": run_date}).mappings()
        except sa.exc.ProgrammingError:
            raise NothingRatedError(
                "Nothing is rated yet: `fusion-billing run` comes first."
            ) from None
        return [dict(row) for row in rows]


def _batches(lines: Sequence[_Line], size: int) -> Iterator[Sequence[_Line]]:
    rest = iter(lines)
    while batch := list(islice(rest, size)):
        yield batch


def precision_of(client: OdooClient) -> Precision:
    """Digits of Product Unit and Product Price in this database, as the fields of an order line
    tell them: Odoo 19 lets nobody but an administrator read `decimal.precision` itself."""
    known = client.fields_get("sale.order.line")
    _total, quantity = known["qty_delivered"].get("digits") or (16, 2)
    return Precision(quantity, price=known["price_unit"].get("min_display_digits", 2))


def _push_lines(
    engine: Engine,
    client: OdooClient,
    destination: Destination,
    lines: Sequence[_Line],
    result: PushResult,
    *,
    dry_run: bool,
) -> None:
    destination.look(lines)
    standing = _read_by_key(client, destination, lines)
    result.found += len(standing)
    missing = [line for line in lines if line["line_key"] not in standing]
    problems = destination.problems(missing)
    if dry_run:
        result.refused += len(problems)
        result.reasons |= {key: problem.reason for key, problem in problems.items()}
        return
    problems |= destination.prepare(_without(missing, problems))
    creatable = _without(missing, problems)
    for batch in _batches(creatable, LINES_PER_CREATE):
        push_record.sent(engine, [(line["line_key"], destination.order_of(line)) for line in batch])
        problems |= create_once(client, LINE, KEY, [destination.values(line) for line in batch])
    created = _without(creatable, problems)
    standing |= _read_by_key(client, destination, created)
    rows = [
        _outcome(destination, line, standing.get(line["line_key"], []), problems) for line in lines
    ]
    push_record.record(engine, rows)
    result.created += sum(1 for line in created if line["line_key"] in standing)
    for row in rows:
        match row["state"]:
            case "verified":
                result.verified += 1
            case "drafted":
                result.drafted += 1
            case "differs":
                result.differs += 1
            case _:
                result.refused += 1
                result.reasons[row["line_key"]] = row["reason"]


def _without(lines: Sequence[_Line], problems: dict[str, Problem]) -> list[_Line]:
    return [line for line in lines if line["line_key"] not in problems]


def _read_by_key(
    client: OdooClient, destination: Destination, lines: Sequence[_Line]
) -> dict[str, list[Record]]:
    """Order lines by key. More than one to a key is possible where the unique index is gone."""
    found: dict[str, list[Record]] = {}
    if lines:
        domain = [(KEY, "in", [line["line_key"] for line in lines])]
        for record in client.search_read(LINE, domain, destination.fields):
            found.setdefault(record[KEY], []).append(record)
    return found


def _outcome(
    destination: Destination,
    line: _Line,
    records: Sequence[Record],
    problems: dict[str, Problem],
) -> _Line:
    row: _Line = dict.fromkeys(("problem", "reason", "odoo_line_id", "subtotal", "tax"))
    order = destination.order_of(line)
    row |= {"line_key": line["line_key"], "odoo_order_id": order or line["odoo_order_id"]}
    if not records:
        missed = Problem("not_found", "created, but not found when read back")
        return row | {"state": "refused"} | _named(problems.get(line["line_key"], missed))
    record, *others = records
    reading = destination.reading(line, record)
    row |= {
        "odoo_order_id": order or record["order_id"],
        "odoo_line_id": record["id"],
        "subtotal": reading.subtotal,
        "tax": reading.tax,
    }
    problem = reading.problem
    if others:
        ids = ", ".join(str(each["id"]) for each in records)
        problem = Problem(
            "duplicate_key",
            f"Odoo has {len(records)} lines with this key ({ids}): run "
            "`fusion-billing odoo bootstrap` for its unique index, then set one to 0",
        )
    if problem is None:
        return row | {"state": destination.state}
    return row | {"state": "differs"} | _named(problem)


def _named(problem: Problem) -> _Line:
    return {"problem": problem.name, "reason": problem.reason}
