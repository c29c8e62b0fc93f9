"""From an app's request over HTTP into Odoo, and back to the app: `odoo apply`, `odoo mirror`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from command_line import Finished, environment, fusion_billing
from small_world import fill

from odoo_gateway.bootstrap import bootstrap
from odoo_gateway.connect import connect
from odoo_gateway.odoorpc_client import OdooRpcClient

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "ingest" / "api"))

from endpoint_world import Service, running

SUBSCRIPTION = {
    "external_customer_id": "acct_7",
    "external_id": "sub_7",
    "plan_code": "desk_team",
    "subscription_at": "2026-01-15",
}


@pytest.fixture(scope="module")
def odoo(odoo_url: str) -> OdooRpcClient:
    client = connect(odoo_url, "odoo", "admin", "admin")
    bootstrap(client)
    fill(client)
    return client


@pytest.fixture(scope="module")
def world(home: Path, database_url: str, odoo: OdooRpcClient, odoo_url: str) -> dict[str, str]:
    return environment(
        home,
        DATABASE_URL=database_url,
        ODOO_URL=odoo_url,
        ODOO_DB="odoo",
        ODOO_USER="admin",
        ODOO_API_KEY="admin",
    )


@pytest.fixture(scope="module")
def app(database_url: str, home: Path, world: dict[str, str]) -> Iterator[Service]:
    with running(database_url, home) as endpoint:
        yield endpoint.service()


def apply(env: dict[str, str], *options: str) -> Finished:
    return fusion_billing("odoo", "apply", "--format", "json", *options, env=env)


def told(app: Service, path: str, **query: str) -> Any:
    answer = app.get(path, **query)
    assert answer.status_code == 200, answer.text
    return next(iter(answer.json().values()))


def test_what_an_app_asks_for_comes_to_odoo_and_is_told_back(
    app: Service, world: dict[str, str], odoo: OdooRpcClient
) -> None:
    customer = {"external_id": "acct_7", "name": "Birch", "email": "ap@birch.example"}
    app.post("/customers", {"customer": customer}).raise_for_status()
    app.post("/subscriptions", {"subscription": SUBSCRIPTION}).raise_for_status()

    rehearsed = apply(world, "--dry-run")
    assert rehearsed.status == 0, rehearsed.stderr
    fates = rehearsed.json()["fates"]
    assert [fate["kind"] for fate in fates] == ["customer", "subscription"]
    assert fates[0]["reason"].startswith("would make a res.partner: name Birch")
    assert "waits for command" in fates[1]["reason"]
    assert told(app, "/customers/acct_7")["fusion"]["state"] == "pending"

    done = apply(world)
    assert done.status == 0, done.stderr
    assert done.json()["applied"] == 2
    assert told(app, "/subscriptions/sub_7")["fusion"]["state"] == "applied"
    assert fusion_billing("odoo", "mirror", env=world).status == 0

    (order,) = odoo.search_read(
        "sale.order", [("x_fc_external_id", "=", "sub_7")], ["name", "partner_id"]
    )
    linked = told(app, "/customers/acct_7")["fusion"]["odoo"]
    assert (linked["partner_id"], linked["name"]) == (order["partner_id"], "Birch")
    mirrored = told(app, "/subscriptions/sub_7")["fusion"]["odoo"]
    assert (mirrored["order_id"], mirrored["name"]) == (order["id"], order["name"])
    assert (mirrored["start_date"], mirrored["plan_code"]) == ("2026-01-15", "desk_team")

    app.http.delete("/api/v1/subscriptions/sub_7").raise_for_status()
    assert apply(world).status == 0
    ended = told(app, "/subscriptions/sub_7", status="terminated")
    assert ended["fusion"]["state"] == "applied"


def test_what_is_refused_says_so_and_the_command_fails(app: Service, world: dict[str, str]) -> None:
    unknown = SUBSCRIPTION | {"external_id": "sub_8", "plan_code": "no_such_plan"}
    app.post("/subscriptions", {"subscription": unknown}).raise_for_status()
    refused = fusion_billing("odoo", "apply", env=world)
    assert refused.status == 1
    assert "no_such_plan" in refused.stdout
    fusion = told(app, "/subscriptions/sub_8")["fusion"]
    assert fusion["state"] == "refused"
    assert "no_such_plan/base" in fusion["reason"]
    assert apply(world).json()["fates"] == []
