"""The push beside a bare batch create of the same lines, on orders of the same kind."""

from __future__ import annotations

import datetime as dt
import statistics
import time
import uuid
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from exports import usage_lines
from exports.usage_lines import LINES_PER_CREATE, push
from odoo_gateway.bootstrap import bootstrap
from odoo_gateway.client import OdooClient
from warehouse.tables import billed_line, billing_run

LINES_AN_ORDER = 5
_CHARGES = """
create schema if not exists marts;
create table if not exists marts.dim_charge
    (charge_key text, charge_name text, unit text, odoo_product_id bigint);
"""

_LIVE = """
insert into ops.service (service_code, name) values ('bench', 'Benchmark') on conflict do nothing;
insert into ops.cutover (service_code, phase, changed_by) values ('bench', 'live', 'bench');
"""


def compare_push(
    engine: Engine, client: OdooClient, counted: Callable[[Any], Any], rounds: int, lines: int
) -> None:
    """A first push beside a bare create of the same values in batches of the same size, a push of
    lines that stand already, one with nothing to do."""
    bootstrap(client)
    product = _product(client)
    with engine.begin() as connection:
        connection.execute(sa.text(_CHARGES))
        connection.execute(sa.text(_LIVE))
    bare: list[float] = []
    first: list[float] = []
    again: list[float] = []
    idle: list[float] = []
    calls: dict[str, int] = {}

    def run(name: str, seconds: list[float]) -> None:
        spy = counted(client)
        started = time.perf_counter()
        result = push(engine, spy, database="bench")
        seconds.append(time.perf_counter() - started)
        calls[name] = spy.calls
        assert (result.refused, result.differs) == (0, 0), result.reasons

    for number in range(rounds):
        due = _ledger(engine, _orders(client, lines // LINES_AN_ORDER), product, lines)
        values = _values(client, due, _orders(client, lines // LINES_AN_ORDER), product)
        if number % 2:
            bare.append(_created(client, values))
        run("first", first)
        if not number % 2:
            bare.append(_created(client, values))
        # As after a lost connection: all stands, nothing is recorded as verified.
        with engine.begin() as connection:
            connection.execute(
                sa.text("update ops.odoo_push set state = 'sent' where line_key = any(:keys)"),
                {"keys": [line["line_key"] for line in due]},
            )
        run("again", again)
        run("idle", idle)
    ratios = [one / other for one, other in zip(bare, first, strict=True)]
    batches = -(-lines // LINES_PER_CREATE)
    rate = lines / statistics.median(bare)
    print(f"| bare create, {LINES_PER_CREATE} a call | {rate:,.0f} lines/s, {batches} calls | |")
    print(
        f"| first push of {lines:,} lines on {lines // LINES_AN_ORDER:,} orders "
        f"| {lines / statistics.median(first):,.0f} lines/s, {calls['first']} calls "
        f"| {statistics.median(ratios):.2f} of bare ({min(ratios):.2f} to {max(ratios):.2f}) |"
    )
    for name, seconds, told in (
        ("again", again, "a push of lines that stand already"),
        ("idle", idle, "a push with nothing to do"),
    ):
        faster = statistics.median(first) / statistics.median(seconds)
        print(
            f"| {told} | {statistics.median(seconds):.3f} s, {calls[name]} calls "
            f"| {faster:,.0f} × faster than the first |"
        )


def _product(client: OdooClient) -> int:
    usage = {"name": "Usage (benchmark)", "type": "service", "invoice_policy": "delivery"}
    return client.create("product.product", [usage])[0]


def _orders(client: OdooClient, count: int) -> list[int]:
    """Confirmed orders of a customer in Ontario."""
    (ontario,) = client.search_read(
        "res.country.state", [("code", "=", "ON"), ("country_id.code", "=", "CA")], ["country_id"]
    )
    place = {"country_id": ontario["country_id"], "state_id": ontario["id"]}
    (partner,) = client.create("res.partner", [{"name": "Client (benchmark)", **place}])
    ids: list[int] = []
    for at in range(0, count, LINES_PER_CREATE):
        ids += client.create(
            "sale.order",
            [
                {"partner_id": partner, "x_fc_external_id": uuid.uuid4().hex}
                for _ in range(min(LINES_PER_CREATE, count - at))
            ],
        )
        client.call("sale.order", "action_confirm", ids[at:])
    return ids


def _ledger(
    engine: Engine, orders: Sequence[int], product: int, count: int
) -> list[dict[str, Any]]:
    """Lines of one month, five an order, at prices that Odoo can and cannot hold."""
    start, end = dt.date(2026, 10, 1), dt.date(2026, 11, 1)
    run = {
        "run_date": end, "build_id": "bench", "high_water_xid": "1", "catalog_sha256": "",
        "code_version": "bench", "lines": count, "adjustments": 0, "amount": 0,
        "lines_sha256": "",
    }  # fmt: skip
    with engine.begin() as connection:
        run_id = connection.execute(
            sa.insert(billing_run).returning(billing_run.c.run_id), run
        ).scalar_one()
        due = []
        for number in range(count):
            key = f"bench:{uuid.uuid4().hex}:p/c:2026-10-01:1"
            price = Decimal(("0.12", "0.0023")[number % 2])
            quantity = Decimal(100 + number)
            due.append(
                {
                    "line_key": key,
                    "rated_line_key": key,
                    "adjustment_no": 0,
                    "run_id": run_id,
                    "reason": "period",
                    "service_code": "bench",
                    "account_key": "bench:a",
                    "subscription_key": "bench:s",
                    "plan_code": "p",
                    "charge_key": "p/c",
                    "odoo_order_id": orders[number % len(orders)],
                    "period_start": start,
                    "period_end": end,
                    "tier": 1,
                    "quantity_used": quantity,
                    "quantity_included": 0,
                    "quantity_billed": quantity,
                    "unit_price": price,
                    "amount": (quantity * price).quantize(Decimal("0.01")),
                    "amount_precise": quantity * price,
                    "currency": "CAD",
                    "charge_name": "API calls",
                    "unit": "calls",
                    "odoo_product_id": product,
                }
            )
        connection.execute(sa.insert(billed_line), due)
    return due


def _values(
    client: OdooClient, due: Sequence[dict[str, Any]], orders: Sequence[int], product: int
) -> list[dict[str, Any]]:
    """What the push would send for these lines, under other keys and on other orders."""
    orders_of = usage_lines._destinations(client)["order"]
    same = {"group_key": None, "charge_model": "standard", "flat_amount": None}
    values = [
        orders_of.values(
            {
                **line,
                **same,
                "package_size": None,
                "odoo_product_id": product,
                "odoo_order_id": orders[number % len(orders)],
                "line_key": f"bare:{line['line_key']}",
            }
        )
        for number, line in enumerate(due)
    ]
    return sorted(values, key=lambda each: (each["order_id"], each["x_fc_line_key"]))


def _created(client: OdooClient, values: Sequence[dict[str, Any]]) -> float:
    """Seconds of a create in batches, answers thrown away."""
    started = time.perf_counter()
    for at in range(0, len(values), LINES_PER_CREATE):
        client.create("sale.order.line", values[at : at + LINES_PER_CREATE])
    return time.perf_counter() - started
