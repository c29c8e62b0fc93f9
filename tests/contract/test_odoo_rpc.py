"""Sessions, errors, and what search and read answer."""

from __future__ import annotations

import time
import uuid

import pytest
from odoo_world import Server, World

from odoo_gateway.client import OdooClient
from odoo_gateway.errors import OdooRefusedError

pytestmark = pytest.mark.odoo_real
USER_ERROR = "odoo.exceptions.UserError"
VALIDATION_ERROR = "odoo.exceptions.ValidationError"
NOT_FOUND = "werkzeug.exceptions.NotFound"
PRIVATE = (
    "odoo.exceptions.AccessError",
    "Private methods (such as 'sale.order._create_invoices') cannot be called remotely.",
)


def test_version_is_19_community(odoo: OdooClient) -> None:
    version = odoo.version()
    assert (version.series, version.enterprise) == ("19.0", False)


def test_a_wrong_key_is_refused_without_repeating_it(server: Server) -> None:
    with pytest.raises(OdooRefusedError) as caught:
        server.connect(key="not-the-key")
    assert "ODOO_API_KEY" in str(caught.value)
    assert "not-the-key" not in str(caught.value)
    assert caught.value.name == "odoo.exceptions.AccessDenied"


def test_an_unknown_database_is_named(server: Server) -> None:
    with pytest.raises(OdooRefusedError, match="ODOO_DB 'no_such_database'"):
        server.connect(db="no_such_database")


def test_a_wrong_user_is_named(server: Server) -> None:
    with pytest.raises(OdooRefusedError, match="ODOO_USER 'no_such_user'") as caught:
        server.connect(user="no_such_user")
    assert caught.value.name == "odoo.exceptions.AccessDenied"


@pytest.mark.parametrize(
    ("model", "method", "over_jsonrpc", "over_json2"),
    [
        (
            "no.such.model",
            "search",
            (USER_ERROR, "Object no.such.model doesn't exist"),
            (NOT_FOUND, "the model 'no.such.model' does not exist"),
        ),
        (
            "res.partner",
            "no_such_method",
            (
                "builtins.AttributeError",
                "The method 'res.partner.no_such_method' does not exist",
            ),
            (NOT_FOUND, "The method 'res.partner.no_such_method' does not exist"),
        ),
        ("sale.order", "_create_invoices", PRIVATE, PRIVATE),
    ],
)
def test_refused_calls(
    server: Server,
    odoo: OdooClient,
    model: str,
    method: str,
    over_jsonrpc: tuple[str, str],
    over_json2: tuple[str, str],
) -> None:
    with pytest.raises(OdooRefusedError) as caught:
        odoo.call(model, method, [])
    expected = over_json2 if server.json2 else over_jsonrpc
    assert (caught.value.name, str(caught.value)) == expected


def test_unknown_fields_are_value_errors(odoo: OdooClient) -> None:
    with pytest.raises(OdooRefusedError, match=r"Invalid field 'x_no' on 'res\.partner'") as read:
        odoo.search_read("res.partner", [], ["x_no"], limit=1)
    with pytest.raises(OdooRefusedError, match=r"Invalid field res.partner.x_no in condition"):
        odoo.search_read("res.partner", [("x_no", "=", 1)], ["name"])
    with pytest.raises(OdooRefusedError, match=r"Invalid field 'x_no' in 'res\.partner'"):
        odoo.create("res.partner", [{"name": "A", "x_no": 1}])
    with pytest.raises(OdooRefusedError, match=r"Invalid field 'x_no' on model 'res\.partner'"):
        odoo.search_read("res.partner", [], ["name"], order="x_no", limit=1)
    assert read.value.name == "builtins.ValueError"


def test_bad_values_are_value_errors(odoo: OdooClient, world: World) -> None:
    partner = world.partner()
    for values, words in (
        ({"subscription_state": "zz"}, "Wrong value for sale.order.subscription_state: 'zz'"),
        ({"start_date": "zz"}, "time data 'zz' does not match format '%Y-%m-%d'"),
        (
            {
                "client_order_ref": "A",
                "order_line": [(0, 0, {"product_id": world.usage, "product_uom_qty": "zz"})],
            },
            "could not convert string to float: 'zz'",
        ),
    ):
        with pytest.raises(OdooRefusedError) as caught:
            odoo.create("sale.order", [{"partner_id": partner, **values}])
        assert (caught.value.name, str(caught.value)) == ("builtins.ValueError", words)


def test_missing_records_and_values(odoo: OdooClient) -> None:
    with pytest.raises(OdooRefusedError, match="Record does not exist or has been deleted") as gone:
        odoo.write("res.partner", [99_999_999], {"name": "x"})
    assert gone.value.name == "odoo.exceptions.MissingError"
    assert odoo.call("res.partner", "read", [99_999_999], fields=["name"]) == []
    with pytest.raises(
        OdooRefusedError, match=r"Missing required value .* 'Customer' \(partner_id\)"
    ):
        odoo.create("sale.order", [{}])
    with pytest.raises(OdooRefusedError, match="Contacts require a name"):
        odoo.create("res.partner", [{}])


def test_a_dangling_reference_is_refused(odoo: OdooClient) -> None:
    with pytest.raises(OdooRefusedError, match=r"constraint: 'Country' \(country_id\)") as caught:
        odoo.create("res.partner", [{"name": "A", "country_id": 9_999_999}])
    assert caught.value.name == VALIDATION_ERROR


def test_create_is_all_or_nothing_and_keeps_order(odoo: OdooClient) -> None:
    ref = uuid.uuid4().hex
    ids = odoo.create("res.partner", [{"name": f"P{n}", "ref": ref} for n in range(3)])
    found = odoo.search_read("res.partner", [("ref", "=", ref)], ["name"])
    assert [(row["id"], row["name"]) for row in found] == [
        (number, f"P{n}") for n, number in enumerate(ids)
    ]
    other = uuid.uuid4().hex
    with pytest.raises(OdooRefusedError):
        odoo.create("res.partner", [{"name": "good", "ref": other}, {"ref": other}])
    assert odoo.search_read("res.partner", [("ref", "=", other)], ["id"]) == []


def test_records_come_raw(odoo: OdooClient, world: World) -> None:
    """many2one as a bare id, unset as False, lists of ids, floats as numbers."""
    partner = world.partner()
    order = world.order({"price_unit": 0.0023}, partner_id=partner, confirm=False)
    row = world.read("sale.order", order, "partner_id", "origin", "order_line", "invoice_ids")
    (line,) = world.lines(order, "order_id", "price_unit", "product_uom_qty", "display_type")
    assert row == {
        "id": order,
        "partner_id": partner,
        "origin": False,
        "order_line": [line["id"]],
        "invoice_ids": [],
    }
    assert (line["order_id"], line["price_unit"], line["display_type"]) == (order, 0.0023, False)
    assert line["product_uom_qty"] == 1.0
    pair = odoo.call("sale.order", "read", [order], fields=["partner_id"])[0]["partner_id"]
    assert pair[0] == partner
    assert isinstance(pair[1], str)


def test_archived_records_are_read(odoo: OdooClient) -> None:
    ref = uuid.uuid4().hex
    (partner,) = odoo.create("res.partner", [{"name": "Gone", "ref": ref, "active": False}])
    assert [
        row["id"] for row in odoo.search_read("res.partner", [("ref", "=", ref)], ["name"])
    ] == [partner]
    count = odoo.call("res.partner", "read", [partner], fields=["active"])
    assert count == [{"id": partner, "active": False}]


def test_counting_takes_archived_records_too(odoo: OdooClient) -> None:
    ref = uuid.uuid4().hex
    odoo.create("res.partner", [{"name": "A", "ref": ref, "active": live} for live in (1, 0, 1)])
    assert odoo.search_count("res.partner", [("ref", "=", ref)]) == 3
    assert odoo.search_count("res.partner", [("ref", "=", f"{ref}-")]) == 0
    with pytest.raises(OdooRefusedError, match="Invalid field"):
        odoo.search_count("res.partner", [("x_no", "=", 1)])


def test_a_call_takes_arguments_by_name_and_answers_as_the_method_does(odoo: OdooClient) -> None:
    (partner,) = odoo.create("res.partner", [{"name": "A"}])
    assert odoo.call("res.partner", "write", [partner], vals={"name": "B"}) is True
    assert odoo.call("res.partner", "read", [partner], fields=["name"]) == [
        {"id": partner, "name": "B"}
    ]
    with pytest.raises(OdooRefusedError, match="argument"):
        odoo.call("res.partner", "write", [partner], values={"name": "C"})


def test_domains(odoo: OdooClient) -> None:
    ref = uuid.uuid4().hex
    names = ["Alpha", "beta", "Gamma", "delta"]
    odoo.create(
        "res.partner",
        [
            {"name": name, "ref": ref, "email": f"{name}@x.ca" if n % 2 else False}
            for n, name in enumerate(names)
        ],
    )

    def found(*domain: object) -> list[str]:
        terms = [("ref", "=", ref), *domain]
        return [row["name"] for row in odoo.search_read("res.partner", terms, ["name"])]

    assert found() == names
    assert found(("name", "in", ["beta", "delta"])) == ["beta", "delta"]
    assert found(("name", "not in", ["beta", "delta"])) == ["Alpha", "Gamma"]
    assert found(("name", "!=", "beta")) == ["Alpha", "Gamma", "delta"]
    assert found(("email", "=", False)) == ["Alpha", "Gamma"]
    assert found(("email", "!=", False)) == ["beta", "delta"]
    assert found(("name", "ilike", "ALPH")) == ["Alpha"]
    assert found(("name", "like", "a%ma")) == ["Gamma"]
    assert found(("name", "=like", "%ta")) == ["beta", "delta"]
    assert found("|", ("name", "=", "beta"), ("email", "=", False)) == ["Alpha", "beta", "Gamma"]
    assert found("!", ("name", "=", "beta")) == ["Alpha", "Gamma", "delta"]
    assert found(
        "&", "|", ("name", "=", "beta"), ("name", "=", "Alpha"), ("email", "=", False)
    ) == ["Alpha"]
    assert found(("id", "in", [])) == []
    with pytest.raises(OdooRefusedError, match="malformed domain"):
        found("&", ("name", "=", "x"), "|")
    with pytest.raises(OdooRefusedError, match="Invalid operator in condition"):
        found(("name", "foo", "x"))


def test_order_limit_and_paths(odoo: OdooClient, world: World) -> None:
    code = uuid.uuid4().hex
    order = world.order({"sequence": 3}, {"sequence": 1}, confirm=False, x_fc_service_code=code)
    rows = odoo.search_read(
        "sale.order.line", [("order_id.x_fc_service_code", "=", code)], ["sequence"]
    )
    assert [row["sequence"] for row in rows] == [3, 1]
    down = odoo.search_read(
        "sale.order.line", [("order_id", "=", order)], ["sequence"], order="sequence desc", limit=1
    )
    assert [row["sequence"] for row in down] == [3]
    assert world.read("sale.order", order, "order_line")["order_line"] == [
        rows[1]["id"],
        rows[0]["id"],
    ]


def test_write_dates_are_seconds_and_compare_as_such(odoo: OdooClient, world: World) -> None:
    partner = world.partner()
    before = world.read("res.partner", partner, "write_date", "create_date")
    stamp = before["write_date"]
    assert len(stamp) == len("2026-11-21 22:00:00")
    for operator, expected in (("=", 1), (">=", 1), ("<=", 1), (">", 0), ("<", 0)):
        domain = [("id", "=", partner), ("write_date", operator, stamp)]
        assert len(odoo.search_read("res.partner", domain, ["id"])) == expected
    deadline = time.monotonic() + 5
    after = before
    while after["write_date"] == stamp and time.monotonic() < deadline:
        odoo.write("res.partner", [partner], {"phone": str(time.monotonic())})
        after = world.read("res.partner", partner, "write_date", "create_date")
    assert after["write_date"] > stamp
    assert after["create_date"] == before["create_date"]


def test_fields_get_tells_types(odoo: OdooClient) -> None:
    fields = odoo.fields_get("sale.order")
    assert fields["partner_id"]["type"] == "many2one"
    assert fields["partner_id"]["relation"] == "res.partner"
    assert fields["order_line"]["type"] == "one2many"
    assert fields["x_fc_billing_time"]["type"] == "selection"
    # Digits that only an administrator reads in `decimal.precision`.
    line = odoo.fields_get("sale.order.line")
    assert (line["qty_delivered"]["digits"], line["price_unit"]["digits"]) == ([16, 2], False)
    assert line["price_unit"]["min_display_digits"] == 2
    assert "min_display_digits" not in line["qty_delivered"]
    with pytest.raises(OdooRefusedError, match=r"no\.such\.model.* (doesn't|does not) exist"):
        odoo.fields_get("no.such.model")


def test_currency_rates_are_units_per_company_currency(odoo: OdooClient, world: World) -> None:
    (dollar,) = odoo.search_read("res.currency", [("name", "=", "USD")], ["id"])
    day = "2020-01-02"
    old = odoo.search_read(
        "res.currency.rate", [("currency_id", "=", dollar["id"]), ("name", "=", day)], ["id"]
    )
    if not old:
        world.make("res.currency.rate", currency_id=dollar["id"], name=day, rate=0.77)
    with pytest.raises(OdooRefusedError, match="Only one currency rate per day allowed!"):
        world.make("res.currency.rate", currency_id=dollar["id"], name=day, rate=0.78)
    (row,) = odoo.search_read(
        "res.currency.rate",
        [("currency_id", "=", dollar["id"]), ("name", "=", day)],
        ["rate", "inverse_company_rate"],
    )
    assert row["rate"] == 0.77
    assert row["inverse_company_rate"] == pytest.approx(1 / 0.77)


def test_a_right_is_told(odoo: OdooClient) -> None:
    assert odoo.call("sale.order.line", "has_access", [], operation="create") is True
