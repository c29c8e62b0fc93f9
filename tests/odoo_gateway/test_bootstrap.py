"""Bootstrap where Odoo is not empty, and what plan says before anything is made."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from odoo_gateway.bootstrap import bootstrap, plan
from odoo_gateway.connect import connect
from odoo_gateway.errors import OdooRefusedError
from odoo_gateway.odoorpc_client import OdooRpcClient
from odoo_gateway.schema import CUSTOM_MODELS, NATIVE_FIELDS, UNIQUE_INDEXES
from odoo_gateway.uniqueness import index_name
from sandbox.odoo.launch import running_double


@pytest.fixture
def odoo(tmp_path: Path) -> Iterator[OdooRpcClient]:
    with running_double(tmp_path / "odoo.db") as url:
        yield connect(url, "any", "admin", "admin")


def _field(odoo: OdooRpcClient, model: str, name: str, kind: str) -> None:
    (owner,) = odoo.search_read("ir.model", [("model", "=", model)], ["id"])
    values = {"name": name, "field_description": name, "ttype": kind, "state": "manual"}
    odoo.create("ir.model.fields", [{**values, "model_id": owner["id"]}])


def test_plan_tells_everything_and_changes_nothing(odoo: OdooRpcClient) -> None:
    steps = plan(odoo)
    kinds = Counter(step.kind for step in steps)
    models = len(CUSTOM_MODELS)
    fields = sum(map(len, NATIVE_FIELDS.values())) + sum(len(each.fields) for each in CUSTOM_MODELS)
    assert kinds == {
        "field": fields,
        "model": models,
        "access right": 5 * models,
        "server action": 2,
        "unique index": len(UNIQUE_INDEXES),
        "view": 2 * models,
        "action": models,
        "menu": models + 1,
    }
    assert "field sale.order.line.x_fc_line_key" in map(str, steps)
    assert plan(odoo) == steps
    assert bootstrap(odoo) == steps
    assert plan(odoo) == []


def test_only_what_is_missing_is_made(odoo: OdooRpcClient) -> None:
    _field(odoo, "sale.order", "x_fc_plan_code", "char")
    made = bootstrap(odoo)
    assert "field sale.order.x_fc_plan_code" not in map(str, made)
    (menu,) = odoo.search_read("ir.ui.menu", [("name", "=", "Usage metrics")], ["id"])
    odoo.call("ir.ui.menu", "unlink", [menu["id"]])
    assert list(map(str, bootstrap(odoo))) == ["menu Usage billing / Usage metrics"]


def test_a_field_of_another_type_is_refused_by_name(odoo: OdooRpcClient) -> None:
    _field(odoo, "sale.order.line", "x_fc_line_key", "integer")
    with pytest.raises(OdooRefusedError, match=r"sale\.order\.line\.x_fc_line_key is there as int"):
        plan(odoo)


def test_rows_that_collide_are_said(odoo: OdooRpcClient) -> None:
    """Two lines with one key, made before the index."""
    _field(odoo, "sale.order.line", "x_fc_line_key", "char")
    (partner,) = odoo.create("res.partner", [{"name": "P"}])
    (product,) = odoo.create("product.product", [{"name": "U", "type": "service"}])
    (order,) = odoo.create("sale.order", [{"partner_id": partner}])
    line = {"order_id": order, "product_id": product, "x_fc_line_key": "same"}
    odoo.create("sale.order.line", [line, line])
    with pytest.raises(OdooRefusedError, match=r"unique index.*x_fc_line_key.*\(same\)"):
        bootstrap(odoo)
    steps = list(map(str, plan(odoo)))
    assert "unique index sale_order_line (x_fc_line_key)" in steps


def test_a_missing_app_is_named(odoo: OdooRpcClient) -> None:
    rows = odoo.search_read("ir.model.data", [("name", "=", "group_account_invoice")], ["id"])
    odoo.call("ir.model.data", "unlink", [row["id"] for row in rows])
    with pytest.raises(OdooRefusedError, match=r"no group account\.group_account_invoice"):
        plan(odoo)


def test_index_names_fit_into_postgresql() -> None:
    names = [index_name(table, columns) for table, columns in UNIQUE_INDEXES]
    assert len(set(names)) == len(names)
    assert max(map(len, names)) <= 63
