"""The marts that a billing run reads, by hand: the columns and types that dbt gives them."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import sqlalchemy as sa
import yaml
from sqlalchemy.engine import Connection, Engine

from warehouse.dbt_project import DBT_PROJECT

D = Decimal
Row = dict[str, Any]

CONTRACTS = DBT_PROJECT / "models/marts/rating"
FROM_CONTRACT = ("dim_subscription", "dim_charge", "dim_charge_version", "dim_metric")

# The ledger refuses to be emptied; only its owner can switch its triggers off, and here we are it.
REFUSING = ("billed_line", "billing_run", "cutover")
AFRESH = """
truncate ops.odoo_push, ops.billed_line, ops.billing_run, ops.cutover,
    ops.service restart identity cascade;
drop schema if exists marts, staging, intermediate cascade;
create schema marts; create schema staging; create schema intermediate;
create table marts.fct_rated_lines (
    line_key text, service_code text, account_key text, subscription_key text,
    odoo_order_id bigint, plan_code text, metric_code text, charge_key text, variant text,
    group_key text, charge_model text, period_start date, period_end date, tier integer,
    quantity_used numeric, quantity_included numeric, quantity_billed numeric, unit_price numeric,
    flat_amount numeric, package_size numeric, units numeric, unit_amount numeric,
    events_count bigint, amount numeric, amount_precise numeric, currency text);
create table marts.rpt_rating_build (
    build_id text, snapshot_build_id text, high_water_xid bigint, lines bigint, buckets bigint,
    charges bigint, subscriptions bigint);
create table staging.stg_usage__snapshot (high_water_xid bigint, build_id text);
create table intermediate.int_usage_placed (
    subscription_key text, charge_key text, period_start date, verdict text, is_late boolean,
    counters bigint, service_code text, external_subscription_id text, metric_code text,
    local_day date, dimensions jsonb, fate text, group_key text, verdict_reason text,
    aggregation text, quantity_sum numeric, quantity_max numeric, quantity_last numeric,
    last_window_end timestamptz);
create table intermediate.int_metrics_defined (
    metric_code text, field_name text, dimension_keys text[]);
create table staging.stg_usage__batches (batch_id bigint, xid bigint);
create table staging.stg_usage__counters (
    service_code text, external_subscription_id text, transaction_id text, batch_id bigint,
    code text, kind text, window_start timestamptz, window_end timestamptz, local_day date,
    value numeric, revision integer, properties jsonb, received_at timestamptz);
"""

AUGUST, SEPTEMBER, OCTOBER, NOVEMBER = (dt.date(2025, month, 1) for month in (8, 9, 10, 11))


ORDER = 100


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
    order: int = ORDER,
    tier: int = 1,
    group: str = "",
    flat: str = "0",
    model: str = "standard",
) -> Row:
    """One line as dbt rates it. The default: 30.5 hours at 0.085 are 2.5925, so 2.59. `group` is
    the key of a pricing group; `flat` a tier's flat fee."""
    service, (plan_code, metric, *rest) = subscription.split(":")[0], charge.split("/")
    billed = max(D(used) - D(included), D(0))
    precise = billed * D(price) + D(flat)
    grouped = f":{hashlib.sha256(group.encode()).hexdigest()[:8]}" if group else ""
    return {
        "line_key": f"{subscription}:{charge}{grouped}:{start}:{tier}",
        "service_code": service,
        "account_key": f"{service}:acct_1",
        "subscription_key": subscription,
        "odoo_order_id": order,
        "plan_code": plan_code,
        "metric_code": metric,
        "charge_key": charge,
        "variant": "".join(rest) if rest != ["true_up"] else "",
        "group_key": group,
        "charge_model": model,
        "period_start": start,
        "period_end": end or (start + dt.timedelta(days=31)).replace(day=1),
        "tier": tier,
        "quantity_used": D(used),
        "quantity_included": min(D(used), D(included)),
        "quantity_billed": billed,
        "unit_price": D(price),
        "flat_amount": D(flat),
        "units": D(used),
        "amount": precise.quantize(D("0.01"), ROUND_HALF_UP),
        "amount_precise": precise,
        "currency": currency,
    }


def true_up(
    amount: str,
    charge: str = "cloud_s/compute_hours",
    subscription: str = "nexacloud:sub_1",
    start: dt.date = SEPTEMBER,
) -> Row:
    """What a charge's minimum adds to its lines; no usage of its own."""
    line = rated(subscription, f"{charge}/true_up", start, used="0", included="0", tier=0)
    flat = dict.fromkeys(("flat_amount", "amount", "amount_precise"), D(amount))
    return line | {"unit_price": D("10.00"), "charge_model": "true_up"} | flat


def start_afresh(engine: Engine) -> None:
    """An empty ledger and empty marts: a database of its own for every test would cost minutes."""
    with engine.begin() as connection:
        for table in REFUSING:
            connection.execute(sa.text(f"alter table ops.{table} disable trigger user"))
        connection.execute(sa.text(AFRESH))
        for table in REFUSING:
            for trigger in ("append_only", "append_only_truncate"):
                connection.execute(
                    sa.text(f"alter table ops.{table} enable always trigger {trigger}")
                )
        for name, columns in contract().items():
            if name in FROM_CONTRACT:
                typed = ", ".join(f"{column} {kind}" for column, kind in columns)
                connection.execute(sa.text(f"create table marts.{name} ({typed})"))


def contract() -> dict[str, list[tuple[str, str]]]:
    """Name and type of each column of dbt's marts, as their contracts say."""
    files = [yaml.safe_load(path.read_text()) for path in sorted(CONTRACTS.glob("*.yml"))]
    return {
        model["name"]: [(column["name"], column["data_type"]) for column in model["columns"]]
        for file in files
        for model in file.get("models", [])
    }


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

    def build(self, *lines: Row, late: bool | Collection[str] = False) -> str:
        """Replaces what was rated by `lines`, as a finished build; its id. With `late`, a counter
        of each line, or of those charges, came after its period was closed."""
        self.builds += 1
        build_id = f"build_{self.builds}"
        with self.engine.begin() as connection:
            for table in ("marts.fct_rated_lines", "marts.dim_charge", "marts.dim_charge_version"):
                connection.execute(sa.text(f"delete from {table}"))
            connection.execute(sa.text("delete from intermediate.int_usage_placed"))
            insert(connection, "marts.fct_rated_lines", list(lines))
            charges = _charges(lines)
            insert(connection, "marts.dim_charge", charges)
            insert(connection, "marts.dim_charge_version", charges)
            insert(connection, "intermediate.int_usage_placed", _placed(lines, late))
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
            "charge_model": line["charge_model"],
            "unit_price": line["unit_price"],
            "quantity_included": line["quantity_included"],
            "currency": line["currency"],
            "odoo_charge_id": sum(line["charge_key"].encode()),
            "odoo_product_id": 7,
        }
        for line in lines
        if line["tier"] > 0
    }
    return list(charges.values())


def _placed(lines: tuple[Row, ...], late: bool | Collection[str]) -> list[Row]:
    """Two counters of each charge and period, one of them late or none."""
    charges = {
        (line["subscription_key"], line["charge_key"], line["period_start"])
        for line in lines
        if line["tier"] > 0
    }
    return [
        {
            "subscription_key": subscription,
            "charge_key": charge,
            "period_start": start,
            "verdict": "rated",
            "is_late": is_late,
            "counters": 1,
        }
        for subscription, charge, start in sorted(charges)
        for is_late in (False, late if isinstance(late, bool) else charge in late)
    ]


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
