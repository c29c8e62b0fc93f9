"""Puts planted cases into a warehouse as they come in: Odoo's records as the mirror leaves them,
counters as the endpoint stores them, the ledger by real billing runs, the app's invoices as an
import does."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
from psycopg.types.json import Jsonb
from reconciled_cases import (
    CLEAN,
    FEE,
    FORMER_PRICES,
    LOADS,
    MESSAGES,
    MINIMUM,
    OLD_QUOTA,
    PHASES,
    PLANTED,
    PRICE,
    QUOTA,
    ROUTES,
    TAX,
    TIER,
    TIER_PRICES,
    Row,
    app_lines,
    cents,
    clean_loads,
    local,
)

from exports.billing_run import bill
from exports.line_form import Precision, line_form
from warehouse.dbt_project import run_dbt
from warehouse.engine import make_engine
from warehouse.settings import Settings

D = Decimal
Record = dict[str, Any]
CAD, USD = 4, 2
WRONG_PLAN = "wrong"
# Of a run by hand: what had ended by then, September included.
RUN_DATE = date(2026, 10, 5)


class Reconciled:
    """A warehouse of these rows, rated, billed, pushed, invoiced and imported; not yet compared."""

    def __init__(self, database_url: str, folder: Path, rows: Sequence[Row]) -> None:
        self.url = database_url
        self.settings = Settings(_env_file=None, fusion_home=folder)
        self.rows = rows
        with psycopg.connect(database_url) as connection:
            _settle(connection, rows)
            _count(connection, "on time", _counters(rows))
        self._rate_and_bill()
        with psycopg.connect(database_url) as connection:
            _correct_plans(connection)
            _count(connection, "late", _late_counters(rows))
        self._rate_and_bill()
        with psycopg.connect(database_url) as connection:
            _invoice(connection, rows)
            import_app(connection, rows)

    def _rate_and_bill(self) -> None:
        run_dbt(self.url, self.settings, "run", "--quiet", "--select", "+tag:rating")
        engine = make_engine(self.url)
        bill(engine, self.settings, run_date=RUN_DATE)
        engine.dispose()

    def reconcile(self, models: str = "fqn:*") -> None:
        """The build of finance's models, or of some of them, the snapshot included."""
        self._finance("build", models, "--exclude-resource-type", "test")

    def build(self, models: str) -> None:
        """The same with its tests; raises DbtBuildError with those that fail."""
        self._finance("build", models)

    def hold(self) -> None:
        """All tests of finance's models; raises DbtBuildError with those that fail."""
        self._finance("test", "fqn:*")

    def _finance(self, command: str, models: str, *arguments: str) -> None:
        run_dbt(
            self.url,
            self.settings,
            *(command, "--quiet", "--select", models, "--exclude", "+tag:rating"),
            *("--exclude-resource-type", "unit_test", *arguments),
        )

    def differences(self) -> dict[tuple[str, str, date], str]:
        """(subscription, metric or base_fee, first day) → reason."""
        with psycopg.connect(self.url) as connection:
            found = connection.execute(
                "select subscription_key, coalesce(metric_code, item_type), period_start, reason"
                " from marts.fct_reconciliation where status = 'difference'"
            ).fetchall()
        return {(key, item, start): reason for key, item, start, reason in found}


def _mirror(connection: psycopg.Connection, table: str, records: Iterable[Record]) -> None:
    connection.cursor().executemany(
        f"insert into raw.odoo_{table} (id, write_date, record)"
        " values (%s, '2026-10-05T00:00Z', %s)",
        [(record["id"], json.dumps(record, default=str)) for record in records],
    )


def _settle(connection: psycopg.Connection, rows: Sequence[Row]) -> None:
    for service, phase in PHASES.items():
        connection.execute("insert into ops.service (service_code, name) values (%s, %s)",
                           [service, service])  # fmt: skip
        connection.execute(
            "insert into ops.cutover (service_code, phase, changed_by) values (%s, %s, 'test')",
            [service, phase],
        )
    _mirror(connection, "currency", [{"id": CAD, "name": "CAD"}, {"id": USD, "name": "USD"}])
    _mirror(
        connection,
        "currency_rate",
        [{"id": 1, "name": "2026-01-01", "rate": 0.7, "currency_id": USD}],
    )
    month = {"id": 1, "name": "Monthly", "billing_period_value": 1, "billing_period_unit": "month"}
    _mirror(connection, "plan", [month])
    base = {"id": 1, "name": "Base", "recurring_invoice": True, "invoice_policy": "order"}
    usage = {"id": 2, "name": "Usage", "recurring_invoice": False, "invoice_policy": "delivery"}
    _mirror(connection, "product", [base, usage])
    metrics = [
        {"id": number, "x_code": code, "x_name": code, "x_aggregation": "sum"}
        for number, code in enumerate((LOADS, MESSAGES, ROUTES), 1)
    ]
    _mirror(connection, "metric", metrics)
    charge = {"x_plan_code": "p", "x_currency": "CAD", "x_product_id": 2}
    wrong = {"x_plan_code": WRONG_PLAN}
    loads = charge | {
        "x_code": LOADS,
        "x_name": LOADS,
        "x_metric_id": 1,
        "x_charge_model": "standard",
        "x_unit_price": str(PRICE),
    }
    tiered = charge | {
        "x_code": MESSAGES,
        "x_name": MESSAGES,
        "x_metric_id": 2,
        "x_charge_model": "graduated",
    }
    _mirror(
        connection,
        "charge",
        [
            loads | {"id": 1, "x_included": str(QUOTA), "x_valid_from": "2026-01-01"},
            loads
            | {
                "id": 3,
                "x_included": str(OLD_QUOTA),
                "x_valid_from": "2025-01-01",
                "x_valid_to": "2025-12-31",
            },
            *(
                loads
                | {
                    "id": 2000 + year,
                    "x_included": str(QUOTA),
                    "x_unit_price": str(price),
                    "x_valid_from": f"20{year}-01-01",
                    "x_valid_to": f"20{year}-12-31",
                }
                for year, price in enumerate(FORMER_PRICES, 21)
            ),
            tiered | {"id": 2},
            loads | wrong | {"id": 4, "x_included": "0"},
            tiered | wrong | {"id": 5},
            charge
            | {
                "id": 6,
                "x_code": "minimum_commitment",
                "x_name": "Minimum",
                "x_charge_model": "minimum_commitment",
                "x_min_amount": str(MINIMUM),
            },
        ],
    )
    steps = ("0", str(TIER), TIER_PRICES[0]), (str(TIER), False, TIER_PRICES[1])
    tiers = [
        {"x_charge_id": of, "x_from": start, "x_to": end, "x_unit_price": str(price)}
        for of in (2, 5)
        for start, end, price in steps
    ]
    _mirror(
        connection,
        "charge_tier",
        [tier | {"id": number, "x_flat_amount": "0"} for number, tier in enumerate(tiers, 1)],
    )
    accounts = {(row.service, row.account): row.number for row in rows if not row.has("unlinked")}
    _mirror(connection, "partner", [{"id": row.number, "name": row.account} for row in rows])
    _mirror(
        connection,
        "account_link",
        [
            {
                "id": partner,
                "x_service_code": service,
                "x_external_account_id": account,
                "x_partner_id": partner,
            }
            for (service, account), partner in accounts.items()
        ],
    )
    _mirror(
        connection,
        "subscription",
        [
            {
                "id": row.number,
                "name": f"S{row.number:05}",
                "state": "sale",
                "subscription_state": "3_progress",
                "partner_id": accounts.get((row.service, row.account), row.number),
                "plan_id": 1,
                "start_date": "2026-08-01",
                "next_invoice_date": "2026-11-01",
                "x_fc_service_code": row.service,
                "x_fc_external_id": row.subscription,
                "x_fc_external_account_id": row.account,
                "x_fc_plan_code": WRONG_PLAN if row.replanned else "p",
                "x_fc_billing_time": "calendar",
            }
            for row in rows
            if not row.has("fee_no_order")
        ],
    )
    fee = {"product_id": 1, "product_uom_qty": 1, "price_unit": str(FEE), "discount": 0}
    fees = [
        fee | {"id": row.number, "order_id": row.number, "qty_delivered": 0, "name": "Base"}
        for row in rows
        if row.has_order_fee and not row.has("fee_no_order")
    ]
    _mirror(connection, "base_line", fees)
    _mirror(connection, "order_line", fees)


def _correct_plans(connection: psycopg.Connection) -> None:
    connection.execute(
        "update raw.odoo_subscription set write_date = '2026-10-06T00:00Z',"
        ' record = record || \'{"x_fc_plan_code": "p"}\''
        " where record ->> 'x_fc_plan_code' = %s",
        [WRONG_PLAN],
    )


Counter = tuple[Row, str, datetime, Decimal]


def _counters(rows: Sequence[Row]) -> Iterator[Counter]:
    for row in rows:
        if row.has("fee_no_order"):
            continue
        early, late = row.edge
        yield row, LOADS, local(date(2026, 8, 10), 9), clean_loads(row) - early + row.back
        yield row, LOADS, local(date(2026, 8, 31), 21), early
        yield row, LOADS, local(date(2026, 9, 10), 9), row.used - row.late - late
        yield row, LOADS, local(date(2026, 9, 30), 21), late
        for month in (CLEAN, PLANTED):
            yield row, MESSAGES, local(month + timedelta(days=14), 12), row.messages


def _late_counters(rows: Sequence[Row]) -> Iterator[Counter]:
    for row in rows:
        if row.has("fee_no_order"):
            continue
        # The ledger credits what the app never billed.
        yield row, LOADS, local(date(2026, 8, 20), 9), -row.back
        if row.late:
            yield row, LOADS, local(date(2026, 9, 20), 9), row.late


def _count(connection: psycopg.Connection, batch: str, counters: Iterable[Counter]) -> None:
    ids = {
        service: connection.execute(
            "insert into raw.ingest_batch (service_code, counters) values (%s, 1)"
            " returning batch_id",
            [service],
        ).fetchone()
        for service in PHASES
    }
    connection.cursor().executemany(
        "insert into raw.usage_counter (service_code, external_subscription_id, transaction_id,"
        " batch_id, code, kind, window_start, window_end, value, payload_hash)"
        " values (%s, %s, %s, %s, %s, 'delta', %s, %s, %s, '')",
        [
            (
                *(row.service, row.subscription, f"{batch}/{row.number}/{number}"),
                *((ids[row.service] or [None])[0], code),
                *(start, start + timedelta(hours=1), value),
            )
            for number, (row, code, start, value) in enumerate(counters)
        ],
    )


# --- what Odoo has -------------------------------------------------------------------------------


def _invoice(connection: psycopg.Connection, rows: Sequence[Row]) -> None:
    """The ledger's lines on their orders, invoiced where the service is live; base fees too."""
    by_key = {row.key: row for row in rows}
    ledger = connection.execute(
        "select line_key, subscription_key, metric_code, period_start, quantity_billed, unit_price,"
        " amount, odoo_order_id, reason from ops.billed_line order by line_key"
    ).fetchall()
    orders: list[Record] = []
    books = _Books()
    first_id = len(rows) + 1
    for number, (key, subscription, metric, start, quantity, price, amount, order, _) in enumerate(
        ledger, first_id
    ):
        row = by_key[subscription]
        planted = metric == LOADS and start == PLANTED
        if PHASES[row.service] == "shadow" or (planted and row.has("not_in_odoo")):
            continue
        form = line_form(quantity, price, amount, Precision(quantity=12, price=12))
        edited = form.quantity * (2 if planted and row.has("line_edited") else 1)
        drafted = PHASES[row.service] == "dual_run"
        orders.append(
            {
                "id": number,
                "order_id": order,
                "product_id": 2,
                "name": key,
                "discount": 0,
                "product_uom_qty": float(edited) if drafted else 0,
                "qty_delivered": 0 if drafted else float(edited),
                "price_unit": float(form.price),
                "x_fc_line_key": key,
                # What Odoo computes of the ordered quantity.
                "x_fc_dual_run": drafted,
                "price_subtotal": str(cents(edited * form.price) if drafted else 0),
                "price_tax": str(cents(cents(edited * form.price) * TAX) if drafted else 0),
            }
        )
        if drafted:
            continue
        net = cents(edited * form.price)
        altered = D("1.50") if planted and row.has("invoice_altered") else D(0)
        currency = USD if planted and row.has("odoo_currency") else CAD
        books.line(number, subscription, start, net - altered, currency)
        if start == CLEAN and row.number % 3 == 0:
            # Credited, and invoiced again: nothing differs.
            books.line(number, subscription, start, net, currency, refund=True)
            books.line(number, subscription, start, net, currency)
        if planted and row.has("odoo_credit"):
            books.line(number, subscription, start, D("1.50"), CAD, refund=True)
    for row in rows:
        if PHASES[row.service] != "live":
            continue
        for month in (CLEAN, PLANTED):
            if row.has("fee_no_order") or (month == PLANTED and row.has("fee_not_in_odoo")):
                continue
            tax = D("1.45") if month == PLANTED and row.has("fee_tax") else None
            books.line(row.number, row.key, month, FEE, CAD, tax=tax)
            if month == PLANTED and row.has("fee_credit"):
                books.line(row.number, row.key, month, D("10.00"), CAD, refund=True)
    _mirror(connection, "order_line", orders)
    _mirror(connection, "invoice", books.invoices)
    _mirror(connection, "invoice_line", books.lines)


class _Books:
    """Odoo's invoices: one a line, for the amounts are what matters here."""

    def __init__(self) -> None:
        self.invoices: list[Record] = []
        self.lines: list[Record] = []

    def line(
        self,
        order_line: int,
        subscription: str,
        day: date,
        net: Decimal,
        currency: int,
        *,
        refund: bool = False,
        tax: Decimal | None = None,
    ) -> None:
        """`net` as billed, of a credit note as credited: a negative invoice is a credit note."""
        number = len(self.invoices) + 1
        move_type = "out_refund" if refund != (net < 0) else "out_invoice"
        net = abs(net)
        tax = cents(net * TAX) if tax is None else tax
        self.invoices.append(
            {
                "id": number,
                "name": f"INV/{number}",
                "state": "posted",
                "move_type": move_type,
                "reversed_entry_id": number - 1 if refund else False,
                "invoice_date": day + timedelta(days=20) if refund else day,
                "currency_id": currency,
                "amount_untaxed": str(net),
                "amount_tax": str(tax),
                "amount_total": str(net + tax),
            }
        )
        self.lines.append(
            {
                "id": number,
                "move_id": number,
                "product_id": 2,
                "name": subscription,
                "sale_line_ids": [order_line],
                "quantity": 1,
                "price_unit": str(net),
                "price_subtotal": str(net),
                "price_total": str(net + tax),
            }
        )


def import_app(connection: psycopg.Connection, rows: Sequence[Row]) -> None:
    """The app's invoices, one version of each."""
    invoices: dict[str, tuple[Any, ...]] = {}
    lines = []
    for row in rows:
        billed = list(enumerate(app_lines(row)))
        for number, line in billed:
            invoice = f"{row.key}/{line.invoice}/{line.currency}"
            corrects, start, end, payload = None, line.start, line.end, {}
            if line.kind == "credit_note":
                # As Lago's credit of a commitment: it names the fee, and no dates.
                corrects, start, end = f"{row.key}/1/{line.currency}", None, None
                fee = next(
                    n for n, of in billed if (of.metric, of.start) == (line.metric, line.start)
                )
                payload = {"fee": {"lago_id": str(fee)}}
            invoices[invoice] = (
                *(invoice, line.kind, row.service, row.account, line.currency),
                corrects,
            )
            lines.append(
                (
                    *(invoice, str(number), row.service, row.account, row.subscription),
                    *(line.item_type, line.metric, start, end, line.quantity),
                    *(line.amount, line.discount, line.is_proration, line.tax, line.currency),
                    Jsonb(payload),
                )
            )
    connection.cursor().executemany(
        "insert into raw.app_invoice (source, external_invoice_id, version, kind, service_code,"
        " external_account_id, status, is_billed, currency, corrects_invoice_id, content_sha256,"
        " payload, file)"
        " values ('lago', %s, 1, %s, %s, %s, 'finalized', true, %s, %s, '', '{}', 'test')",
        list(invoices.values()),
    )
    connection.cursor().executemany(
        "insert into raw.app_billing_line (source, external_invoice_id, version, external_line_id,"
        " service_code, external_account_id, external_subscription_id, item_type, metric_code,"
        " period_from, period_to, quantity, amount, discount_amount, is_proration, tax_amount,"
        " currency, status, payload, file) values ('lago', %s, 1, %s, %s, %s, %s, %s, %s, %s, %s,"
        " %s, %s, %s, %s, %s, %s, 'finalized', %s, 'test')",
        lines,
    )
