"""A month of marts by hand: three services, a late line, a correction, a 17-digit quantity."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import sqlalchemy as sa
from finance_marts import (
    accounts,
    app_lines,
    conservation,
    margins,
    rated,
    reconciliation,
    services,
    staged,
)
from sqlalchemy.engine import Engine

from exports.finance.columns import MARTS as SHOWN
from warehouse.tables import billed_line, billing_run, odoo_push

D = Decimal


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


def write_manifest(path: Path) -> Path:
    """dbt's manifest.json, as far as it is read: a model, its columns, their descriptions."""
    nodes = {
        f"model.fusion.{mart.name}": {
            "resource_type": "model",
            "name": mart.name,
            "columns": {
                column.name: {"name": column.name, "description": f"What {column.name} is.\n"}
                for column in mart.table.columns
            },
        }
        for mart in SHOWN
    }
    nodes["test.fusion.unique"] = {"resource_type": "test", "name": "unique", "columns": {}}
    path.write_text(json.dumps({"nodes": nodes}))
    return path


@dataclass(frozen=True)
class World:
    """A database with the marts of one month, and its neighbours, which belong in no file."""

    engine: Engine
    manifest: Path

    def run(self, statement: str, **values: object) -> None:
        with self.engine.begin() as connection:
            connection.execute(sa.text(statement), values)

    def query(self, statement: str, **values: object) -> list[tuple[object, ...]]:
        with self.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(sa.text(statement), values)]

    def insert(self, table: str, rows: list[dict[str, object]]) -> None:
        names = list(rows[0])
        statement = f"insert into {table} ({', '.join(names)}) values (:{', :'.join(names)})"
        with self.engine.begin() as connection:
            connection.execute(sa.text(statement), rows)

    def add_lines(self, lines: list[dict[str, object]]) -> None:
        """Lines as the mart has them once they are pushed, invoiced and mirrored: the late one is
        not on an invoice yet, and somebody invoiced the storage five cents lower, on the invoice
        alone: its order says what the ledger says."""
        fate = {
            "run_id": 1,
            "billed_at": dt.datetime(2026, 3, 3, 5, 0, 0, 123456, tzinfo=dt.UTC),
            "push_state": "verified",
            "push_problem": None,
            "push_reason": None,
            "odoo_order_id": 41,
            "odoo_line_id": 412,
            "odoo_tax": D("0.13"),
            "odoo_invoice_id": 7,
            "odoo_invoice_name": "INV/2026/00007",
            "odoo_invoice_state": "posted",
            "odoo_payment_state": "paid",
        }
        rows: list[dict[str, object]] = [
            {**row, **fate, "odoo_subtotal": row["amount"], "odoo_invoiced": row["amount"]}
            for row in lines
        ]
        for row in rows:
            if row["reason"] == "late_usage":
                row.update(dict.fromkeys(n for n in row if n.startswith("odoo_invoice")))
                row["odoo_payment_state"] = None
            if row["charge_key"] == "cloud_s/storage_gb" and row["amount"] == D("0.60"):
                row["odoo_invoiced"] = D("0.55")
                row["push_problem"] = "invoiced_differently"
                row["push_reason"] = "invoiced 0.55, the ledger has 0.60"
        self.insert("marts.fct_billed_lines", rows)

    def earn(self, service: str, metric: str, month: dt.date, *, usage_revenue: Decimal) -> None:
        """More usage revenue of a service's account, in the margin and in its reports."""
        for mart, where in (
            ("fct_margin_monthly", " and metric_code = :metric"),
            ("rpt_margin_by_account", " and account_key is not null"),
            ("rpt_margin_by_service", ""),
        ):
            self.run(
                f"update marts.{mart} set usage_revenue = usage_revenue + :more,"
                " revenue = revenue + :more, margin = margin + :more"
                f" where service_code = :service and month = :month{where}",
                more=usage_revenue,
                service=service,
                month=month,
                **({"metric": metric} if "metric" in where else {}),
            )

    def fill(self, month: dt.date) -> None:
        self.add_lines(lines_of(month))
        self.insert("marts.fct_rated_lines", rated(lines_of(month)))
        self.insert("marts.fct_margin_monthly", margins(month))
        self.insert("marts.rpt_margin_by_account", accounts(month))
        self.insert("marts.rpt_margin_by_service", services(month))
        self.insert("marts.fct_reconciliation", reconciliation(month))
        self.insert("marts.fct_usage_conservation", conservation(month))
        for table, rows in (staged(month) | app_lines(month)).items():
            self.insert(table, rows)

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
                        {
                            "line_key": row["line_key"],
                            "state": state,
                            "odoo_order_id": order,
                            "subtotal": row["amount"],
                        }
                        for row in lines
                    ],
                )
