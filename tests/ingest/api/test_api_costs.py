"""POST /costs: what apps know of their providers' costs, stored exactly, once, and corrected."""

from __future__ import annotations

import asyncio
import json
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from endpoint_world import Service
from sqlalchemy.engine import make_url

from ingest.api.cost_bodies import Cost, costs_of
from ingest.api.costs import land_costs
from ingest.api.database import Database

NONE, BAD = "value_is_mandatory", "value_is_invalid"
STORED = (
    "cost_key, provider, sku, day::text, external_account_id, quantity::text, amount::text,"
    " currency, source, file"
)


def cost(**changes: Any) -> dict[str, Any]:
    return {
        "provider": "google_maps",
        "sku": "geocoding",
        "day": "2026-09-30",
        "external_account_id": "acct_42",
        "quantity": 31,
        "amount": "0.0527",
        "currency": "USD",
    } | changes


def told(app: Service, *costs: dict[str, Any]) -> dict[str, int]:
    answer = app.post("/costs", {"costs": list(costs)})
    assert answer.status_code == 200, answer.text
    receipt: dict[str, int] = answer.json()["costs"]
    return receipt


def stored(app: Service, columns: str = STORED) -> list[Any]:
    return app.rows(columns, "raw.provider_cost", order="provider, sku, external_account_id")


def key_of(app: Service) -> str:
    return app.http.headers["Authorization"].removeprefix("Bearer ")


def test_costs_are_stored_as_sent(app: Service) -> None:
    """Under the key's service; without an account the service shares them."""
    shared = cost(sku="tiles/€", external_account_id=None, quantity="0", amount=-3.75)
    receipt = told(app, cost(), shared | {"currency": "CAD", "service_code": app.code})
    assert receipt == {"accepted": 2, "changed": 0, "duplicates": 0}
    assert stored(app) == [
        (f"google_maps/geocoding/2026-09-30/{app.code}/acct_42", "google_maps", "geocoding",
         "2026-09-30", "acct_42", "31", "0.0527", "USD", "api", "POST /costs"),
        (f"google_maps/tiles%2F%E2%82%AC/2026-09-30/{app.code}/", "google_maps", "tiles/€",
         "2026-09-30", None, "0", "-3.75", "CAD", "api", "POST /costs"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "written",
    [
        "123456789012345.12345678901234567891",
        "999999999999999.30",
        "-0.1000",
        "0.00000000000000000001",
        "1.6337000000000002",
    ],
)
@pytest.mark.parametrize("quote", ["", '"'])
def test_amounts_reach_numeric_digit_for_digit(app: Service, written: str, quote: str) -> None:
    """A float on the way would change every one of these."""
    text = json.dumps({"costs": [cost(amount="AMOUNT")]})
    body = text.replace('"AMOUNT"', f"{quote}{written}{quote}")
    assert app.post_raw("/costs", body).status_code == 200
    assert stored(app, "amount::text") == [(written,)]


def test_the_same_again_is_a_duplicate_and_another_amount_corrects(app: Service) -> None:
    told(app, cost(), cost(sku="tiles"))
    before = stored(app, "loaded_at, amount::text")
    same = cost(amount="0.05270", quantity="31.0")  # the same numbers in other notations
    assert told(app, same, cost(sku="tiles")) == {"accepted": 0, "changed": 0, "duplicates": 2}
    assert stored(app, "loaded_at, amount::text") == before
    corrected = cost(amount="0.0600")
    assert told(app, corrected, cost(sku="tiles"), cost(sku="routes")) == {
        "accepted": 1,
        "changed": 1,
        "duplicates": 1,
    }
    assert stored(app, "sku, amount::text") == [
        ("geocoding", "0.0600"),
        ("routes", "0.0527"),
        ("tiles", "0.0527"),
    ]
    assert told(app, cost(sku="tiles", currency="CAD"))["changed"] == 1
    assert stored(app, "currency") == [("USD",), ("USD",), ("CAD",)]


def test_a_cost_told_twice_in_one_request_is_one(app: Service) -> None:
    number, text = cost(external_account_id=42), cost(external_account_id="42", amount="0.05270")
    assert told(app, number, text) == {"accepted": 1, "changed": 0, "duplicates": 1}
    refused = app.post("/costs", {"costs": [cost(), cost(amount=1, currency="CAD")]})
    assert refused.status_code == 422
    assert refused.json()["error_details"] == {
        "1": {"amount": ["value_already_exist"], "currency": ["value_already_exist"]}
    }
    assert stored(app, "external_account_id") == [("42",)]


@pytest.mark.parametrize(
    ("change", "errors"),
    [
        ({"provider": None, "sku": " "}, {"provider": NONE, "sku": NONE}),
        ({"provider": 7, "sku": "x" * 256}, {"provider": BAD, "sku": BAD}),
        ({"sku": "\0"}, {"sku": BAD}),
        ({"external_account_id": True}, {"external_account_id": BAD}),
        ({"day": None}, {"day": NONE}),
        ({"day": "2026-09-31"}, {"day": "invalid_format"}),
        ({"day": "2026-09-30T00:00:00Z"}, {"day": "invalid_format"}),
        ({"day": 1_700_000_000}, {"day": "invalid_format"}),
        ({"day": "1969-12-31"}, {"day": BAD}),
        ({"amount": "", "quantity": None}, {"amount": NONE, "quantity": NONE}),
        ({"amount": "1,50", "quantity": True}, {"amount": BAD, "quantity": BAD}),
        ({"amount": "9" * 39}, {"amount": BAD}),
        ({"amount": "1e33", "quantity": -(10**15)}, {"amount": BAD, "quantity": BAD}),
        ({"amount": "0.000000000000000000001"}, {"amount": BAD}),
        ({"service_code": "another", "amount": None}, {"service_code": BAD, "amount": NONE}),
        ({"service_code": 7}, {"service_code": BAD}),
        ({"currency": None}, {"currency": NONE}),
        ({"currency": "usd"}, {"currency": BAD}),
        ({"currency": "ZZZ"}, {"currency": BAD}),
        ({"currency": 978}, {"currency": BAD}),
        ({"sku": "\U0001f5fa" * 200, "external_account_id": "x" * 255}, {"sku": BAD}),
    ],
)
def test_every_bad_field_is_named_and_nothing_is_stored(
    app: Service, change: dict[str, Any], errors: dict[str, str]
) -> None:
    answer = app.post("/costs", {"costs": [cost(), cost() | change, cost(sku="other")]})
    assert answer.status_code == 422, answer.text
    assert answer.json()["code"] == "validation_errors"
    assert answer.json()["error_details"] == {"1": {name: [code] for name, code in errors.items()}}
    assert stored(app) == []


def test_a_day_may_lie_a_day_ahead_and_no_more(app: Service) -> None:
    """Somewhere it is tomorrow already."""
    today = datetime.now(UTC).date()
    assert told(app, cost(day=str(today + timedelta(days=1))))["accepted"] == 1
    refused = app.post("/costs", {"costs": [cost(day=str(today + timedelta(days=3)))]})
    assert refused.json()["error_details"] == {"0": {"day": [BAD]}}


def test_bodies_that_hold_no_costs(app: Service) -> None:
    for body, status in (("{}", 400), ("[]", 400), ("{", 400), ('{"costs": 1}', 422)):
        assert app.post_raw("/costs", body).status_code == status, body
    assert app.post("/costs", {"costs": []}).json()["error_details"] == {"costs": ["no_costs"]}
    nothing = app.post("/costs", {"costs": [cost(), 7]})
    assert nothing.json()["error_details"] == {"1": {"cost": [BAD]}}
    several = app.post("/costs", {"costs": [1, cost(), None, "x", []]})
    assert several.json()["error_details"] == {index: {"cost": [BAD]} for index in "0234"}
    huge = json.dumps({"costs": [cost(), 7, cost()]}).replace("0.0527", "1").replace("31", "1e999")
    assert app.post_raw("/costs", huge).json()["error_details"].keys() == {"0", "1", "2"}
    body = json.dumps({"costs": [cost()]}).removesuffix("}]}")
    twice = app.post_raw("/costs", body + ', "amount": 9}]}')
    assert twice.json()["error_details"] == {"0": {"amount": [BAD]}}


def test_ten_thousand_costs_go_in_one_request(app: Service) -> None:
    costs = [cost(external_account_id=f"acct_{number}") for number in range(10_000)]
    assert told(app, *costs)["accepted"] == 10_000
    assert told(app, *costs)["duplicates"] == 10_000
    refused = app.post("/costs", {"costs": [*costs, cost()]})
    assert refused.json()["error_details"] == {"costs": ["too_many_costs"]}
    assert len(stored(app, "cost_key")) == 10_000


def test_the_same_costs_at_the_same_time_are_counted_once(app: Service) -> None:
    costs = [cost(external_account_id=f"acct_{number}") for number in range(200)]
    receipts: list[dict[str, int]] = []

    def post() -> None:
        with app.endpoint.client(key_of(app)) as client:
            answer = client.post("/api/v1/costs", json={"costs": costs})
        receipts.append(answer.raise_for_status().json()["costs"])

    threads = [threading.Thread(target=post) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(receipt["accepted"] for receipt in receipts) == 200
    assert sum(receipt["duplicates"] for receipt in receipts) == 1000


def test_another_services_cost_of_the_same_name_is_another(app: Service) -> None:
    told(app, cost())
    stranger = app.endpoint.service()
    assert told(stranger, cost(amount=9)) == {"accepted": 1, "changed": 0, "duplicates": 0}
    assert stored(app, "amount::text") == [("0.0527",)]


def test_the_role_ingest_is_enough(app: Service) -> None:
    """A login of nothing but fusion_ingest stores, corrects and tells what was there."""
    url = make_url(app.endpoint.database_url)
    costs = [Cost(**cost(**change)) for change in ({}, {"amount": 1}, {"amount": 1})]

    async def land(text: str) -> list[tuple[int, int]]:
        database = Database(text)
        fates = [await land_costs(database, app.code, costs_of([each], app.code)) for each in costs]
        await database.close()
        return fates

    with psycopg.connect(app.endpoint.database_url, autocommit=True) as admin:
        admin.execute("create role ingest_alone login password 'x' in role fusion_ingest")
        try:
            given = url.set(username="ingest_alone", password="x")
            fates = asyncio.run(land(given.render_as_string(hide_password=False)))
        finally:
            admin.execute("drop role ingest_alone")
    assert fates == [(0, 0), (1, 0), (0, 1)]
