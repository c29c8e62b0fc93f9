"""The x_fc_* fields, models, rights, screens and unique indexes, made by RPC."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from odoo_world import Server, World

from odoo_gateway import schema
from odoo_gateway.bootstrap import NOT_COPIED, bootstrap, plan
from odoo_gateway.errors import OdooRefusedError
from odoo_gateway.odoorpc_client import OdooRpcClient

pytestmark = pytest.mark.odoo_real
LINE = "sale.order.line"


def test_a_second_run_makes_nothing(odoo: OdooRpcClient) -> None:
    assert plan(odoo) == []
    assert bootstrap(odoo) == []
    menus = odoo.search_read("ir.ui.menu", [("name", "=", "Usage billing")], ["name"])
    assert len(menus) == 1


def test_fields_are_as_the_schema_says(odoo: OdooRpcClient) -> None:
    wanted = {
        (model, field.name): field
        for model, fields in [
            *schema.NATIVE_FIELDS.items(),
            *((model.name, model.fields) for model in schema.CUSTOM_MODELS),
        ]
        for field in fields
    }
    rows = odoo.search_read(
        "ir.model.fields",
        [("model", "in", sorted({model for model, _name in wanted})), ("state", "=", "manual")],
        ["model", "name", "ttype", "relation", "required", "index", "copied", "field_description"],
    )
    found = {(row["model"], row["name"]): row for row in rows}
    for key, field in wanted.items():
        row = found[key]
        assert (row["ttype"], row["field_description"]) == (field.type, field.label), key
        assert (row["required"], row["index"]) == (field.required, field.index), key
        assert row["copied"] == (field.name not in NOT_COPIED), key
        assert (row["relation"] or None) == field.relation, key


def test_finance_can_keep_a_catalogue(odoo: OdooRpcClient, world: World) -> None:
    code = uuid.uuid4().hex
    metric = world.make(
        "x_fc_metric", x_name="API calls", x_code=code, x_aggregation="sum", x_unit="calls"
    )
    charge = world.make(
        "x_fc_charge",
        x_name="Calls",
        x_code=code,
        x_plan_code="p",
        x_metric_id=metric,
        x_charge_model="standard",
        x_unit_price="0.0023",
        x_currency="CAD",
        x_product_id=world.usage,
    )
    row = world.read("x_fc_charge", charge, "x_unit_price", "x_metric_id", "x_included")
    assert row == {
        "id": charge,
        "x_unit_price": "0.0023",
        "x_metric_id": metric,
        "x_included": False,
    }
    odoo.write("x_fc_charge", [charge], {"x_unit_price": "0.0024"})
    assert world.read("x_fc_charge", charge, "x_unit_price")["x_unit_price"] == "0.0024"
    with pytest.raises(
        OdooRefusedError, match=r"Wrong value for x_fc_metric\.x_aggregation: 'avg'"
    ):
        world.make("x_fc_metric", x_name="n", x_code=uuid.uuid4().hex, x_aggregation="avg")
    with pytest.raises(OdooRefusedError, match=r"Missing required value .* 'Code' \(x_code\)"):
        world.make("x_fc_metric", x_name="n", x_aggregation="sum")
    odoo.call("x_fc_charge", "unlink", [charge])


@pytest.mark.parametrize(
    ("model", "columns"),
    [
        ("x_fc_metric", ("x_code",)),
        ("x_fc_charge", ("x_plan_code", "x_code")),
        ("x_fc_account_link", ("x_service_code", "x_external_account_id")),
    ],
)
def test_keys_of_the_catalogue_are_unique(
    world: World, model: str, columns: tuple[str, ...]
) -> None:
    key = uuid.uuid4().hex
    values: dict[str, object] = {"x_name": "n", **dict.fromkeys(columns, key)}
    if model == "x_fc_metric":
        values["x_aggregation"] = "sum"
    if model == "x_fc_account_link":
        values["x_partner_id"] = world.partner()
    if model == "x_fc_charge":
        metric = world.make("x_fc_metric", x_name="m", x_code=uuid.uuid4().hex, x_aggregation="sum")
        values |= {
            "x_metric_id": metric,
            "x_charge_model": "standard",
            "x_unit_price": "1",
            "x_currency": "CAD",
            "x_product_id": world.usage,
        }
    world.make(model, **values)
    with pytest.raises(OdooRefusedError) as caught:
        world.make(model, **values)
    assert caught.value.name == "odoo.exceptions.ValidationError"
    assert str(caught.value) == (
        "The operation cannot be completed: duplicate key value violates unique constraint"
        f' "fusion_uq_{model}_{columns[0]}" DETAIL: Key ({", ".join(columns)})='
        f"({', '.join([key] * len(columns))}) already exists."
    )


def test_a_duplicate_line_key_undoes_the_whole_batch(odoo: OdooRpcClient, world: World) -> None:
    order, key = world.order(), uuid.uuid4().hex
    world.delivered(order, 1.0, 1, x_fc_line_key=key)
    with pytest.raises(OdooRefusedError, match=r"Key \(x_fc_line_key\)=\(.*\) already exists"):
        odoo.create(
            LINE,
            [
                {"order_id": order, "product_id": world.usage, "x_fc_line_key": f"{key}-2"},
                {"order_id": order, "product_id": world.usage, "x_fc_line_key": key},
            ],
        )
    assert len(world.lines(order)) == 1
    other = world.delivered(order, 1.0, 1, x_fc_line_key=f"{key}-3")
    with pytest.raises(OdooRefusedError, match="duplicate key value"):
        odoo.write(LINE, [other], {"x_fc_line_key": key})
    assert world.read(LINE, other, "x_fc_line_key")["x_fc_line_key"] == f"{key}-3"


def test_lines_without_a_key_do_not_collide(world: World) -> None:
    order = world.order({}, {})
    assert [row["x_fc_line_key"] for row in world.lines(order, "x_fc_line_key")] == [False, False]


def test_three_at_once_leave_one_line(server: Server, world: World) -> None:
    order, key = world.order(), uuid.uuid4().hex

    def attempt(_number: int) -> bool:
        values = {"order_id": order, "product_id": world.usage, "x_fc_line_key": key}
        try:
            server.connect().create(LINE, [values])
        except OdooRefusedError:
            return False
        return True

    with ThreadPoolExecutor(3) as pool:
        outcomes = sorted(pool.map(attempt, range(3)))
    assert outcomes == [False, False, True]
    assert len(world.lines(order)) == 1


def test_keys_are_found_five_hundred_at_a_time(odoo: OdooRpcClient, world: World) -> None:
    order, key = world.order(), uuid.uuid4().hex
    odoo.create(
        LINE,
        [
            {
                "order_id": order,
                "product_id": world.usage,
                "product_uom_qty": 0,
                "x_fc_line_key": f"{key}:{n}",
                "x_fc_period_start": "2026-10-01",
                "x_fc_period_end": "2026-11-01",
            }
            for n in range(20)
        ],
    )
    wanted = [f"{key}:{n}" for n in range(500)]
    found = odoo.search_read(LINE, [("x_fc_line_key", "in", wanted)], ["x_fc_period_start"])
    assert len(found) == 20
    assert {row["x_fc_period_start"] for row in found} == {"2026-10-01"}


def test_manual_names_start_with_x(odoo: OdooRpcClient) -> None:
    (model,) = odoo.search_read("ir.model", [("model", "=", LINE)], ["id"])
    field = {"model_id": model["id"], "field_description": "F", "ttype": "char", "state": "manual"}
    with pytest.raises(OdooRefusedError, match="must have a name that starts with 'x_'"):
        odoo.create("ir.model.fields", [{**field, "name": "fc_no"}])
    with pytest.raises(OdooRefusedError, match="Field names must be unique per model"):
        odoo.create("ir.model.fields", [{**field, "name": "x_fc_line_key"}])
    with pytest.raises(OdooRefusedError, match="The model name must start with 'x_'"):
        odoo.create("ir.model", [{"name": "N", "model": "fc_no", "state": "manual"}])
    with pytest.raises(OdooRefusedError, match="Each model must have a unique name"):
        odoo.create("ir.model", [{"name": "N", "model": "x_fc_metric", "state": "manual"}])


def test_a_model_without_rights_is_closed(odoo: OdooRpcClient) -> None:
    name = f"x_fc_test_{uuid.uuid4().hex[:8]}"
    fields = [
        (0, 0, {"name": "x_name", "field_description": "N", "ttype": "char", "state": "manual"})
    ]
    (model,) = odoo.create(
        "ir.model", [{"name": "Closed", "model": name, "state": "manual", "field_id": fields}]
    )
    with pytest.raises(OdooRefusedError, match=r"You are not allowed to access 'Closed'") as caught:
        odoo.search_read(name, [], ["x_name"])
    assert caught.value.name == "odoo.exceptions.AccessError"
    assert "No group currently allows this operation." in str(caught.value)
    assert odoo.fields_get(name)["x_name"]["type"] == "char"
    odoo.call("ir.model", "unlink", [model])
    with pytest.raises(OdooRefusedError, match="doesn't exist"):
        odoo.fields_get(name)


def test_a_view_must_name_fields_that_exist(odoo: OdooRpcClient) -> None:
    arch = '<list editable="bottom"><field name="x_nothing"/></list>'
    with pytest.raises(OdooRefusedError, match='Field "x_nothing" does not exist in model'):
        odoo.create(
            "ir.ui.view", [{"name": "v", "model": "x_fc_metric", "type": "list", "arch": arch}]
        )
