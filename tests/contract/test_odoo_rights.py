"""The user whom `doctor` recommends, on a real Odoo: nothing that the platform does is refused."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest
from odoo_world import Server

from cli import doctor_odoo
from cli.findings import Status
from exports.push_problems import Judge
from exports.usage_lines import precision_of
from ingest.odoo_mirror import BILLING, MASTER
from odoo_gateway.client import OdooClient
from odoo_gateway.connect import connect
from warehouse.settings import Settings

GROUPS = (
    ("base", "group_user"),
    ("sales_team", "group_sale_manager"),
    ("account", "group_account_invoice"),
)


def test_sales_administrator_and_billing_suffice(
    server: Server, odoo: OdooClient, tmp_path: Path
) -> None:
    """The push read `decimal.precision`, which Odoo 19 shows to administrators alone, and the
    doctor failed for want of rights that nothing needs."""
    if not server.real or server.json2:
        pytest.skip("the double knows one user; rights are the same over both transports")
    groups = [
        odoo.search_read(
            "ir.model.data",
            [("model", "=", "res.groups"), ("module", "=", module), ("name", "=", name)],
            ["res_id"],
        )[0]["res_id"]
        for module, name in GROUPS
    ]
    login = password = f"billing-{uuid.uuid4().hex}"
    values = {"name": "Billing", "login": login, "password": password}
    (user,) = odoo.create("res.users", [{**values, "group_ids": [(6, 0, groups)]}])
    try:
        client = connect(server.url, server.db, login, password)
        for mirrored in MASTER + BILLING:
            client.search_read(mirrored.model, mirrored.domain, mirrored.fields, limit=1)
        assert precision_of(client) == precision_of(odoo)
        assert Judge.of(client).positions == Judge.of(odoo).positions
        given = Settings(
            fusion_home=tmp_path,
            odoo_url=server.url,
            odoo_db=server.db,
            odoo_user=login,
            odoo_api_key=password,
            _env_file=None,
        )
        found = {each.check: each for each in doctor_odoo.findings(given)}
        assert found["Odoo rights"].status is Status.OK
        assert found["Odoo fields"].status is Status.WARNING
        assert "not checked" in found["Odoo fields"].found
        others = [each.found for name, each in found.items() if name != "Odoo fields"]
        assert not [told for told in others if "not checked" in told or "not allowed" in told]
        odoo.write("res.users", [user], {"group_ids": [(6, 0, groups[:1])]})
        (rights,) = [each for each in doctor_odoo.findings(given) if each.check == "Odoo rights"]
        assert rights.status is Status.FAILED
        assert "read x_fc_account_link" in rights.found
        assert rights.next.startswith("Give the user Sales: Administrator and Invoicing: Billing")
    finally:
        odoo.call("res.users", "unlink", [user])
