"""Two services with customers, plans and billed periods: a built warehouse behind an endpoint.

Everything about the catalogue and the ledger is fixed before the one dbt run; counters that a test
posts afterwards are what came in since.
"""

from __future__ import annotations

import asyncio
import json
import random
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import psycopg
from endpoint_world import Endpoint, Service, running
from litestar import Litestar
from litestar.exceptions import LitestarDeprecationWarning

from ingest import keys
from ingest.api.app import create_app
from warehouse.dbt_project import run_dbt
from warehouse.settings import Settings

TIMEZONE = "America/Toronto"
ZONE = ZoneInfo(TIMEZONE)
TODAY = datetime.now(ZONE).date()
MONTH = TODAY.replace(day=1)
LAST_MONTH = (MONTH - timedelta(days=1)).replace(day=1)
MONTH_BEFORE_LAST = (LAST_MONTH - timedelta(days=1)).replace(day=1)
NEXT_MONTH = (MONTH + timedelta(days=31)).replace(day=1)

OURS, THEIRS = "nexadesk", "nexamaps"

# code, aggregation, property, plan, price, included
CATALOGUE = (
    ("messages", "sum", "count", "desk_team", "0.012", "1000"),
    ("agents", "unique", "agent_id", "desk_team", "9.00", "3"),
    ("storage_gb", "max", False, "desk_team", "0.125", "20"),
    ("seats", "last", False, "desk_team", "4.25", "1"),
    ("lookups", "count", False, "desk_team", "0.005", "0"),
    ("map_loads", "sum", False, "maps_growth", "0.0023", "10000"),
)
INTERVALS = {1: ("month", 1), 2: ("month", 3), 3: ("week", 1), 4: ("year", 1)}


@dataclass(frozen=True)
class Subscription:
    """A confirmed order of the mirror. `interval` names one of INTERVALS."""

    external_id: str
    account: str = "maple"
    service: str = OURS
    plan: str = "desk_team"
    start: date = MONTH_BEFORE_LAST
    end: date | None = None
    billing_time: str = "calendar"
    interval: int = 1
    state: str = "3_progress"


# Every kind of period: what tests/ingest/api/test_api_current_usage.py compares with the marts.
RANDOM = (
    Subscription("random-0", start=date(2026, 1, 31)),
    Subscription("random-1", start=date(2026, 1, 31), billing_time="anniversary"),
    Subscription("random-2", start=date(2025, 11, 12), interval=2, end=date(2026, 4, 9)),
    Subscription("random-3", start=date(2026, 2, 26), interval=3, billing_time="anniversary"),
    Subscription("random-4", start=date(2026, 2, 26), interval=3),
    Subscription("random-5", start=date(2024, 2, 29), interval=4, billing_time="anniversary"),
)
FIRST_RANDOM_DAY, RANDOM_DAYS = date(2026, 1, 28), 75  # over the start of daylight saving time

SUBSCRIPTIONS = (
    *(
        Subscription(name)
        for name in ("by-hand", "revised", "metered", "odd", "huge", "python", "node",
            "node-billing", "typed",
                     "empty", "billed", "fuzzed")
    ),
    Subscription("sub_42", account="acct_42"),
    Subscription("unlinked", account="nobody"),
    Subscription("linked-to-another", account="other-partner"),
    Subscription("ended", end=TODAY - timedelta(days=1)),
    Subscription("ends-today", end=TODAY),
    Subscription("churned", state="6_churn"),
    Subscription("future", start=TODAY + timedelta(days=1)),
    Subscription("began-today", start=TODAY),
    Subscription("no-charges", plan="bare"),
    Subscription("maps", account="birch", service=THEIRS, plan="maps_growth"),
    # The same ids as ours, and yet another's.
    Subscription("by-hand", service=THEIRS, plan="maps_growth"),
    *RANDOM,
)  # fmt: skip
LINKS = (
    (OURS, "maple", 1),
    (OURS, "acct_42", 1),
    (OURS, "other-partner", 2),
    (THEIRS, "maple", 1),
    (THEIRS, "birch", 1),
)

DIMENSIONS = ("dim_account", "dim_charge", "dim_charge_version", "dim_metric", "dim_subscription")


@dataclass
class LagoWorld:
    """A running endpoint on a built warehouse; `ours` and `theirs` hold a key each."""

    endpoint: Endpoint
    folder: Path
    ours: Service
    theirs: Service

    @property
    def key(self) -> str:
        return self.ours.http.headers["Authorization"].removeprefix("Bearer ")

    def build(self, *models: str) -> None:
        """Runs dbt on these models."""
        settings = Settings(_env_file=None, fusion_home=self.folder, company_timezone=TIMEZONE)
        run_dbt(self.endpoint.database_url, settings, "run", "--select", *models)

    def usage(self, subscription: str, customer: str = "maple", **query: Any) -> httpx.Response:
        return self.ours.get(
            f"/customers/{customer}/current_usage", external_subscription_id=subscription, **query
        )

    def charges(self, subscription: str) -> dict[str, tuple[str, int, int]]:
        """Metric → units, events, cents of the current period."""
        answer = self.usage(subscription)
        assert answer.status_code == 200, answer.text
        return {
            charge["billable_metric"]["code"]: (
                charge["units"],
                charge["events_count"],
                charge["amount_cents"],
            )
            for charge in answer.json()["customer_usage"]["charges_usage"]
        }


@contextmanager
def built(database_url: str, folder: Path) -> Iterator[LagoWorld]:
    """The world on a migrated, empty database: counters over HTTP, mirror, ledger, one dbt run."""
    with running(database_url, folder) as endpoint:
        world = LagoWorld(endpoint, folder, *(_service(endpoint, code) for code in (OURS, THEIRS)))
        for seed, subscription in enumerate(RANDOM):
            post_random_counters(world.ours, subscription.external_id, seed)
        with psycopg.connect(database_url) as connection:
            for table, records in _mirror().items():
                connection.cursor().executemany(
                    f"insert into raw.odoo_{table} (id, write_date, record) values (%s, now(), %s)",
                    [(record["id"], json.dumps(record)) for record in records],
                )
            _bill(connection)
        world.build(
            *(f"+{mart}" for mart in ("fct_billed_lines", "fct_usage_daily", "fct_rated_lines")),
            *(f"+{dimension}" for dimension in DIMENSIONS),
        )
        yield world


def whole_app() -> Litestar:
    """The app without a database: its routes and its OpenAPI document."""

    async def made() -> Litestar:  # a pool wants a loop about it, even one that never connects
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", LitestarDeprecationWarning)
            app = create_app(Settings(_env_file=None), "postgresql://nobody@127.0.0.1/none")
            _ = app.openapi_schema
        return app

    return asyncio.run(made())


def _service(endpoint: Endpoint, code: str) -> Service:
    keys.add_service(endpoint.engine, code, code.title())
    return Service(code, endpoint.client(keys.create_key(endpoint.engine, code)), endpoint)


def day_start(day: date) -> datetime:
    return datetime.combine(day, time(), ZONE).astimezone(UTC)


def used(subscription: str, number: int, **changes: Any) -> dict[str, Any]:
    """A counter of the current month's first hours: never too far ahead, whatever today is."""
    begin = day_start(MONTH) + timedelta(minutes=number)
    return {
        "external_subscription_id": subscription,
        "code": "messages",
        "from": begin.isoformat(),
        "to": (begin + timedelta(minutes=1)).isoformat(),
        "value": "1",
        "transaction_id": f"u{number}",
    } | changes


def happened(subscription: str, number: int, code: str, **properties: Any) -> dict[str, Any]:
    """A Lago event of the current month's first hours."""
    return {
        "external_subscription_id": subscription,
        "code": code,
        "timestamp": int(day_start(MONTH).timestamp()) + 60 * number,
        "transaction_id": f"h{number}",
        "properties": properties,
    }


def post_random_counters(service: Service, subscription: str, seed: int) -> None:
    """Deltas, readings, revisions and events of every metric, many of them at the same instants."""
    rng = random.Random(seed)
    start = day_start(FIRST_RANDOM_DAY)

    def moment() -> datetime:
        return start + timedelta(
            hours=6 * rng.randrange(4 * RANDOM_DAYS), minutes=rng.choice((0, 1))
        )

    def value() -> str:
        return rng.choice(("0", "-3", "7", "12.5", "400", "0.000000001", str(rng.randrange(900))))

    counters: list[dict[str, Any]] = []
    events: list[dict[str, Any]] = []
    for number in range(400):
        code = rng.choice(CATALOGUE)[0]
        begin = moment()
        counters.append(
            {
                "external_subscription_id": subscription,
                "code": code,
                "from": begin.isoformat(),
                "to": (begin + timedelta(hours=rng.choice((1, 6, 30)))).isoformat(),
                "value": value(),
                "transaction_id": f"c{number}",
                "revision": rng.choice((0, 0, 0, 1, 2)),
                "kind": rng.choice(("delta", "delta", "delta", "cumulative")),
                "properties": rng.choice(
                    ({}, {}, {"region": "ca"}, {"agent_id": str(rng.randrange(9))})
                ),
            }
        )
        if number % 3 == 0:  # the same window and kind once more
            again = {"value": value(), "transaction_id": f"r{number}"}
            counters.append(rng.choice(counters) | again | {"revision": rng.choice((0, 1, 2))})
        code, _, field, *_ = rng.choice(CATALOGUE)
        events.append(
            {
                "external_subscription_id": subscription,
                "code": code,
                "timestamp": moment().timestamp(),
                "transaction_id": f"e{number}",
                "properties": rng.choice(
                    ({}, {field or "value": value()}, {field or "value": rng.randrange(50)},
                     {field or "value": "1e3"}, {"agent_id": f"a{rng.randrange(12)}"})
                ),
            }
        )  # fmt: skip
    for size, path, items in ((90, "usage", counters), (90, "events/batch", events)):
        root = "counters" if path == "usage" else "events"
        for first in range(0, len(items), size):
            service.post(f"/{path}", {root: items[first : first + size]}).raise_for_status()


def _mirror() -> dict[str, list[dict[str, Any]]]:
    metrics = {row[0]: number for number, row in enumerate(CATALOGUE, 1)}
    return {
        "partner": [{"id": 1, "name": "Maple Analytics"}, {"id": 2, "name": "Somebody else"}],
        "account_link": [
            {"id": number, "x_service_code": service, "x_external_account_id": account,
             "x_partner_id": partner}
            for number, (service, account, partner) in enumerate(LINKS, 1)
        ],
        "metric": [
            {"id": metrics[code], "x_name": code.title(), "x_code": code,
             "x_aggregation": aggregation, "x_field_name": field, "x_unit": "units"}
            for code, aggregation, field, *_ in CATALOGUE
        ],
        "charge": [
            {"id": metrics[code], "x_name": f"{code} used", "x_code": code, "x_plan_code": plan,
             "x_metric_id": metrics[code], "x_charge_model": "standard", "x_unit_price": price,
             "x_included": included, "x_currency": "CAD", "x_product_id": 1}
            for code, _, _, plan, price, included in CATALOGUE
        ],
        "plan": [
            {"id": number, "name": unit, "billing_period_unit": unit, "billing_period_value": value}
            for number, (unit, value) in INTERVALS.items()
        ],
        "subscription": [
            {"id": number, "name": f"S{number}", "state": "sale",
             "subscription_state": subscription.state,
             "x_fc_service_code": subscription.service,
             "x_fc_external_id": subscription.external_id,
             "x_fc_external_account_id": subscription.account,
             "x_fc_plan_code": subscription.plan,
             "x_fc_billing_time": subscription.billing_time,
             "partner_id": 1, "plan_id": subscription.interval,
             "start_date": subscription.start.isoformat(),
             "end_date": subscription.end.isoformat() if subscription.end else False}
            for number, subscription in enumerate(SUBSCRIPTIONS, 1)
        ],
        "order_line": [
            {"id": 1, "order_id": 1, "product_id": 1, "name": "Messages",
             "x_fc_line_key": f"nexadesk:billed:desk_team/messages:{LAST_MONTH}:1",
             "qty_delivered": 500, "price_unit": 0.012, "qty_invoiced": 500}
        ],
        "invoice": [
            {"id": 77, "name": "INV/1", "move_type": "out_invoice", "state": "posted",
             "payment_state": "paid", "partner_id": 1}
        ],
        "invoice_line": [
            {"id": 1, "move_id": 77, "sale_line_ids": [1], "price_subtotal": 6, "price_total": 6.78}
        ],
    }  # fmt: skip


BILLED = Subscription("billed")
THEIR_BILLED = Subscription("maps", account="birch", service=THEIRS, plan="maps_growth")
# subscription, period, charge, adjustment, used, included, billed, price, amount
LEDGER = (
    (BILLED, MONTH_BEFORE_LAST, "messages", 0, "1200", "1000", "200", "0.012", "2.40"),
    (BILLED, LAST_MONTH, "messages", 0, "1500", "1000", "500", "0.012", "6.00"),
    (BILLED, LAST_MONTH, "messages", 1, "100.5", "0", "100.5", "0.012", "1.21"),
    (BILLED, LAST_MONTH, "agents", 0, "5", "3", "2", "9.00", "18.00"),
    (THEIR_BILLED, LAST_MONTH, "map_loads", 0, "20000", "10000", "10000", "0.0023", "23.00"),
)


def _bill(connection: psycopg.Connection[Any]) -> None:
    connection.execute(
        "insert into ops.billing_run (run_date, build_id, high_water_xid, catalog_sha256,"
        " code_version, lines, adjustments, amount, lines_sha256)"
        " values (%s, 'b', '1', '', '0', 4, 1, 50.61, '')",
        [TODAY],
    )
    for whose, start, code, adjustment, used_, included, billed, price, amount in LEDGER:
        end = LAST_MONTH if start == MONTH_BEFORE_LAST else MONTH
        subscription_key = f"{whose.service}:{whose.external_id}"
        charge_key = f"{whose.plan}/{code}"
        rated = f"{subscription_key}:{charge_key}:{start}:1"
        values = {
            "line_key": f"{rated}~{adjustment}" if adjustment else rated,
            "rated_line_key": rated,
            "adjustment_no": adjustment,
            "run_id": 1,
            "reason": "late_usage" if adjustment else "period",
            "service_code": whose.service,
            "account_key": f"{whose.service}:{whose.account}",
            "subscription_key": subscription_key,
            "odoo_order_id": 1,
            "plan_code": whose.plan,
            "metric_code": code,
            "charge_key": charge_key,
            "period_start": start,
            "period_end": end,
            "tier": 1,
            "quantity_used": used_,
            "quantity_included": included,
            "quantity_billed": billed,
            "unit_price": price,
            "amount": amount,
            "amount_precise": amount,
            "currency": "CAD",
        }
        connection.execute(
            f"insert into ops.billed_line ({', '.join(values)})"
            f" values ({', '.join(['%s'] * len(values))})",
            list(values.values()),
        )
