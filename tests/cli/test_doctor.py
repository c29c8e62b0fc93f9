"""`fusion-billing doctor`: every check can be good and can be bad, and says what to do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from command_line import environment, fusion_billing

from cli import doctor, doctor_odoo, doctor_warehouse
from cli.findings import Finding, Status
from odoo_gateway.bootstrap import bootstrap
from odoo_gateway.client import OdooClient
from odoo_gateway.connect import connect
from odoo_gateway.errors import OdooRefusedError
from warehouse.settings import FusionEnv, Settings

CHECKS = [
    "settings",
    "environment",
    "database",
    "durability",
    "migrations",
    "roles",
    "transaction ids",
    "services",
    "dbt",
    "dbt project",
    "Odoo",
    "Odoo edition",
    "Odoo fields",
    "Odoo precision",
    "Odoo currency",
    "Odoo taxes",
    "Odoo products",
    "Odoo rights",
    "Odoo journals",
    "Odoo subscriptions",
]


@pytest.fixture(scope="module")
def settings(home: Path, database_url: str, odoo_url: str) -> Settings:
    return Settings(
        fusion_home=home,
        database_url=database_url,
        odoo_url=odoo_url,
        odoo_api_key="admin",
        # Tests' servers do without fsync, which is no fault in CI alone.
        fusion_env=FusionEnv.CI,
        _env_file=None,
    )


@pytest.fixture(scope="module")
def odoo(odoo_url: str) -> OdooClient:
    """The module's Odoo, bootstrapped, with one usage product and one charge at 0.50."""
    client = connect(odoo_url, "odoo", "admin", "admin")
    bootstrap(client)
    (metric,) = client.create(
        "x_fc_metric", [{"x_name": "Loads", "x_code": "map_loads", "x_aggregation": "sum"}]
    )
    (product,) = client.create(
        "product.product",
        [{"name": "Map loads", "type": "service", "invoice_policy": "delivery"}],
    )
    client.create(
        "x_fc_charge",
        [
            {
                "x_name": "Map loads",
                "x_code": "map_loads",
                "x_plan_code": "maps_growth",
                "x_metric_id": metric,
                "x_charge_model": "standard",
                "x_unit_price": "0.50",
                "x_currency": "CAD",
                "x_product_id": product,
            }
        ],
    )
    return client


@pytest.fixture
def connection(database_url: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield connection


def odoo_finding(settings: Settings, check: str) -> Finding:
    (found,) = [each for each in doctor_odoo.findings(settings) if each.check == check]
    return found


def warehouse_finding(settings: Settings, check: str) -> Finding:
    (found,) = [each for each in doctor_warehouse.findings(settings) if each.check == check]
    return found


def test_before_bootstrap_the_fields_are_missing(settings: Settings) -> None:
    found = odoo_finding(settings, "Odoo fields")
    assert found.status is Status.FAILED
    assert found.found.startswith("missing: field sale.order.x_fc_service_code")
    assert found.next == "Run `fusion-billing odoo bootstrap`."
    # The catalogue cannot be read yet, and that is no second failure.
    assert odoo_finding(settings, "Odoo precision").status is Status.OK
    assert odoo_finding(settings, "Odoo products").status is Status.WARNING


def test_all_is_well_and_the_stand_in_is_told_from_enterprise(
    env: dict[str, str], odoo_url: str, odoo: OdooClient, connection: psycopg.Connection
) -> None:
    connection.execute("insert into ops.service (service_code, name) values ('nexamaps', 'N')")
    connection.execute(
        "insert into ops.api_key (service_code, sha256, hint) values ('nexamaps', '1', 'abcd')"
    )
    given = {**env, "ODOO_URL": odoo_url, "ODOO_API_KEY": "admin", "FUSION_ENV": "ci"}
    told = fusion_billing("doctor", "--format", "json", env=given)
    findings = told.json()
    assert [each["check"] for each in findings] == CHECKS
    assert [each["check"] for each in findings if each["status"] != "ok"] == ["Odoo edition"]
    assert (told.status, told.stderr) == (0, "")


def test_what_is_away_fails_in_one_line_and_the_rest_is_checked(home: Path) -> None:
    told = fusion_billing(
        "doctor",
        "--format",
        "json",
        env=environment(
            home,
            DATABASE_URL="postgresql://127.0.0.1:1/warehouse",
            ODOO_URL="http://127.0.0.1:1",
            ODOO_API_KEY="x",
        ),
    )
    assert told.status == 1
    assert {each["check"]: each["status"] for each in told.json()} == {
        "settings": "ok",
        "environment": "ok",
        "database": "failed",
        "dbt": "ok",
        "dbt project": "ok",
        "Odoo": "failed",
    }


def test_settings_that_cannot_be_read_are_a_failed_check(home: Path) -> None:
    told = fusion_billing("doctor", "--format", "json", env=environment(home, FUSION_ENV="prod"))
    assert (told.status, told.stderr) == (1, "")
    (found,) = told.json()
    assert (found["check"], found["status"]) == ("settings", "failed")
    assert found["found"].startswith("FUSION_ENV: Input should be 'dev', 'ci' or 'production'")


def test_no_odoo_is_a_warning(settings: Settings) -> None:
    (found,) = doctor_odoo.findings(settings.model_copy(update={"odoo_url": None}))
    assert (found.status, found.found) == (Status.WARNING, "ODOO_URL is not set")


def test_an_unmigrated_warehouse_is_one_failure(settings: Settings, unmigrated_url: str) -> None:
    elsewhere = settings.model_copy(update={"database_url": unmigrated_url})
    found = {each.check: each.status for each in doctor_warehouse.findings(elsewhere)}
    assert found == {
        "database": Status.OK,
        "durability": Status.OK,
        "migrations": Status.FAILED,
    }


def test_batches_of_another_cluster_are_named(
    settings: Settings, connection: psycopg.Connection
) -> None:
    """After dump and restore elsewhere, ids above the new cluster's stay above every snapshot."""
    connection.execute(
        "insert into raw.ingest_batch (xid, service_code, counters) values ('4000000000', 'x', 1)"
    )
    found = warehouse_finding(settings, "transaction ids")
    (_, advice) = found.next.split(": ", 1)
    mended = connection.execute(advice.split(";")[0])
    assert mended.rowcount == 1
    assert found.status is Status.FAILED
    assert found.found.startswith("1 batches of counters carry transaction ids up to 4000000000")
    assert "builds would not see them" in found.found
    assert warehouse_finding(settings, "transaction ids").status is Status.OK
    connection.execute("delete from raw.ingest_batch where service_code = 'x'")


def test_a_database_that_forgets_in_a_crash_fails(
    settings: Settings, connection: psycopg.Connection
) -> None:
    name = connection.info.dbname
    connection.execute(f'alter database "{name}" set synchronous_commit = off')
    found = warehouse_finding(settings, "durability")
    connection.execute(f'alter database "{name}" reset synchronous_commit')
    assert found.status is Status.FAILED
    assert "acknowledged" in found.found
    assert warehouse_finding(settings, "durability").status is Status.OK


@pytest.mark.parametrize(
    ("commit", "fsync", "env", "status"),
    [
        ("on", "on", FusionEnv.PRODUCTION, Status.OK),
        ("remote_apply", "on", FusionEnv.PRODUCTION, Status.OK),
        ("off", "on", FusionEnv.CI, Status.FAILED),
        ("on", "off", FusionEnv.CI, Status.OK),
        ("on", "off", FusionEnv.DEV, Status.FAILED),
        ("on", "off", FusionEnv.PRODUCTION, Status.FAILED),
    ],
)
def test_acknowledged_means_durable(
    commit: str, fsync: str, env: FusionEnv, status: Status
) -> None:
    assert doctor_warehouse.durability(commit, fsync, env).status is status


def test_missing_roles_are_named(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor_warehouse, "ROLES", ("fusion_reader", "fusion_nobody"))
    found = warehouse_finding(settings, "roles")
    assert found.status is Status.FAILED
    assert found.found.startswith("missing: fusion_nobody;")


def test_a_service_without_a_valid_key_is_named(
    settings: Settings, connection: psycopg.Connection
) -> None:
    connection.execute("insert into ops.service (service_code, name) values ('asleep', 'A')")
    connection.execute(
        "insert into ops.api_key (service_code, sha256, hint, revoked_at)"
        " values ('asleep', '2', 'abcd', now())"
    )
    found = warehouse_finding(settings, "services")
    assert found.status is Status.WARNING
    assert "without a valid key: asleep" in found.found


NEXT = "Run the doctor once as the administrator who ran `fusion-billing odoo bootstrap`."


def test_what_only_an_administrator_reads_is_not_checked_and_no_failure(
    settings: Settings, odoo: OdooClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The user whom the doctor recommends failed the doctor: tests/contract/test_odoo_rights.py has
    that user on a real Odoo."""
    closed = {"ir.model.fields", "res.company"}

    class Limited:
        def __getattr__(self, name: str) -> Any:
            return getattr(odoo, name)

        def search_read(self, model: str, *args: Any, **kwargs: Any) -> Any:
            if model in closed:
                raise OdooRefusedError("You are not allowed", name="odoo.exceptions.AccessError")
            return odoo.search_read(model, *args, **kwargs)

        def fields_get(self, model: str) -> Any:
            known = odoo.fields_get(model)
            return {name: each for name, each in known.items() if name not in closed}

    monkeypatch.setattr(doctor_odoo, "connect_from", lambda *_args, **_kwargs: Limited())
    fields = odoo_finding(settings, "Odoo fields")
    assert (fields.status, fields.next) == (Status.WARNING, NEXT)
    assert "not checked" in fields.found
    taxes = odoo_finding(settings, "Odoo taxes")
    assert taxes.status is Status.WARNING
    assert taxes.found == "not checked: admin may not read what it looks at"
    closed.add("x_fc_line_key")
    missing = odoo_finding(settings, "Odoo fields")
    assert missing.status is Status.FAILED
    assert missing.found == "missing: field sale.order.line.x_fc_line_key"


def test_prices_finer_than_odoo_shows_are_named(settings: Settings, odoo: OdooClient) -> None:
    (charge,) = odoo.search_read("x_fc_charge", [], ["id"])
    (digits,) = odoo.search_read("decimal.precision", [("name", "=", "Product Price")], ["digits"])
    assert odoo_finding(settings, "Odoo precision").status is Status.OK
    odoo.write("x_fc_charge", [charge["id"]], {"x_unit_price": "0.0023"})
    found = odoo_finding(settings, "Odoo precision")
    assert found.status is Status.WARNING
    assert "Product Price 2 digits" in found.found
    assert "maps_growth/map_loads at 0.0023" in found.found
    odoo.write("decimal.precision", [digits["id"]], {"digits": 4})
    assert odoo_finding(settings, "Odoo precision").status is Status.OK


@pytest.mark.parametrize(
    ("code", "says"), [("USD", "does not keep its books in USD"), ("XXX", "XXX is not active")]
)
def test_another_currency_than_the_companys_fails(
    settings: Settings, odoo: OdooClient, code: str, says: str
) -> None:
    found = odoo_finding(settings.model_copy(update={"company_currency": code}), "Odoo currency")
    assert found.status is Status.FAILED
    assert says in found.found
    assert odoo_finding(settings, "Odoo currency").status is Status.OK


def test_without_hst_taxes_fail(settings: Settings, odoo: OdooClient) -> None:
    taxes = odoo.search_read("account.tax", [("name", "like", "HST")], ["id"])
    ids = [row["id"] for row in taxes]
    assert "13% HST" in odoo_finding(settings, "Odoo taxes").found
    odoo.write("account.tax", ids, {"active": False})
    found = odoo_finding(settings, "Odoo taxes")
    odoo.write("account.tax", ids, {"active": True})
    assert found.status is Status.FAILED
    assert "none of them HST" in found.found


@pytest.mark.parametrize(
    ("wrong", "right", "says"),
    [
        ({"recurring_invoice": True}, {"recurring_invoice": False}, "Map loads (recurring)"),
        (
            {"invoice_policy": "order"},
            {"invoice_policy": "delivery"},
            "Map loads (invoiced by ordered quantity)",
        ),
        ({"active": False}, {"active": True}, "Map loads (archived)"),
    ],
)
def test_a_usage_product_that_would_bill_wrongly_is_named(
    settings: Settings,
    odoo: OdooClient,
    wrong: dict[str, object],
    right: dict[str, object],
    says: str,
) -> None:
    (product,) = odoo.search_read("product.product", [("name", "=", "Map loads")], ["id"])
    odoo.write("product.product", [product["id"]], wrong)
    found = odoo_finding(settings, "Odoo products")
    odoo.write("product.product", [product["id"]], right)
    assert found.status is Status.FAILED
    assert says in found.found
    assert odoo_finding(settings, "Odoo products").status is Status.OK


def test_without_a_journal_for_sales_nothing_can_be_invoiced(
    settings: Settings, odoo: OdooClient
) -> None:
    ids = [row["id"] for row in odoo.search_read("account.journal", [("type", "=", "sale")], [])]
    odoo.write("account.journal", ids, {"active": False})
    found = odoo_finding(settings, "Odoo journals")
    odoo.write("account.journal", ids, {"active": True})
    assert found.status is Status.FAILED
    assert odoo_finding(settings, "Odoo journals").status is Status.OK


def test_orders_that_would_take_no_usage_are_counted(settings: Settings, odoo: OdooClient) -> None:
    """One is locked, one of a customer without an address, one is closed, as finance wants it."""
    (partner,) = odoo.create("res.partner", [{"name": "Somewhere"}])
    (province,) = odoo.search_read("res.country.state", [("code", "=", "ON")], ["country_id"])
    place = {"state_id": province["id"], "country_id": province["country_id"]}
    (at_home,) = odoo.create("res.partner", [{"name": "At home", **place}])
    orders = odoo.create(
        "sale.order",
        [
            {"partner_id": customer, "x_fc_external_id": f"doctor_{number}"}
            for number, customer in enumerate((partner, at_home, at_home, at_home))
        ],
    )
    odoo.call("sale.order", "action_confirm", orders)
    odoo.call("sale.order", "action_lock", [orders[1]])
    odoo.write("sale.order", [orders[2]], {"subscription_state": "6_churn"})
    found = odoo_finding(settings, "Odoo subscriptions")
    assert found.status is Status.WARNING
    assert found.found.startswith("2 of 4 would take no usage: 1 × ")
    assert "Somewhere has no country: complete the address" in found.next
    odoo.call("sale.order", "action_unlock", [orders[1]])
    odoo.call("sale.order", "action_cancel", [orders[0]])
    assert odoo_finding(settings, "Odoo subscriptions").status is Status.OK


@pytest.mark.parametrize(
    ("release", "status"),
    [("1.11.16", Status.OK), ("1.12.0", Status.FAILED), ("2.0.0b1", Status.FAILED)],
)
def test_dbt_1_12_is_refused(release: str, status: Status) -> None:
    assert doctor.dbt_version(release).status is status


@pytest.mark.parametrize(
    ("env", "url", "up", "status"),
    [
        (FusionEnv.DEV, "http://127.0.0.1:8069", True, Status.OK),
        (FusionEnv.PRODUCTION, "https://odoo.example.com", False, Status.OK),
        (FusionEnv.PRODUCTION, "http://odoo.example.com", False, Status.WARNING),
        (FusionEnv.PRODUCTION, "https://odoo.example.com", True, Status.FAILED),
    ],
)
def test_the_environments_rules(
    settings: Settings, env: FusionEnv, url: str, up: bool, status: Status
) -> None:
    given = settings.model_copy(update={"fusion_env": env, "odoo_url": url})
    assert doctor.environment(given, up_is_running=up).status is status
