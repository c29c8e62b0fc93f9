"""POST /usage: what is accepted, how it is stored, and that it is stored once."""

from __future__ import annotations

import json

import pytest
from endpoint_world import Service, counter


def test_counters_are_stored_as_sent(app: Service) -> None:
    answer = app.post(
        "/usage",
        {
            "counters": [
                counter(0, properties={"region": "ca-tor", "cores": 4}),
                counter(1, **{"from": "2023-11-14T17:14:20-05:00", "to": "2023-11-14T22:15:20Z"}),
                counter(2, kind="cumulative", value=7, revision=3),
            ]
        },
        prefix="/api/billing/v1",
    )
    assert answer.status_code == 200
    usage = answer.json()["usage"]
    assert usage["accepted"] == 3
    assert usage["duplicates"] == 0
    assert app.rows(
        "transaction_id, code, kind, extract(epoch from window_start)::bigint, "
        "extract(epoch from window_end)::bigint, value::text, revision, properties, batch_id"
    ) == [
        ("tx0", "compute_hours", "delta", 1_700_000_000, 1_700_000_060, "1.5", 0,
         {"region": "ca-tor", "cores": 4}, usage["batch_id"]),
        ("tx1", "compute_hours", "delta", 1_700_000_060, 1_700_000_120, "1.5", 0, {},
         usage["batch_id"]),
        ("tx2", "compute_hours", "cumulative", 1_700_000_120, 1_700_000_180, "7", 3, {},
         usage["batch_id"]),
    ]  # fmt: skip
    assert app.rows("counters, duplicates", "raw.ingest_batch") == [(3, 0)]


@pytest.mark.parametrize(
    "written",
    [
        "12345678901234567890123456789012345678",
        "0.12345678901234567890123456789012345678",
        "1234567890123456789.0123456789012345678",
        "-0.1",
        "0.1000",
        "9007199254740993",  # 2^53 + 1: a double has no room for it
        "0.30000000000000004",
    ],
)
@pytest.mark.parametrize("quote", ["", '"'])
def test_numbers_reach_numeric_digit_for_digit(app: Service, written: str, quote: str) -> None:
    """As a JSON number and as a string. A float on the way would change every one of these."""
    body = (
        '{"counters":[{"external_subscription_id":"s","code":"c","from":1700000000,'
        f'"to":1700000001,"value":{quote}{written}{quote}}}]}}'
    )
    assert app.post_raw("/usage", body).status_code == 200
    assert app.rows("value::text") == [(written,)]


def test_an_exponent_becomes_digits(app: Service) -> None:
    app.post_raw("/usage", json.dumps({"counters": [counter()]}).replace('"1.5"', "1e37"))
    assert app.rows("value::text") == [("1" + "0" * 37,)]


def test_numbers_in_properties_stay_exact(app: Service) -> None:
    body = (
        '{"event":{"transaction_id":"t","code":"c","properties":'
        '{"value":12345678901234567890.12345678901234567890}}}'
    )
    answer = app.post_raw("/events", body)
    assert '"value":12345678901234567890.12345678901234567890' in answer.text
    assert app.rows("properties ->> 'value'") == [("12345678901234567890.12345678901234567890",)]
    assert '"value": 12345678901234567890.12345678901234567890' in app.get("/events/t").text


def test_a_counter_without_transaction_id_is_recognised_by_its_window(app: Service) -> None:
    sent = {"counters": [counter(0, transaction_id=None, properties={"b": 1, "a": 2})]}
    assert app.post("/usage", sent).json()["usage"]["accepted"] == 1
    same = counter(0, properties={"a": 2.0, "b": 1}, **{"from": "2023-11-14T22:13:20Z"})
    del same["transaction_id"]
    again = app.post("/usage", {"counters": [same]})
    assert again.json()["usage"] == {"accepted": 0, "duplicates": 1, "batch_id": None}
    for change in ({"properties": {"a": 3}}, {"revision": 1}, {"code": "storage_gb"}):
        other = counter(0, transaction_id=None, properties={"b": 1, "a": 2}) | change
        assert app.post("/usage", {"counters": [other]}).json()["usage"]["accepted"] == 1
    # The same window with another value is not new usage: it contradicts.
    clash = counter(0, transaction_id=None, properties={"b": 1, "a": 2}, value=2)
    assert app.post("/usage", {"counters": [clash]}).status_code == 422


def test_equal_values_written_differently_are_duplicates(app: Service) -> None:
    app.post("/usage", {"counters": [counter(value="1.50")]})
    for value in (1.5, "1.5", "15e-1", "1.500"):
        answer = app.post("/usage", {"counters": [counter(value=value)]})
        assert answer.json()["usage"]["duplicates"] == 1, value
    assert app.rows("value::text") == [("1.50",)]


def test_a_cumulative_reading_may_have_an_empty_window(app: Service) -> None:
    reading = counter(kind="cumulative", to=1_700_000_000)
    assert app.post("/usage", {"counters": [reading]}).status_code == 200


def test_the_same_transaction_id_on_another_subscription_is_another_counter(app: Service) -> None:
    body = {"counters": [counter(), counter(external_subscription_id="sub2")]}
    assert app.post("/usage", body).json()["usage"]["accepted"] == 2


def test_ten_thousand_counters_go_in_one_request(app: Service) -> None:
    body = {"counters": [counter(number) for number in range(10_000)]}
    assert app.post("/usage", body).json()["usage"]["accepted"] == 10_000
    body["counters"].append(counter(10_000))
    refused = app.post("/usage", body)
    assert refused.status_code == 422
    assert refused.json()["error_details"] == {"counters": ["too_many_counters"]}
    assert app.rows("count(*)", order="1") == [(10_000,)]


def test_a_request_id_comes_back_and_the_log_holds_no_payload(app: Service) -> None:
    body = {"counters": [counter(0, transaction_id="tell-nobody", value="123.456789")]}
    answer = app.http.post("/api/v1/usage", json=body, headers={"X-Request-Id": "call-42"})
    assert answer.headers["X-Request-Id"] == "call-42"
    assert len(app.get("/nothing").headers["X-Request-Id"]) == 32
    app.get("/events/tell-nobody")
    log = app.endpoint.log.read_text()
    assert '"request_id":"call-42"' in log
    assert f'"service":"{app.code}"' in log
    key = app.http.headers["Authorization"].removeprefix("Bearer ")
    for secret in ("tell-nobody", "123.456789", key, key[-8:]):
        assert secret not in log
