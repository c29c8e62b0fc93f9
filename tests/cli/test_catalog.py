"""`catalog apply` and `catalog show`: from a file into Odoo, and its effect on the open period."""

from __future__ import annotations

from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path

import psycopg
import pytest
import yaml
from command_line import environment, fusion_billing
from small_world import MONTH, TODAY, ZONE, add_messages, fill

from odoo_gateway.bootstrap import bootstrap
from odoo_gateway.client import OdooClient
from odoo_gateway.connect import connect

D = Decimal
THIS_MONTH = TODAY.replace(day=1)
CHEAPER = """\
charges:
  - plan: desk_team
    metric: messages
    name: Messages
    product: desk_team/messages
    charge_model: standard
    included: 1000
    valid_from: {day}
    properties: {{amount: 0.010}}
"""


@pytest.fixture(scope="module")
def odoo(odoo_url: str) -> OdooClient:
    client = connect(odoo_url, "odoo", "admin", "admin")
    bootstrap(client)
    fill(client)
    products = client.search_read("product.product", [("name", "=", "Messages")], ["id"])
    client.write(
        "product.product", [product["id"] for product in products],
        {"default_code": "desk_team/messages"},
    )  # fmt: skip
    return client


@pytest.fixture(scope="module")
def world(home: Path, database_url: str, odoo: OdooClient, odoo_url: str) -> dict[str, str]:
    """The small world in Odoo and its mirror: 3,000 messages in MONTH, 5,000 this month."""
    env = environment(
        home,
        DATABASE_URL=database_url,
        ODOO_URL=odoo_url,
        ODOO_DB="odoo",
        ODOO_USER="admin",
        ODOO_API_KEY="admin",
    )
    add_messages(database_url, "past", 3000)
    add_messages(database_url, "present", 5000)
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "update raw.usage_counter set window_start = %s, window_end = %s"
            " where transaction_id = 'present'",
            [datetime.combine(THIS_MONTH, time(), ZONE)] * 2,
        )
    assert fusion_billing("odoo", "mirror", env=env).status == 0
    return env


def _file(home: Path, day: date) -> str:
    path = home / "prices.yaml"
    path.write_text(CHEAPER.format(day=day))
    return str(path)


def _schemas(database_url: str) -> set[str]:
    with psycopg.connect(database_url) as connection:
        rows = connection.execute("select nspname from pg_namespace").fetchall()
    return {str(row[0]) for row in rows}


def test_a_dry_run_tells_what_the_open_period_would_cost(
    world: dict[str, str], home: Path, odoo: OdooClient, database_url: str
) -> None:
    """5,000 messages, 1,000 included: 4,000 × 0.012 = 48.00 today, × 0.010 = 40.00 with the new
    price from the first of this month. MONTH's 2,000 × 0.012 = 24.00 stay."""
    before = odoo.search_read("x_fc_charge", [], ["write_date"])
    schemas = _schemas(database_url)
    done = fusion_billing(
        "catalog", "apply", _file(home, THIS_MONTH), "--dry-run", "--format", "json", env=world
    )
    assert done.status == 0, done.stderr
    answer = done.json()
    assert answer["applied"] is False
    assert [(each["action"], each["key"]) for each in answer["changes"]] == [
        ("ended", "desk_team/messages"),
        ("new version", "desk_team/messages"),
    ]
    assert answer["changes"][1]["fields"] == {"x_unit_price": ["0.012", "0.01"]}
    totals = {total["periods"]: total for total in answer["effect"]["totals"]}
    (changed,) = answer["effect"]["charges"]
    for total in (totals["open"], changed):
        assert (total["lines_before"], total["lines_after"]) == (1, 1)
        assert (D(total["amount_before"]), D(total["amount_after"])) == (D("48.00"), D("40.00"))
    assert (changed["periods"], changed["charge_key"]) == ("open", "desk_team/messages")
    assert D(totals["ended"]["amount_before"]) == D(totals["ended"]["amount_after"]) == D("24.00")

    assert odoo.search_read("x_fc_charge", [], ["write_date"]) == before
    assert _schemas(database_url) == schemas
    with psycopg.connect(database_url) as connection:
        built = connection.execute("select to_regclass('marts.fct_rated_lines')").fetchone()
    assert built == (None,), "what is live was not built"


def test_apply_then_show(world: dict[str, str], home: Path, odoo: OdooClient) -> None:
    done = fusion_billing("catalog", "apply", _file(home, THIS_MONTH), env=world)
    assert done.status == 0, done.stderr
    assert "new version" in done.stdout
    assert "fusion-billing odoo mirror" in done.stdout
    assert len(odoo.search_read("x_fc_charge", [], ["id"])) == 2
    again = fusion_billing(
        "catalog", "apply", _file(home, THIS_MONTH), "--format", "json", env=world
    )
    assert again.json() == {"applied": True, "changes": [], "effect": None}

    assert fusion_billing("odoo", "mirror", env=world).status == 0
    shown = fusion_billing("catalog", "show", "--format", "json", env=world).json()
    assert [charge["properties"] for charge in shown["charges"]] == [{"amount": "0.01"}]
    assert [metric["code"] for metric in shown["metrics"]] == ["messages"]
    text = fusion_billing(
        "catalog", "show", "--format", "yaml", "--plan", "desk_team", env=world
    ).stdout
    assert yaml.safe_load(text)["charges"][0]["valid_from"] == THIS_MONTH
    earlier = fusion_billing("catalog", "show", "--date", MONTH.isoformat(), env=world).stdout
    assert "amount 0.012" in earlier
    nothing = fusion_billing("catalog", "show", "--plan", "no_such", "--format", "json", env=world)
    assert nothing.json() == {"metrics": [], "charges": []}


def test_a_wrong_file_names_lines_and_changes_nothing(
    world: dict[str, str], home: Path, odoo: OdooClient
) -> None:
    before = odoo.search_read("x_fc_charge", [], ["write_date"])
    path = home / "wrong.yaml"
    path.write_text(CHEAPER.format(day="soon").replace("messages", "letters", 1))
    done = fusion_billing("catalog", "apply", str(path), env=world)
    assert (done.status, done.stdout) == (2, "")
    assert done.stderr.splitlines() == [
        "wrong.yaml:8: charges[1].valid_from: 'soon' is not a day such as 2026-10-31"
    ]
    path.write_text(CHEAPER.format(day=THIS_MONTH).replace("metric: messages", "metric: letters"))
    done = fusion_billing("catalog", "apply", str(path), env=world)
    assert done.status == 2
    assert "wrong.yaml:3: charges[1].metric: 'letters' is neither in this file" in done.stderr
    assert odoo.search_read("x_fc_charge", [], ["write_date"]) == before


def test_a_file_that_is_not_there(world: dict[str, str]) -> None:
    done = fusion_billing("catalog", "apply", "nowhere.yaml", env=world)
    assert (done.status, len(done.stderr.splitlines())) == (2, 1)
    assert "nowhere.yaml" in done.stderr


def test_help_names_both(world: dict[str, str]) -> None:
    text = fusion_billing("catalog", "--help", env=world).stdout
    assert {"apply", "show"} <= set(text.split())


def test_what_finance_mistyped_in_odoo_is_named(
    world: dict[str, str], home: Path, odoo: OdooClient
) -> None:
    """A comma for a point was a traceback of both commands."""
    (charge, *_) = odoo.search_read("x_fc_charge", [], ["x_unit_price"])
    odoo.write("x_fc_charge", [charge["id"]], {"x_unit_price": "0,05"})
    assert fusion_billing("odoo", "mirror", env=world).status == 0
    for arguments in (["show"], ["show", "--format", "yaml"], ["apply", _file(home, THIS_MONTH)]):
        done = fusion_billing("catalog", *arguments, env=world)
        assert (done.status, done.stdout) == (2, "")
        assert done.stderr.splitlines() == [
            f"Usage charge {charge['id']} (desk_team/messages): Unit price (x_unit_price): '0,05'"
            " is not a decimal number such as 0.0023",
            "Mend it in Odoo (Usage billing), then run `fusion-billing odoo mirror`.",
        ]
    odoo.write("x_fc_charge", [charge["id"]], {"x_unit_price": charge["x_unit_price"]})
    assert fusion_billing("odoo", "mirror", env=world).status == 0
    assert fusion_billing("catalog", "show", env=world).status == 0
