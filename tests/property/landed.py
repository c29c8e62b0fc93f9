"""Writes worlds as they come in: Odoo's records as the mirror leaves them, counters through the
endpoint's own reading and storing."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import psycopg
from histories import Order

from ingest.api.database import Connection, Database
from ingest.api.judging import Posting, Receipt
from ingest.api.payloads import Counter, Event
from ingest.api.rows import counter_row, event_row, rows_of
from ingest.api.store import store_group
from warehouse.dbt_project import run_dbt
from warehouse.settings import Settings

SERVICE = "nexadesk"
TIMEZONE = "America/Toronto"
LINKS = (("maple", 1), ("birch", 2), ("crow", 2))
Item = Mapping[str, Any]


def build(database_url: str, folder: Path, *models: str) -> None:
    """One dbt run of these models; `folder` keeps the parsed project for the next one."""
    settings = Settings(_env_file=None, fusion_home=folder, company_timezone=TIMEZONE)
    run_dbt(database_url, settings, "run", "--quiet", "--select", *models)


def mirror(connection: psycopg.Connection, table: str, records: Iterable[Item]) -> None:
    """All records of a model as search_read gave them, unset fields false, in place of those that
    were there."""
    connection.execute(f"truncate raw.odoo_{table}")
    connection.cursor().executemany(
        f"insert into raw.odoo_{table} (id, write_date, record)"
        " values (%s, '2024-01-01T00:00Z', %s)",
        [
            (
                record["id"],
                json.dumps({k: False if v is None else v for k, v in record.items()}, default=str),
            )
            for record in records
        ],
    )


def mirror_customers(connection: psycopg.Connection) -> None:
    partners = (1, "Maple Analytics"), (2, "Birch Labs")
    mirror(connection, "partner", [{"id": number, "name": name} for number, name in partners])
    mirror(
        connection,
        "account_link",
        [
            {
                "id": number,
                "x_service_code": SERVICE,
                "x_external_account_id": account,
                "x_partner_id": partner,
            }
            for number, (account, partner) in enumerate(LINKS, 1)
        ],
    )


def mirror_orders(
    connection: psycopg.Connection, histories: Sequence[tuple[Order, ...]]
) -> dict[int, int]:
    """The history at position n is subscription `s<n>`. Returns order id → its number in it."""
    intervals = sorted({order.terms.interval for orders in histories for order in orders})
    plans = {interval: number for number, interval in enumerate(intervals, 1)}
    mirror(
        connection,
        "plan",
        [
            {
                "id": number,
                "name": f"every {value} {unit}",
                "billing_period_unit": unit,
                "billing_period_value": value,
            }
            for (unit, value), number in plans.items()
        ],
    )
    numbers: dict[int, int] = {}
    records: list[Item] = []
    for position, orders in enumerate(histories):
        for order in orders:
            order_id = 10 * position + order.number + 1
            numbers[order_id] = order.number
            records.append(
                {
                    "id": order_id,
                    "name": f"S{order_id:05}",
                    "state": order.state,
                    "subscription_state": order.subscription_state,
                    "partner_id": order.terms.partner,
                    "plan_id": plans[order.terms.interval],
                    "start_date": order.start,
                    "end_date": order.end,
                    "x_fc_service_code": SERVICE,
                    "x_fc_external_id": f"s{position}",
                    "x_fc_external_account_id": order.terms.account,
                    "x_fc_plan_code": order.terms.plan_code,
                    "x_fc_billing_time": order.terms.billing_time,
                    "x_fc_trial_end": order.trial_end,
                    "x_fc_pauses": order.pauses_text,
                }
            )
    mirror(connection, "subscription", records)
    return numbers


def post(database_url: str, requests: Iterable[Sequence[Item]]) -> list[Receipt]:
    """Each request read and stored as POST /usage does (POST /events/batch where its items have a
    timestamp), one transaction each, in this order."""

    async def store() -> list[Receipt]:
        database = Database(database_url)
        try:
            return [await _stored(database, items) for items in requests]
        finally:
            await database.close()

    return asyncio.run(store())


async def _stored(database: Database, items: Sequence[Item]) -> Receipt:
    rows = (
        rows_of(msgspec.convert(items, list[Event]), event_row)
        if "timestamp" in items[0]
        else rows_of(msgspec.convert(items, list[Counter]), counter_row)
    )
    posting = Posting(SERVICE, rows, False, asyncio.get_running_loop().create_future())

    async def work(connection: Connection) -> Receipt:
        (receipt,) = await store_group(connection, [posting], look_first=True)
        return receipt

    receipt = await database.run(work)
    assert receipt.conflicts == ()
    return receipt
