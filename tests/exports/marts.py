"""The marts that a billing run reads, by hand: the columns and types that dbt gives them."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

D = Decimal
Row = dict[str, Any]

# The ledger refuses to be emptied; a superuser may claim to be a replica, where triggers rest.
AFRESH = """
set local session_replication_role = replica;
truncate ops.odoo_push, ops.billed_line, ops.billing_run, ops.service restart identity cascade;
set local session_replication_role = origin;
drop schema if exists marts, staging, intermediate cascade;
create schema marts; create schema staging; create schema intermediate;
create table marts.fct_rated_lines (
    line_key text, service_code text, account_key text, subscription_key text, plan_code text,
    metric_code text, charge_key text, period_start date, period_end date, tier integer,
    quantity_used numeric, quantity_included numeric, quantity_billed numeric, unit_price numeric,
    amount numeric, amount_precise numeric, currency text);
create table marts.dim_subscription (
    subscription_key text, account_key text, service_code text, external_subscription_id text,
    external_account_id text, odoo_order_id bigint, order_name text, odoo_partner_id bigint,
    partner_name text, plan_code text, billing_time text, billing_period_unit text,
    billing_period_value integer, subscription_state text, start_date date, end_date date,
    is_linked boolean);
create table marts.dim_charge (
    charge_key text, plan_code text, metric_code text, charge_name text, unit text,
    charge_model text, unit_price numeric, quantity_included numeric, currency text,
    odoo_charge_id bigint, odoo_product_id bigint);
create table marts.rpt_rating_build (
    build_id text, snapshot_build_id text, high_water_xid bigint, lines bigint, buckets bigint,
    charges bigint, subscriptions bigint);
create table staging.stg_usage__snapshot (high_water_xid bigint, build_id text);
create table intermediate.int_usage_daily (
    subscription_key text, metric_code text, local_day date, service_code text, account_key text,
    charge_key text, period_start date, aggregation text, counters bigint, quantity_sum numeric,
    quantity_max numeric, quantity_last numeric, last_window_end timestamptz, members bigint,
    late_counters bigint, late_quantity numeric);
"""

AUGUST, SEPTEMBER, OCTOBER, NOVEMBER = (dt.date(2025, month, 1) for month in (8, 9, 10, 11))


def rated(
    subscription: str = "nexacloud:sub_1",
    charge: str = "cloud_s/compute_hours",
    start: dt.date = SEPTEMBER,
    *,
    end: dt.date | None = None,
    used: str = "130.5",
    included: str = "100",
    price: str = "0.085",
    currency: str = "CAD",
) -> Row:
    """One line as dbt rates it. The default: 30.5 hours at 0.085 are 2.5925, so 2.59."""
    service, plan_code, metric = subscription.split(":")[0], *charge.split("/")
    billed = max(D(used) - D(included), D(0))
    return {
        "line_key": f"{subscription}:{charge}:{start}:1",
        "service_code": service,
        "account_key": f"{service}:acct_1",
        "subscription_key": subscription,
        "plan_code": plan_code,
        "metric_code": metric,
        "charge_key": charge,
        "period_start": start,
        "period_end": end or (start + dt.timedelta(days=31)).replace(day=1),
        "tier": 1,
        "quantity_used": D(used),
        "quantity_included": min(D(used), D(included)),
        "quantity_billed": billed,
        "unit_price": D(price),
        "amount": (billed * D(price)).quantize(D("0.01"), ROUND_HALF_UP),
        "amount_precise": billed * D(price),
        "currency": currency,
    }


def start_afresh(engine: Engine) -> None:
    """An empty ledger and empty marts: a database of its own for every test would cost minutes."""
    with engine.begin() as connection:
        connection.execute(sa.text(AFRESH))


def insert(connection: Connection, table: str, rows: list[Row]) -> None:
    if rows:
        columns = list(rows[0])
        connection.execute(
            sa.text(
                f"insert into {table} ({', '.join(columns)})"
                f" values ({', '.join(f':{name}' for name in columns)})"
            ),
            rows,
        )


@dataclass
class Marts:
    """The marts of one test's database. `build` puts in one finished dbt build after another."""

    engine: Engine
    builds: int = 0

    def build(self, *lines: Row, late: bool = False, orders: int = 100) -> str:
        """Replaces what was rated by `lines`, as a finished build; its id. With `late`, each line
        had a counter that came after its period was closed. Orders are numbered from `orders`."""
        self.builds += 1
        build_id = f"build_{self.builds}"
        subscriptions = sorted({line["subscription_key"] for line in lines})
        with self.engine.begin() as connection:
            for table in ("fct_rated_lines", "dim_subscription", "dim_charge"):
                connection.execute(sa.text(f"delete from marts.{table}"))
            connection.execute(sa.text("delete from intermediate.int_usage_daily"))
            insert(connection, "marts.fct_rated_lines", list(lines))
            insert(
                connection,
                "marts.dim_subscription",
                [
                    {"subscription_key": key, "odoo_order_id": orders + number, "is_linked": True}
                    for number, key in enumerate(subscriptions)
                ],
            )
            insert(connection, "marts.dim_charge", _charges(lines))
            insert(connection, "intermediate.int_usage_daily", [_day(line, late) for line in lines])
        self.set_build(build_id, build_id, build_id)
        return build_id

    def set_build(self, finished: str | None, of_snapshot: str, current: str) -> None:
        """What the latch says: the build that finished, its snapshot's, the current snapshot's."""
        water = 1000 + self.builds
        with self.engine.begin() as connection:
            connection.execute(
                sa.text(
                    "delete from marts.rpt_rating_build; delete from staging.stg_usage__snapshot"
                )
            )
            insert(
                connection,
                "staging.stg_usage__snapshot",
                [{"high_water_xid": water, "build_id": current}],
            )
            if finished:
                insert(
                    connection,
                    "marts.rpt_rating_build",
                    [
                        {
                            "build_id": finished,
                            "snapshot_build_id": of_snapshot,
                            "high_water_xid": water,
                        }
                    ],
                )


def _charges(lines: tuple[Row, ...]) -> list[Row]:
    charges = {
        line["charge_key"]: {
            "charge_key": line["charge_key"],
            "plan_code": line["plan_code"],
            "metric_code": line["metric_code"],
            "charge_name": line["metric_code"].replace("_", " ").capitalize(),
            "charge_model": "standard",
            "unit_price": line["unit_price"],
            "quantity_included": line["quantity_included"],
            "currency": line["currency"],
        }
        for line in lines
    }
    return list(charges.values())


def _day(line: Row, late: bool) -> Row:
    """A day of the line's period with two counters, one of them late or none."""
    return {
        "subscription_key": line["subscription_key"],
        "metric_code": line["metric_code"],
        "local_day": line["period_start"],
        "charge_key": line["charge_key"],
        "period_start": line["period_start"],
        "aggregation": "sum",
        "counters": 2,
        "late_counters": int(late),
    }


def ledger(engine: Engine) -> list[Row]:
    """Every line of the ledger in order of its key, without run and clock."""
    with engine.connect() as connection:
        rows = connection.execute(
            sa.text('select * from ops.billed_line order by line_key collate "C"')
        ).mappings()
        return [
            {name: value for name, value in row.items() if name not in ("run_id", "billed_at")}
            for row in rows
        ]


def runs(engine: Engine) -> list[Row]:
    with engine.connect() as connection:
        rows = connection.execute(sa.text("select * from ops.billing_run order by run_id"))
        return [dict(row) for row in rows.mappings()]
