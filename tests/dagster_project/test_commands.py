"""The asset that applies what apps asked for, as Dagster shows it."""

from __future__ import annotations

from collections.abc import Iterator

import dagster as dg
import psycopg
import pytest

from odoo_gateway.bootstrap import bootstrap
from odoo_gateway.connect import connect
from odoo_gateway.odoorpc_client import OdooRpcClient
from sandbox.odoo.launch import running_double


@pytest.fixture(scope="module")
def odoo(defs: dg.Definitions, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OdooRpcClient]:
    state = tmp_path_factory.mktemp("odoo") / "odoo.sqlite"
    with running_double(state) as url, pytest.MonkeyPatch.context() as patched:
        patched.setenv("ODOO_URL", url)
        patched.setenv("ODOO_API_KEY", "admin")
        client = connect(url, "odoo", "admin", "admin")
        bootstrap(client)
        yield client


def test_what_was_asked_stands_in_odoo_and_the_rest_says_why_not(
    defs: dg.Definitions, odoo: OdooRpcClient, dagster_database_url: str
) -> None:
    with psycopg.connect(dagster_database_url) as connection:
        for kind, external_id, payload in (
            ("customer", "acct_9", '{"external_id": "acct_9", "name": "Birch"}'),
            ("subscription", "sub_9", '{"plan_code": "nobody_sells_this"}'),
        ):
            connection.execute(
                "insert into raw.command (service_code, kind, external_customer_id, external_id,"
                " payload, payload_hash) values ('nexadesk', %s, 'acct_9', %s, %s, '')",
                [kind, external_id, payload],
            )
    with dg.DagsterInstance.ephemeral() as instance:
        done = defs.resolve_implicit_global_asset_job_def().execute_in_process(
            instance=instance,
            asset_selection=[
                dg.AssetKey(["odoo", "commands"]),
                dg.AssetKey(["ops", "command_state"]),
            ],
        )
    assert done.success
    (event,) = [
        event
        for event in done.get_asset_materialization_events()
        if event.asset_key == dg.AssetKey(["ops", "command_state"])
    ]
    metadata = event.step_materialization_data.materialization.metadata
    told = {name: metadata[name].value for name in ("applied", "refused", "ambiguous", "retrying")}
    assert told == {"applied": 1, "refused": 1, "ambiguous": 0, "retrying": 0}
    (reason,) = metadata["reasons"].value.values()
    assert "nobody_sells_this" in reason
    (link,) = odoo.search_read(
        "x_fc_account_link", [("x_external_account_id", "=", "acct_9")], ["x_partner_id"]
    )
    (partner,) = odoo.search_read("res.partner", [("id", "=", link["x_partner_id"])], ["name"])
    assert partner["name"] == "Birch"
