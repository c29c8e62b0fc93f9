"""A month of marts by hand: three services, a late line, a correction, a 17-digit quantity."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from warehouse.tables import billed_line, billing_run, odoo_push

D = Decimal

MARTS = """
drop schema marts cascade;
create schema marts;
create table marts.fct_billed_lines (
    line_key text, rated_line_key text, adjustment_no int, run_id bigint, reason text,
    service_code text, account_key text, subscription_key text, plan_code text, metric_code text,
    charge_key text, period_start date, period_end date, tier int, quantity_used numeric,
    quantity_included numeric, quantity_billed numeric, unit_price numeric, amount numeric,
    amount_precise numeric, currency text, billed_at timestamptz, push_state text,
    push_reason text, odoo_order_id bigint, odoo_line_id bigint, odoo_subtotal numeric,
    odoo_tax numeric, odoo_invoice_id bigint, odoo_invoice_name text, odoo_invoice_state text,
    odoo_payment_state text);
create table marts.fct_margin_monthly (
    month date, service_code text, account_key text, plan_code text, metric_code text,
    usage_revenue numeric, base_revenue numeric, revenue numeric, cogs numeric, margin numeric,
    margin_pct numeric, invoiced_usage numeric, invoiced_base numeric, invoiced_revenue numeric,
    invoiced_margin numeric, currency text);
create table marts.fct_rated_lines (
    service_code text, period_end date, amount numeric, currency text);
create table marts.fct_reconciliation (
    reconciliation_key text, service_code text, account_key text, subscription_key text,
    metric_code text, charge_key text, period_start date, period_end date, currency text,
    app_quantity numeric, platform_quantity numeric, odoo_quantity numeric, app_amount numeric,
    platform_amount numeric, odoo_amount numeric, app_delta numeric, odoo_delta numeric,
    status text, reason text, detail text);
create table marts.fct_usage_conservation (
    service_code text, metric_code text, month date, bucket text, counters bigint,
    quantity numeric, raw_counters bigint, raw_quantity numeric, counters_difference bigint,
    quantity_difference numeric);
"""


_DECIDED = """
with added as (
    insert into ops.service (service_code, name) values (:code, :code) on conflict do nothing
    returning service_code
)
insert into ops.cutover (service_code, phase, changed_by)
select service_code, cast(:phase as text), 'test' from added
"""


def next_month(month: dt.date) -> dt.date:
    return (month + dt.timedelta(days=31)).replace(day=1)


def line(
    subscription: str,
    charge: str,
    start: dt.date,
    used: str,
    included: str,
    billed: str,
    price: str,
    precise: str,
    amount: str,
    reason: str = "period",
) -> dict[str, object]:
    """A ledger line; `reason` other than period makes it adjustment 1."""
    rated = f"{subscription}:{charge}:{start}:1"
    number = 0 if reason == "period" else 1
    return {
        "line_key": f"{rated}~{number}" if number else rated,
        "rated_line_key": rated,
        "adjustment_no": number,
        "reason": reason,
        "service_code": subscription.split(":")[0],
        "account_key": f"{subscription.split(':')[0]}:acct_1",
        "subscription_key": subscription,
        "plan_code": charge.split("/")[0],
        "metric_code": charge.split("/")[1],
        "charge_key": charge,
        "period_start": start,
        "period_end": next_month(start).replace(day=start.day),
        "tier": 1,
        "quantity_used": D(used),
        "quantity_included": D(included),
        "quantity_billed": D(billed),
        "unit_price": D(price),
        "amount": D(amount),
        "amount_precise": D(precise),
        "currency": "CAD",
    }


def lines_of(month: dt.date) -> list[dict[str, object]]:
    """Six lines: nexacloud 2.59 + 0.60, nexadesk 39.60 + 1.20, nexamaps 5.40 − 0.80 = 48.59."""
    cloud, desk, maps = "nexacloud:a", "nexadesk:b", "nexamaps:c"
    mid = (month - dt.timedelta(days=1)).replace(day=17)  # ends on the 16th of the month
    maps_used, maps_billed = "12345.678901234567", "2345.678901234567"
    return [
        line(maps, "maps_growth/map_loads", mid, maps_used, "10000", maps_billed, "0.0023",
             "5.3950614728395041", "5.40"),
        line(cloud, "cloud_s/compute_hours", month, "130.5", "100", "30.5", "0.085",
             "2.5925", "2.59"),
        line(cloud, "cloud_s/storage_gb", month, "25", "20", "5", "0.12", "0.6", "0.60"),
        line(desk, "desk_team/messages", month, "4300", "1000", "3300", "0.012", "39.6", "39.60"),
        line(desk, "desk_team/messages", month, "100", "0", "100", "0.012", "1.2", "1.20",
             "late_usage"),
        line(maps, "maps_growth/geocodes", mid, "-200", "0", "-200", "0.004", "-0.8", "-0.80",
             "correction"),
    ]  # fmt: skip


def _margin(month: dt.date) -> list[dict[str, object]]:
    """Accrued: of the maps' period that began in the month before, 1.10 lies in this one."""
    rows = [
        (None, None, None, "0", "250.00", "0"),  # consulting, of no service
        ("nexamaps", None, None, "0", "0", "2.00"),  # a cost no account caused
        ("nexamaps", "nexamaps:acct_1", "map_loads", "1.10", "0", "60.00"),
        ("nexamaps", "nexamaps:acct_1", None, "0", "49.00", "0"),
        ("nexadesk", "nexadesk:acct_1", None, "0", "29.00", "0"),
        ("nexadesk", "nexadesk:acct_1", "messages", "40.80", "0", "12.35"),
        ("nexacloud", "nexacloud:acct_1", "storage_gb", "0.60", "0", "0"),
        ("nexacloud", "nexacloud:acct_1", "compute_hours", "2.59", "19.00", "7.41"),
    ]
    out: list[dict[str, object]] = []
    for service, account, metric, usage, base, cogs in rows:
        revenue = D(usage) + D(base)
        margin = revenue - D(cogs)
        out.append(
            {
                "month": month,
                "service_code": service,
                "account_key": account,
                "plan_code": f"{service}_plan" if account else None,
                "metric_code": metric,
                "usage_revenue": D(usage),
                "base_revenue": D(base),
                "revenue": revenue,
                "cogs": D(cogs),
                "margin": margin,
                "margin_pct": round(100 * margin / revenue, 2) if revenue else None,
                "invoiced_usage": D(0),
                "invoiced_base": D(base),
                "invoiced_revenue": D(base),
                "invoiced_margin": D(base) - D(cogs),
                "currency": "CAD",
            }
        )
    return out


def _reconciliation(month: dt.date) -> list[dict[str, object]]:
    rows = [
        ("nexacloud:a", "cloud_s/compute_hours", "match", None, "2.59", "2.59"),
        ("nexamaps:c", "maps_growth/map_loads", "not_compared", None, None, "5.40"),
        ("nexadesk:b", "desk_team/messages", "difference", "late_usage", "39.60", "40.80"),
        ("nexacloud:a", "cloud_s/storage_gb", "difference", "rounding", "0.61", "0.60"),
    ]
    return [
        {
            "reconciliation_key": f"{subscription}:{charge}:{month}",
            "service_code": subscription.split(":")[0],
            "account_key": f"{subscription.split(':')[0]}:acct_1",
            "subscription_key": subscription,
            "metric_code": charge.split("/")[1],
            "charge_key": charge,
            "period_start": month,
            "period_end": next_month(month),
            "currency": "CAD",
            "app_quantity": D("130.5"),
            "platform_quantity": D("130.5"),
            "odoo_quantity": None,
            "app_amount": None if app is None else D(app),
            "platform_amount": D(platform),
            "odoo_amount": D(platform),
            "app_delta": None if app is None else D(app) - D(platform),
            "odoo_delta": D(0),
            "status": status,
            "reason": reason,
            "detail": "=1+1" if reason == "rounding" else None,
        }
        for subscription, charge, status, reason, app, platform in rows
    ]


def _conservation(month: dt.date) -> list[dict[str, object]]:
    rows = [
        ("nexadesk", "messages", "billed", 30, "3300", 45, "4400"),
        ("nexadesk", "messages", "included", 10, "1000", 45, "4400"),
        ("nexadesk", "messages", "late", 5, "100", 45, "4400"),
        ("nexacloud", "compute_hours", "billed", 28, "30.5", 56, "130.5"),
        ("nexacloud", "compute_hours", "included", 28, "100", 56, "130.5"),
    ]
    return [
        {
            "service_code": service,
            "metric_code": metric,
            "month": month,
            "bucket": bucket,
            "counters": counters,
            "quantity": D(quantity),
            "raw_counters": raw_counters,
            "raw_quantity": D(raw),
            "counters_difference": 0,
            "quantity_difference": D(0),
        }
        for service, metric, bucket, counters, quantity, raw_counters, raw in rows
    ]


@dataclass(frozen=True)
class World:
    """A database with the marts of one month, and its neighbours, which belong in no file."""

    engine: Engine

    def run(self, statement: str, **values: object) -> None:
        with self.engine.begin() as connection:
            connection.execute(sa.text(statement), values)

    def query(self, statement: str, **values: object) -> list[tuple[object, ...]]:
        with self.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(sa.text(statement), values)]

    def insert(self, mart: str, rows: list[dict[str, object]]) -> None:
        names = list(rows[0])
        statement = f"insert into marts.{mart} ({', '.join(names)}) values (:{', :'.join(names)})"
        with self.engine.begin() as connection:
            connection.execute(sa.text(statement), rows)

    def add_lines(self, lines: list[dict[str, object]]) -> None:
        """Lines as the mart has them once they are pushed, invoiced and mirrored."""
        fate = {
            "run_id": 1,
            "billed_at": dt.datetime(2026, 3, 3, 5, 0, 0, 123456, tzinfo=dt.UTC),
            "push_state": "verified",
            "push_reason": None,
            "odoo_order_id": 41,
            "odoo_line_id": 412,
            "odoo_tax": D("0.13"),
            "odoo_invoice_id": 7,
            "odoo_invoice_name": "INV/2026/00007",
            "odoo_invoice_state": "posted",
            "odoo_payment_state": "paid",
        }
        rows = [{**row, **fate, "odoo_subtotal": row["amount"]} for row in lines]
        self.insert("fct_billed_lines", rows)

    def rate(self, lines: list[dict[str, object]]) -> None:
        names = ("service_code", "period_end", "amount", "currency")
        self.insert("fct_rated_lines", [{name: row[name] for name in names} for row in lines])

    def fill(self, month: dt.date) -> None:
        self.add_lines(lines_of(month))
        self.rate(lines_of(month))
        self.insert("fct_margin_monthly", _margin(month))
        self.insert("fct_reconciliation", _reconciliation(month))
        self.insert("fct_usage_conservation", _conservation(month))

    def bill(
        self,
        lines: list[dict[str, object]],
        *,
        verified: bool = True,
        phase: str = "live",
        state: str = "verified",
        order: int = 41,
    ) -> None:
        """Appends `lines` to the ledger, as a billing run and a push would; their services are in
        `phase` where nothing is decided on them yet."""
        with self.engine.begin() as connection:
            for code in sorted({str(row["service_code"]) for row in lines}):
                connection.execute(sa.text(_DECIDED), {"code": code, "phase": phase})
            run = connection.execute(
                sa.insert(billing_run)
                .values(
                    run_date=dt.date(2026, 3, 3),
                    build_id="test",
                    high_water_xid="100",
                    catalog_sha256="",
                    code_version="test",
                    lines=len(lines),
                    adjustments=0,
                    amount=0,
                    lines_sha256="",
                )
                .returning(billing_run.c.run_id)
            ).scalar_one()
            connection.execute(
                sa.insert(billed_line),
                [{**row, "run_id": run, "odoo_order_id": 41} for row in lines],
            )
            if verified:
                connection.execute(
                    sa.insert(odoo_push),
                    [
                        {"line_key": row["line_key"], "state": state, "odoo_order_id": order}
                        for row in lines
                    ],
                )
