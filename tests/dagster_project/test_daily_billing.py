"""`daily_billing` on a world made by hand: one subscription, one charge, one counter."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal

import dagster as dg
import psycopg
import pytest
from small_world import MONTH, PRICE, TODAY, add_messages, fill

from odoo_gateway.bootstrap import bootstrap
from odoo_gateway.client import OdooClient
from odoo_gateway.connect import connect
from sandbox.odoo.launch import running_double


@pytest.fixture(scope="module")
def odoo(defs: dg.Definitions, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OdooClient]:
    """An Odoo with one subscription, and settings that name it."""
    state = tmp_path_factory.mktemp("odoo") / "odoo.sqlite"
    with running_double(state) as url, pytest.MonkeyPatch.context() as patched:
        patched.setenv("ODOO_URL", url)
        patched.setenv("ODOO_API_KEY", "admin")
        client = connect(url, "odoo", "admin", "admin")
        bootstrap(client)
        fill(client)
        yield client


@pytest.fixture(scope="module")
def counter(dagster_database_url: str) -> None:
    with psycopg.connect(dagster_database_url) as connection:
        connection.execute("insert into ops.service (service_code, name) values ('nexadesk', 'D')")
        connection.execute(
            "insert into ops.cutover (service_code, phase, changed_by)"
            " values ('nexadesk', 'live', 'test')"
        )
    add_messages(dagster_database_url, "t1", 1500)


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


def usage_lines(odoo: OdooClient) -> list[dict[str, object]]:
    return odoo.search_read(
        "sale.order.line", [("x_fc_line_key", "!=", False)], ["qty_delivered", "price_unit"]
    )


@pytest.mark.usefixtures("counter")
def test_a_failed_test_of_dbt_stops_the_run_before_the_ledger(
    defs: dg.Definitions, odoo: OdooClient, dagster_database_url: str
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
    billed = run(defs)
    assert billed.success
    # This Odoo has no model of provider costs: said, and no reason not to bill.
    (costs,) = billed.asset_materializations_for_node("odoo__provider_costs")
    assert "Set FUSION_API_MODEL" in str(costs.metadata["skipped"].value)
    assert ledger(dagster_database_url) == [
        ("desk_team/messages", MONTH, Decimal(500), Decimal("6.00"))
    ]
    (line,) = usage_lines(odoo)
    assert Decimal(str(line["qty_delivered"])) * Decimal(str(line["price_unit"])) == Decimal("6")
