"""Customers and subscriptions over HTTP: what is asked is recorded once, and read back."""

from __future__ import annotations

import concurrent.futures
from typing import Any

import pytest
from endpoint_world import Service

CUSTOMER = {
    "external_id": "acct_1",
    "name": "Maple Analytics",
    "email": "Billing@Maple.example",
    "tax_identification_number": "123456782RT0001",
    "address_line1": "1 King St W",
    "city": "Toronto",
    "state": "ON",
    "zipcode": "M5H 1A1",
    "country": "CA",
    "currency": "CAD",
    "timezone": "America/Toronto",
    "metadata": [{"key": "seats", "value": "3", "display_in_invoice": False}],
}


def post(app: Service, **changes: Any) -> Any:
    answer = app.post("/customers", {"customer": CUSTOMER | changes})
    assert answer.status_code == 200, answer.text
    return answer.json()["customer"]


def commands(app: Service) -> list[Any]:
    return app.rows("kind, external_id, payload", "raw.command", order="command_id")


def test_a_customer_is_recorded_and_read_back(app: Service) -> None:
    customer = post(app)
    assert {name: customer[name] for name in CUSTOMER} == CUSTOMER
    assert customer["applicable_timezone"] == "America/Toronto"
    assert customer["fusion"]["state"] == "pending"
    assert customer["fusion"]["odoo"] is None
    assert commands(app) == [("customer", "acct_1", CUSTOMER)]
    assert app.get("/customers/acct_1").json() == {"customer": customer}
    found = app.get("/customers").json()
    assert found["customers"] == [customer]
    assert found["meta"] == {
        "current_page": 1,
        "next_page": None,
        "prev_page": None,
        "total_pages": 1,
        "total_count": 1,
    }


def test_a_repeat_is_no_new_command_and_a_change_is_one(app: Service) -> None:
    first = post(app)
    assert post(app) == first
    assert post(app, phone=None, legal_name="") == first  # nothing given
    assert len(commands(app)) == 1
    answer = app.post("/customers", {"customer": {"external_id": "acct_1", "city": "Ottawa"}})
    changed = answer.json()["customer"]
    assert (changed["city"], changed["name"]) == ("Ottawa", "Maple Analytics")
    assert changed["created_at"] == first["created_at"]
    assert [payload["city"] for _, _, payload in commands(app)] == ["Toronto", "Ottawa"]
    # Back to what it was is a change as well.
    assert post(app)["city"] == "Toronto"
    assert len(commands(app)) == 3


def test_a_storm_of_repeats_is_one_command(app: Service) -> None:
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: post(app), range(48)))
    assert all(answer == answers[0] for answer in answers)
    assert len(commands(app)) == 1


def test_an_integer_id_is_its_text(app: Service) -> None:
    assert post(app, external_id=42)["external_id"] == "42"
    assert app.get("/customers/42").status_code == 200


def test_there_is_no_customer_of_that_name(app: Service) -> None:
    for path in ("/customers/nobody", "/customers/%00"):
        answer = app.get(path)
        assert (answer.status_code, answer.json()["code"]) == (404, "customer_not_found")


@pytest.mark.parametrize(
    ("changes", "details"),
    [
        ({"external_id": None}, {"external_id": ["value_is_mandatory"]}),
        ({"external_id": " "}, {"external_id": ["value_is_mandatory"]}),
        ({"external_id": "x" * 256}, {"external_id": ["value_is_invalid"]}),
        ({"external_id": 1.5}, {"external_id": ["value_is_invalid"]}),
        ({"external_id": "a\0"}, {"external_id": ["value_is_invalid"]}),
        ({"name": 7, "city": ["x"]}, {"name": ["value_is_invalid"], "city": ["value_is_invalid"]}),
        ({"name": "x" * 256}, {"name": ["value_is_invalid"]}),
        ({"name": "a\0b"}, {"name": ["value_is_invalid"]}),
        ({"email": "nobody"}, {"email": ["invalid_format"]}),
        ({"email": "a@b.c, d@e.f"}, {"email": ["invalid_format"]}),
        ({"country": "Canada"}, {"country": ["value_is_invalid"]}),
        ({"currency": "cad"}, {"currency": ["value_is_invalid"]}),
        ({"currency": "USD"}, {"currency": ["value_is_invalid"]}),  # nothing is priced in it
        ({"timezone": "Toronto"}, {"timezone": ["value_is_invalid"]}),
        ({"customer_type": "robot"}, {"customer_type": ["value_is_invalid"]}),
        ({"net_payment_term": -1}, {"net_payment_term": ["value_is_invalid"]}),
        ({"net_payment_term": "30"}, {"net_payment_term": ["value_is_invalid"]}),
        ({"net_payment_term": True}, {"net_payment_term": ["value_is_invalid"]}),
        ({"logo_url": "x" * 2001}, {"logo_url": ["value_is_invalid"]}),
        ({"metadata": {}}, {"metadata": ["value_is_invalid"]}),
        ({"metadata": [{"key": "a\0"}]}, {"metadata": ["value_is_invalid"]}),
        ({"billing_configuration": []}, {"billing_configuration": ["value_is_invalid"]}),
        ({"tax_codes": ["x" * 70_000]}, {"tax_codes": ["value_is_invalid"]}),
    ],
)  # fmt: skip
def test_bad_fields_are_named(app: Service, changes: Any, details: Any) -> None:
    answer = app.post("/customers", {"customer": CUSTOMER | changes})
    assert answer.status_code == 422
    assert answer.json() == {
        "status": 422,
        "error": "Unprocessable Entity",
        "code": "validation_errors",
        "error_details": details,
    }
    assert commands(app) == []


@pytest.mark.parametrize("path", ["customers", "subscriptions"])
@pytest.mark.parametrize(
    "body",
    ['{"customer', "[]", '"x"', "{}", '{"wrong": {}}', '{"customer": {}, "subscription": {}}',
     '{"customer": null, "subscription": null}', '{"customer": {"external_id": "\\ud800"},'
     ' "subscription": {"external_id": "\\ud800"}}'],
)  # fmt: skip
def test_what_is_no_such_thing_at_all_is_a_bad_request(app: Service, path: str, body: str) -> None:
    answer = app.post_raw(f"/{path}", body)
    assert answer.status_code == 400
    assert answer.json().keys() == {"status", "error"}


@pytest.mark.parametrize("path", ["customer", "subscription"])
def test_a_root_that_is_no_object_and_a_key_that_comes_twice(app: Service, path: str) -> None:
    answer = app.post_raw(f"/{path}s", f'{{"{path}": [1]}}')
    assert answer.json()["error_details"] == {path: ["value_is_invalid"]}
    answer = app.post_raw(f"/{path}s", f'{{"{path}": {{"external_id": "a", "external_id": "b"}}}}')
    assert answer.json()["error_details"] == {"external_id": ["value_is_invalid"]}


def test_all_together_too_large(app: Service) -> None:
    half = {"a": "x" * 40_000}
    answer = app.post(
        "/customers",
        {"customer": CUSTOMER | {"shipping_address": half, "billing_configuration": half}},
    )
    assert answer.json()["error_details"] == {"customer": ["value_is_invalid"]}


def test_pages(app: Service) -> None:
    for number in range(5):
        post(app, external_id=f"a{number}")
    page = app.get("/customers", page=2, per_page=2).json()
    assert len(page["customers"]) == 2
    assert page["meta"]["next_page"] == 3
    assert app.get("/customers", page=9).json()["customers"] == []
    assert app.get("/customers", page="x").status_code == 422
