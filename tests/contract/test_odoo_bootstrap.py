"""The x_fc_* fields, models, rights, screens and unique indexes, made by RPC."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from odoo_world import Server, World

from odoo_gateway import schema
from odoo_gateway.bootstrap import NOT_COPIED, bootstrap, plan
from odoo_gateway.client import OdooClient
from odoo_gateway.errors import OdooRefusedError
from odoo_gateway.uniqueness import require_indexes

pytestmark = pytest.mark.odoo_real
LINE = "sale.order.line"


def test_a_second_run_makes_nothing(odoo: OdooClient) -> None:
    assert plan(odoo) == []
    assert bootstrap(odoo) == []
    require_indexes(odoo)
    menus = odoo.search_read("ir.ui.menu", [("name", "=", "Usage billing")], ["name"])
    assert len(menus) == 1


def test_fields_are_as_the_schema_says(odoo: OdooClient) -> None:
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
        [
            "model",
            "name",
            "ttype",
            "relation",
            "relation_field",
            "required",
            "index",
            "copied",
            "field_description",
        ],
    )
    found = {(row["model"], row["name"]): row for row in rows}
    for key, field in wanted.items():
        row = found[key]
        assert (row["ttype"], row["field_description"]) == (field.type, field.label), key
        assert (row["required"], row["index"]) == (field.required, field.index), key
        assert row["copied"] == (field.name not in NOT_COPIED), key
        assert (row["relation"] or None) == field.relation, key
        assert (row["relation_field"] or None) == field.relation_field, key


def test_finance_can_keep_a_catalogue(odoo: OdooClient, world: World) -> None:
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


def _charge(world: World, **values: object) -> dict[str, object]:
    code = uuid.uuid4().hex
    metric = world.make("x_fc_metric", x_name="m", x_code=code, x_aggregation="sum")
    return {
        "x_name": "n",
        "x_code": code,
        "x_plan_code": "p",
        "x_metric_id": metric,
        "x_charge_model": "standard",
        "x_unit_price": "1",
        "x_currency": "CAD",
        "x_product_id": world.usage,
        **values,
    }


@pytest.mark.parametrize(
    ("model", "columns"),
    [
        ("x_fc_metric", ("x_code",)),
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
    world.make(model, **values)
    with pytest.raises(OdooRefusedError) as caught:
        world.make(model, **values)
    assert caught.value.name == "odoo.exceptions.ValidationError"
    assert str(caught.value) == (
        "The operation cannot be completed: duplicate key value violates unique constraint"
        f' "fusion_uq_{model}_{columns[0]}" DETAIL: Key ({", ".join(columns)})='
        f"({', '.join([key] * len(columns))}) already exists."
    )


@pytest.mark.parametrize(
    ("version", "shown"),
    [
        ({}, ", -infinity"),
        ({"x_variant": "gpu"}, "gpu, -infinity"),
        ({"x_variant": "gpu", "x_valid_from": "2026-10-01"}, "gpu, 2026-10-01"),
    ],
)
def test_a_charge_has_one_record_a_variant_and_day(
    world: World, version: dict[str, object], shown: str
) -> None:
    """Unset counts as a value: two default buckets, or two versions of all times, collide."""
    charge = _charge(world)
    world.make("x_fc_charge", **charge, x_variant="other", x_valid_from="2026-09-01")
    world.make("x_fc_charge", **charge, **version)
    with pytest.raises(OdooRefusedError) as caught:
        world.make("x_fc_charge", **charge, **version)
    assert str(caught.value) == (
        "The operation cannot be completed: duplicate key value violates unique constraint"
        ' "fusion_uq_x_fc_charge_x_plan_code_x_valid_from" DETAIL: Key (x_plan_code, x_code,'
        " COALESCE(x_variant, ''::character varying), COALESCE(x_valid_from, '-infinity'::date))="
        f"(p, {charge['x_code']}, {shown}) already exists."
    )


def test_tiers_live_within_their_charge(odoo: OdooClient, world: World) -> None:
    """Written as the form does: commands of the one2many; deleted with the charge."""
    tier = "x_fc_charge_tier"
    lines = [
        (0, 0, {"x_from": "0", "x_to": "1000", "x_unit_price": "0.0045"}),
        (0, 0, {"x_from": "1001", "x_flat_amount": "10"}),
    ]
    charge = world.make(
        "x_fc_charge", **_charge(world, x_charge_model="graduated", x_tier_ids=lines)
    )
    first, second = world.read("x_fc_charge", charge, "x_tier_ids")["x_tier_ids"]
    fields = ("x_charge_id", "x_from", "x_to", "x_unit_price", "x_flat_amount", "display_name")
    assert world.read(tier, first, *fields) == {
        "id": first,
        "x_charge_id": charge,
        "x_from": "0",
        "x_to": "1000",
        "x_unit_price": "0.0045",
        "x_flat_amount": False,
        "display_name": f"{tier},{first}",
    }
    odoo.write("x_fc_charge", [charge], {"x_tier_ids": [(1, first, {"x_to": "500"}), (2, second)]})
    assert world.read("x_fc_charge", charge, "x_tier_ids")["x_tier_ids"] == [first]
    assert world.read(tier, first, "x_to")["x_to"] == "500"
    fresh = [(5,), (0, 0, {"x_from": "0", "x_rate": "1"})]
    odoo.write("x_fc_charge", [charge], {"x_tier_ids": fresh})
    (only,) = world.read("x_fc_charge", charge, "x_tier_ids")["x_tier_ids"]
    assert only not in (first, second)
    odoo.call("x_fc_charge", "unlink", [charge])
    assert odoo.search_read(tier, [("id", "in", [first, second, only])], ["id"]) == []


def test_a_metric_with_charges_stays(odoo: OdooClient, world: World) -> None:
    charge = _charge(world)
    number = world.make("x_fc_charge", **charge)
    with pytest.raises(OdooRefusedError, match="nother model"):
        odoo.call("x_fc_metric", "unlink", [charge["x_metric_id"]])
    odoo.call("x_fc_charge", "unlink", [number])
    odoo.call("x_fc_metric", "unlink", [charge["x_metric_id"]])


def test_flags_and_days_of_the_catalogue(odoo: OdooClient, world: World) -> None:
    charge = _charge(world, x_prorated=True, x_valid_from="2026-10-01", x_filter='{"a": ["b"]}')
    number = world.make("x_fc_charge", **charge)
    fields = ("x_prorated", "x_valid_from", "x_valid_to", "x_filter", "x_tier_ids")
    row = {"id": number, "x_valid_from": "2026-10-01", "x_valid_to": False, "x_tier_ids": []}
    assert world.read("x_fc_charge", number, *fields) == {
        **row,
        "x_prorated": True,
        "x_filter": '{"a": ["b"]}',
    }
    odoo.write("x_fc_charge", [number], {"x_prorated": False, "x_valid_to": "2026-10-31"})
    metric = int(str(charge["x_metric_id"]))
    flags = world.read("x_fc_metric", metric, "x_recurring", "x_rounding_function")
    assert flags == {"id": metric, "x_recurring": False, "x_rounding_function": False}
    assert world.read("x_fc_charge", number, "x_prorated", "x_valid_to") == {
        "id": number,
        "x_prorated": False,
        "x_valid_to": "2026-10-31",
    }
    commitment = {"x_charge_model": "minimum_commitment", "x_metric_id": False, "x_unit_price": ""}
    world.make("x_fc_charge", **_charge(world, **commitment))


def test_an_orders_trial_and_pauses_do_not_travel(odoo: OdooClient, world: World) -> None:
    values = {"x_fc_trial_end": "2026-10-14", "x_fc_pauses": "2026-11-01.."}
    order = world.order(**values)
    assert world.read("sale.order", order, *values) == {"id": order, **values}
    rows = odoo.search_read(
        "ir.model.fields",
        [("model", "=", "sale.order"), ("name", "in", list(values))],
        ["copied"],
    )
    assert [row["copied"] for row in rows] == [False, False]


def test_a_one2many_names_its_other_end(odoo: OdooClient) -> None:
    (model,) = odoo.search_read("ir.model", [("model", "=", "x_fc_charge")], ["id"])
    field = {
        "model_id": model["id"],
        "name": "x_fc_test_ids",
        "field_description": "F",
        "ttype": "one2many",
        "relation": "x_fc_charge_tier",
        "state": "manual",
    }
    with pytest.raises(OdooRefusedError):
        odoo.create("ir.model.fields", [field])


def test_a_tier_in_a_view_must_exist(odoo: OdooClient) -> None:
    arch = (
        '<form><field name="x_tier_ids"><list><field name="x_from"/><field name="x_code"/>'
        "</list></field></form>"
    )
    with pytest.raises(OdooRefusedError, match='"x_code" does not exist in model "x_fc_charge_ti'):
        odoo.create(
            "ir.ui.view", [{"name": "v", "model": "x_fc_charge", "type": "form", "arch": arch}]
        )


def test_a_duplicate_line_key_undoes_the_whole_batch(odoo: OdooClient, world: World) -> None:
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


def test_keys_are_found_five_hundred_at_a_time(odoo: OdooClient, world: World) -> None:
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


def test_manual_names_start_with_x(odoo: OdooClient) -> None:
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


def test_a_model_without_rights_is_closed(odoo: OdooClient) -> None:
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
    with pytest.raises(OdooRefusedError, match=r"(doesn't|does not) exist"):
        odoo.fields_get(name)


def test_a_view_must_name_fields_that_exist(odoo: OdooClient) -> None:
    arch = '<list editable="bottom"><field name="x_nothing"/></list>'
    with pytest.raises(OdooRefusedError, match='Field "x_nothing" does not exist in model'):
        odoo.create(
            "ir.ui.view", [{"name": "v", "model": "x_fc_metric", "type": "list", "arch": arch}]
        )
