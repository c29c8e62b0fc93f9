"""Bootstrap where Odoo is not empty, and what plan says before anything is made."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from odoo_gateway import schema
from odoo_gateway.bootstrap import bootstrap, plan
from odoo_gateway.client import OdooClient
from odoo_gateway.connect import connect
from odoo_gateway.errors import OdooRefusedError
from odoo_gateway.schema import (
    CUSTOM_MODELS,
    METRIC,
    NATIVE_FIELDS,
    UNIQUE_INDEXES,
    Field,
    Model,
    Unique,
)
from odoo_gateway.uniqueness import index_name, require_indexes
from sandbox.odoo.launch import running_double


@pytest.fixture
def odoo(tmp_path: Path) -> Iterator[OdooClient]:
    with running_double(tmp_path / "odoo.db") as url:
        yield connect(url, "any", "admin", "admin")


def _field(odoo: OdooClient, model: str, name: str, kind: str) -> None:
    (owner,) = odoo.search_read("ir.model", [("model", "=", model)], ["id"])
    values = {"name": name, "field_description": name, "ttype": kind, "state": "manual"}
    odoo.create("ir.model.fields", [{**values, "model_id": owner["id"]}])


def test_plan_tells_everything_and_changes_nothing(odoo: OdooClient) -> None:
    steps = plan(odoo)
    kinds = Counter(step.kind for step in steps)
    models = len(CUSTOM_MODELS)
    screens = models - 1  # tiers are edited within their charge
    fields = sum(map(len, NATIVE_FIELDS.values())) + sum(len(each.fields) for each in CUSTOM_MODELS)
    assert kinds == {
        "field": fields,
        "model": models,
        "access right": 5 * models,
        "server action": 2,
        "unique index": len(UNIQUE_INDEXES),
        "view": 2 * screens,
        "action": screens,
        "menu": screens + 1,
    }
    assert "field sale.order.line.x_fc_line_key" in map(str, steps)
    assert plan(odoo) == steps
    assert bootstrap(odoo) == steps
    assert plan(odoo) == []


def test_only_what_is_missing_is_made(odoo: OdooClient) -> None:
    _field(odoo, "sale.order", "x_fc_plan_code", "char")
    made = bootstrap(odoo)
    assert "field sale.order.x_fc_plan_code" not in map(str, made)
    (menu,) = odoo.search_read("ir.ui.menu", [("name", "=", "Usage metrics")], ["id"])
    odoo.call("ir.ui.menu", "unlink", [menu["id"]])
    assert list(map(str, bootstrap(odoo))) == ["menu Usage billing / Usage metrics"]


def test_a_field_of_another_type_is_refused_by_name(odoo: OdooClient) -> None:
    _field(odoo, "sale.order.line", "x_fc_line_key", "integer")
    with pytest.raises(OdooRefusedError, match=r"sale\.order\.line\.x_fc_line_key is there as int"):
        plan(odoo)


def test_the_indexes_stand_though_the_rights_are_refused(odoo: OdooClient) -> None:
    """What keeps a line from standing twice must not wait for what may fail for other reasons."""
    (group,) = odoo.search_read("ir.model.data", [("name", "=", "group_sale_salesman")], ["id"])
    odoo.write("ir.model.data", [group["id"]], {"name": "gone"})
    with pytest.raises(OdooRefusedError, match=r"has no group sales_team\.group_sale_salesman"):
        bootstrap(odoo)
    require_indexes(odoo)


def test_without_bootstrap_the_indexes_are_missed(odoo: OdooClient) -> None:
    with pytest.raises(OdooRefusedError, match="run `fusion-billing odoo bootstrap`"):
        require_indexes(odoo)


def test_rows_that_collide_are_said(odoo: OdooClient) -> None:
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


def test_a_missing_app_is_named(odoo: OdooClient) -> None:
    rows = odoo.search_read("ir.model.data", [("name", "=", "group_account_invoice")], ["id"])
    odoo.call("ir.model.data", "unlink", [row["id"] for row in rows])
    with pytest.raises(OdooRefusedError, match=r"no group account\.group_account_invoice"):
        plan(odoo)


FIRST_CHARGE = Model(
    "x_fc_charge",
    "Usage charge",
    (
        Field("x_name", "Name on the invoice", required=True),
        Field("x_code", "Code", required=True, index=True),
        Field("x_plan_code", "Plan code", required=True, index=True),
        Field("x_metric_id", "Metric", "many2one", relation="x_fc_metric", required=True),
        Field(
            "x_charge_model",
            "Pricing model",
            "selection",
            selection=(("standard", "Standard"),),
            required=True,
        ),
        Field("x_unit_price", "Unit price", required=True),
        Field("x_included", "Included quantity"),
        Field("x_currency", "Currency", required=True),
        Field("x_product_id", "Product", "many2one", relation="product.product", required=True),
    ),
)
FIRST_METRIC = Model("x_fc_metric", "Usage metric", METRIC.fields[:5])
FIRST_INDEXES = (Unique("x_fc_charge", ("x_plan_code", "x_code")),)


def test_what_the_first_version_made_gains_what_is_new(
    odoo: OdooClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An Odoo in use keeps its records: a charge without tiers becomes one that may have them, two
    versions of it may stand beside each other, and a commitment needs neither metric nor price."""
    with monkeypatch.context() as before:
        before.setattr(schema, "CUSTOM_MODELS", (FIRST_METRIC, FIRST_CHARGE))
        before.setattr(schema, "UNIQUE_INDEXES", FIRST_INDEXES)
        before.setattr(schema, "RETIRED_INDEXES", ())
        bootstrap(odoo)
    (metric,) = odoo.create("x_fc_metric", [{"x_name": "m", "x_code": "m", "x_aggregation": "sum"}])
    (product,) = odoo.create("product.product", [{"name": "U", "type": "service"}])
    charge = {
        "x_name": "c",
        "x_code": "m",
        "x_plan_code": "p",
        "x_metric_id": metric,
        "x_charge_model": "standard",
        "x_unit_price": "1",
        "x_currency": "CAD",
        "x_product_id": product,
    }
    (old,) = odoo.create("x_fc_charge", [charge])
    (own,) = odoo.search_read("ir.ui.view", [("name", "=", "x_fc_metric list")], ["id"])
    everything = "".join(f'<field name="{field.name}"/>' for field in METRIC.fields[::-1])

    made = list(map(str, bootstrap(odoo)))
    assert {
        "optional field x_fc_charge.x_metric_id",
        "optional field x_fc_charge.x_unit_price",
        "choice x_fc_charge.x_charge_model: graduated",
        "field x_fc_charge.x_tier_ids",
        "model x_fc_charge_tier",
        "view x_fc_charge form",
    } <= set(made)
    assert "field x_fc_charge.x_code" not in made
    assert plan(odoo) == []

    odoo.create("x_fc_charge", [{**charge, "x_valid_from": "2026-10-01"}])
    with pytest.raises(OdooRefusedError, match="duplicate key value"):
        odoo.create("x_fc_charge", [charge])
    commitment = {"x_charge_model": "minimum_commitment", "x_code": "minimum_commitment"}
    odoo.create(
        "x_fc_charge", [{**charge, **commitment, "x_metric_id": False, "x_unit_price": False}]
    )
    tier = (0, 0, {"x_from": "0", "x_unit_price": "1"})
    odoo.write("x_fc_charge", [old], {"x_charge_model": "graduated", "x_tier_ids": [tier]})

    odoo.write("ir.ui.view", [own["id"]], {"arch": f"<list>{everything}</list>"})
    assert plan(odoo) == [], "an order of people's own is left"


def test_index_names_fit_into_postgresql() -> None:
    names = [index_name(unique) for unique in UNIQUE_INDEXES]
    assert len(set(names)) == len(names)
    assert max(map(len, names)) <= 63
