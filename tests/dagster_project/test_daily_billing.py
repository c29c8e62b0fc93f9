"""`daily_billing` on a world made by hand: one subscription, one charge, one counter."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import dagster as dg
import psycopg
import pytest

from odoo_gateway.bootstrap import bootstrap
from odoo_gateway.connect import connect
from odoo_gateway.odoorpc_client import OdooRpcClient
from sandbox.odoo.launch import running_double

TODAY = datetime.now(ZoneInfo("America/Toronto")).date()
# The month before the last: it has ended and outlived its grace whatever the day.
MONTH = ((TODAY.replace(day=1) - timedelta(days=1)).replace(day=1) - timedelta(days=1)).replace(
    day=1
)
PRICE = "0.012"


@pytest.fixture(scope="module")
def odoo(defs: dg.Definitions, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OdooRpcClient]:
    """An Odoo with one subscription, and settings that name it."""
    state = tmp_path_factory.mktemp("odoo") / "odoo.sqlite"
    with running_double(state) as url, pytest.MonkeyPatch.context() as patched:
        patched.setenv("ODOO_URL", url)
        patched.setenv("ODOO_API_KEY", "admin")
        client = connect(url, "odoo", "admin", "admin")
        bootstrap(client)
        _fill(client)
        yield client


def _fill(client: OdooRpcClient) -> None:
    def make(model: str, **values: object) -> int:
        return client.create(model, [values])[0]

    partner = make("res.partner", name="Maple Analytics", is_company=True)
    make(
        "x_fc_account_link",
        x_name="nexadesk:maple",
        x_service_code="nexadesk",
        x_external_account_id="maple",
        x_partner_id=partner,
    )
    metric = make("x_fc_metric", x_name="Messages", x_code="messages", x_aggregation="sum")
    product = make(
        "product.product", name="Messages", type="service", invoice_policy="delivery", sale_ok=True
    )
    make(
        "x_fc_charge",
        x_name="Messages",
        x_code="messages",
        x_plan_code="desk_team",
        x_metric_id=metric,
        x_charge_model="standard",
        x_unit_price=PRICE,
        x_included="1000",
        x_currency="CAD",
        x_product_id=product,
    )
    plan = make(
        "sale.subscription.plan",
        name="Monthly",
        billing_period_value=1,
        billing_period_unit="month",
    )
    order = make(
        "sale.order",
        partner_id=partner,
        plan_id=plan,
        x_fc_service_code="nexadesk",
        x_fc_external_id="maple-desk",
        x_fc_external_account_id="maple",
        x_fc_plan_code="desk_team",
        x_fc_billing_time="calendar",
    )
    client.call("sale.order", "action_confirm", [order])
    client.write("sale.order", [order], {"start_date": MONTH.isoformat()})


@pytest.fixture(scope="module")
def counter(dagster_database_url: str) -> None:
    """1,500 messages on the 10th of the month, as the endpoint would have stored them."""
    start = datetime.combine(MONTH + timedelta(days=9), datetime.min.time(), ZoneInfo("UTC"))
    with psycopg.connect(dagster_database_url) as connection:
        connection.execute("insert into ops.service (service_code, name) values ('nexadesk', 'D')")
        row = connection.execute(
            "insert into raw.ingest_batch (service_code, counters) values ('nexadesk', 1)"
            " returning batch_id"
        ).fetchone()
        assert row is not None
        connection.execute(
            "insert into raw.usage_counter (service_code, external_subscription_id,"
            " transaction_id, batch_id, code, kind, window_start, window_end, value, payload_hash)"
            " values ('nexadesk', 'maple-desk', 't1', %s, 'messages', 'delta', %s, %s, 1500, '')",
            [row[0], start, start + timedelta(hours=1)],
        )


def run(defs: dg.Definitions) -> dg.ExecuteInProcessResult:
    with dg.DagsterInstance.ephemeral() as instance:
        return defs.resolve_job_def("daily_billing").execute_in_process(
            instance=instance,
            run_config=dg.RunConfig(
                ops={"billing_run": {"config": {"run_date": TODAY.isoformat()}}},
                loggers={"console": {"config": {"log_level": "CRITICAL"}}},
            ),
            raise_on_error=False,
        )


def ledger(url: str) -> list[tuple[str, date, Decimal, Decimal]]:
    with psycopg.connect(url) as connection:
        return connection.execute(
            "select charge_key, period_start, quantity_billed, amount from ops.billed_line"
        ).fetchall()


def usage_lines(odoo: OdooRpcClient) -> list[dict[str, object]]:
    return odoo.search_read(
        "sale.order.line", [("x_fc_line_key", "!=", False)], ["qty_delivered", "price_unit"]
    )


@pytest.mark.usefixtures("counter")
def test_a_failed_test_of_dbt_stops_the_run_before_the_ledger(
    defs: dg.Definitions, odoo: OdooRpcClient, dagster_database_url: str
) -> None:
    """A charge without a price would rate usage at nothing. Once it has one, the same job bills:
    1,500 − 1,000 included = 500 messages at 0.012 are 6.00."""
    (charge,) = odoo.search_read("x_fc_charge", [], ["id"])
    odoo.write("x_fc_charge", [charge["id"]], {"x_unit_price": ""})

    stopped = run(defs)
    assert not stopped.success
    assert {event.step_key for event in stopped.all_events if event.is_step_failure} == {
        "rating_models"
    }
    failed = [
        check.asset_check_key.name
        for check in stopped.get_asset_check_evaluations()
        if not check.passed
    ]
    assert failed == ["not_null_stg_odoo__charges_unit_price"]
    assert ledger(dagster_database_url) == []
    assert usage_lines(odoo) == []

    odoo.write("x_fc_charge", [charge["id"]], {"x_unit_price": PRICE})
    assert run(defs).success
    assert ledger(dagster_database_url) == [
        ("desk_team/messages", MONTH, Decimal(500), Decimal("6.00"))
    ]
    (line,) = usage_lines(odoo)
    assert Decimal(str(line["qty_delivered"])) * Decimal(str(line["price_unit"])) == Decimal("6")
