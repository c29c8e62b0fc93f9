"""Whatever a client sends has its 4xx with index and field; nothing has a 500."""

from __future__ import annotations

import json
import time
from typing import Any

import httpx
import pytest
from endpoint_world import Endpoint, Service, counter, event
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

MANDATORY, INVALID, FORMAT = ["value_is_mandatory"], ["value_is_invalid"], ["invalid_format"]
TOMORROW = 90_000  # seconds ahead: a day and an hour


@pytest.mark.parametrize(
    ("change", "details"),
    [
        ({"external_subscription_id": None}, {"external_subscription_id": MANDATORY}),
        ({"external_subscription_id": " "}, {"external_subscription_id": MANDATORY}),
        ({"external_subscription_id": "x" * 256}, {"external_subscription_id": INVALID}),
        ({"external_subscription_id": ["s"]}, {"external_subscription_id": INVALID}),
        ({"external_subscription_id": 1.5}, {"external_subscription_id": INVALID}),
        ({"code": None}, {"code": MANDATORY}),
        ({"code": 5}, {"code": INVALID}),
        ({"code": "a\0b"}, {"code": INVALID}),
        ({"transaction_id": "a\0b"}, {"transaction_id": INVALID}),
        ({"transaction_id": True}, {"transaction_id": INVALID}),
        ({"from": None, "to": None}, {"from": MANDATORY, "to": MANDATORY}),
        ({"from": "2023-11-14T22:13:20"}, {"from": FORMAT}),
        ({"from": "yesterday"}, {"from": FORMAT}),
        ({"from": {}}, {"from": FORMAT}),
        ({"from": -5}, {"from": FORMAT}),
        ({"to": 1e300}, {"to": FORMAT}),
        ({"to": 1_700_000_000_000}, {"to": FORMAT}),  # milliseconds
        ({"to": 1_700_000_000}, {"to": INVALID}),  # an empty window
        ({"to": 1_699_999_999}, {"to": INVALID}),
        ({"to": 1_699_999_999, "kind": "cumulative"}, {"to": INVALID}),
        ({"value": None}, {"value": MANDATORY}),
        ({"value": "NaN"}, {"value": INVALID}),
        ({"value": "Infinity"}, {"value": INVALID}),
        ({"value": "1e400"}, {"value": INVALID}),
        ({"value": "1" * 39}, {"value": INVALID}),
        ({"value": int("1" * 39)}, {"value": INVALID}),
        ({"value": True}, {"value": INVALID}),
        ({"value": "ten"}, {"value": INVALID}),
        ({"value": "1_000"}, {"value": INVALID}),
        ({"value": [1]}, {"value": INVALID}),
        ({"revision": -1}, {"revision": INVALID}),
        ({"revision": 2**31}, {"revision": INVALID}),
        ({"revision": "1"}, {"revision": INVALID}),
        ({"kind": "event"}, {"kind": INVALID}),
        ({"kind": 1}, {"kind": INVALID}),
        ({"kind": []}, {"kind": INVALID}),
        ({"properties": []}, {"properties": INVALID}),
        ({"properties": "text"}, {"properties": INVALID}),
        ({"properties": {"a": "b\0"}}, {"properties": INVALID}),
        ({"properties": {"a\0": 1}}, {"properties": INVALID}),
        ({"properties": {"a": [{"b": "\0"}]}}, {"properties": INVALID}),
        ({"properties": {"a": "x" * 70_000}}, {"properties": INVALID}),
        ({"properties": json.loads('{"a":' * 40 + "1" + "}" * 40)}, {"properties": INVALID}),
        ({"value": "x", "code": "", "from": "?"},
         {"value": INVALID, "code": MANDATORY, "from": FORMAT}),
    ],
)  # fmt: skip
def test_a_bad_counter(app: Service, change: dict[str, Any], details: dict[str, Any]) -> None:
    answer = app.post("/usage", {"counters": [counter(0), counter(1, **change)]})
    assert answer.status_code == 422, answer.text
    assert answer.json() == {
        "status": 422,
        "error": "Unprocessable Entity",
        "code": "validation_errors",
        "error_details": {"1": details},
    }
    assert app.rows("count(*)") == [(0,)]


def test_windows_may_be_a_day_ahead_and_no_more(app: Service) -> None:
    now = int(time.time())
    near = counter(0, **{"from": now, "to": now + 80_000})
    assert app.post("/usage", {"counters": [near]}).status_code == 200
    far = counter(1, **{"from": now, "to": now + TOMORROW})
    answer = app.post("/usage", {"counters": [far]})
    assert answer.json()["error_details"] == {"0": {"to": INVALID}}
    answer = app.post("/events", {"event": event(timestamp=now + TOMORROW)})
    assert answer.json()["error_details"] == {"timestamp": INVALID}


def test_every_bad_counter_of_a_request_is_named(app: Service) -> None:
    batch = [counter(0), counter(1, value="x"), counter(2), counter(3, code=None)]
    answer = app.post("/usage", {"counters": batch})
    assert answer.json()["error_details"] == {"1": {"value": INVALID}, "3": {"code": MANDATORY}}


@pytest.mark.parametrize(
    ("change", "details"),
    [
        ({"transaction_id": None}, {"transaction_id": MANDATORY}),
        ({"transaction_id": "", "code": ""}, {"transaction_id": MANDATORY, "code": MANDATORY}),
        ({"timestamp": "2023-11-14T22:13:20Z"}, {"timestamp": FORMAT}),
        ({"timestamp": ""}, {"timestamp": FORMAT}),
        ({"timestamp": True}, {"timestamp": FORMAT}),
        ({"timestamp": []}, {"timestamp": FORMAT}),
        ({"precise_total_amount_cents": "many"}, {"precise_total_amount_cents": INVALID}),
        ({"properties": 5}, {"properties": INVALID}),
        ({"external_subscription_id": {}}, {"external_subscription_id": INVALID}),
    ],
)
def test_a_bad_event(app: Service, change: dict[str, Any], details: dict[str, Any]) -> None:
    """By field alone for one event, by index and field in a batch."""
    single = app.post("/events", {"event": event(**change)})
    assert (single.status_code, single.json()["error_details"]) == (422, details)
    batch = app.post("/events/batch", {"events": [event(1), event(2), event(**change)]})
    assert (batch.status_code, batch.json()["error_details"]) == (422, {"2": details})
    assert app.rows("count(*)") == [(0,)]


MISSING = "BadRequest: param is missing or the value is empty: "


@pytest.mark.parametrize(
    ("path", "body", "status", "told"),
    [
        ("/events", "{}", 400, MISSING + "event"),
        ("/events", '{"event":{}}', 400, MISSING + "event"),
        ("/events", '{"event":null}', 400, MISSING + "event"),
        ("/events/batch", "{}", 400, MISSING + "events"),
        ("/usage", '{"usage":[]}', 400, MISSING + "counters"),
        ("/usage", "", 400, None),
        ("/usage", "[]", 400, None),
        ("/usage", "7", 400, None),
        ("/usage", "{", 400, None),
        ("/usage", '{"counters":[]} x', 400, None),
        ("/usage", '{"counters":[NaN]}', 400, None),
        ("/usage", b'{"counters":[{"code":"\xff"}]}', 400, None),
        ("/usage", '{"counters":[{"code":"\\ud800"}]}', 400, None),
        ("/usage", '{"counters":[{"code":"\\udc00x"}]}', 400, None),
        ("/usage", '{"counters":[{"value":NaN}]}', 400, None),
        ("/usage", '{"counters":[{"value":' + "[" * 100_000, 400, None),
        ("/usage", '{"counters":[{"properties":' + '{"a":' * 5_000 + "1", 400, None),
        ("/usage", '{"counters":[]}', 422, {"counters": ["no_counters"]}),
        ("/usage", '{"counters":{}}', 422, {"counters": INVALID}),
        ("/usage", '{"counters":[1]}', 422, {"0": {"counter": INVALID}}),
        ("/usage", '{"counters":[{"value":1e99999}]}', 422, {"0": {"value": INVALID}}),
        ("/usage", '{"counters":[{"value":1.%s}]}' % ("1" * 999), 422, {"0": {"value": INVALID}}),
        ("/usage", '{"counters":[{"value":%s}]}' % ("1" * 5000), 422, {"0": {"value": INVALID}}),
        ("/events", '{"event":3}', 422, {"event": INVALID}),
        ("/events", '{"event":{"properties":{"a":[1e999]}}}', 422, {"properties": INVALID}),
        ("/events/batch", '{"events":[{},null]}', 422, {"1": {"event": INVALID}}),
    ],
)  # fmt: skip
def test_a_bad_body(app: Service, path: str, body: str | bytes, status: int, told: Any) -> None:
    answer = app.post_raw(path, body)
    assert answer.status_code == status, answer.text
    if status == 400:
        assert set(answer.json()) == {"status", "error"}
        assert answer.json()["error"].startswith(told or "BadRequest: ")
    else:
        assert answer.json()["error_details"] == told


def test_routes_methods_types_and_sizes(app: Service) -> None:
    unknown = app.get("/nothing/here")
    assert (unknown.status_code, unknown.json()) == (
        404,
        {"status": 404, "error": "Not Found", "code": "resource_not_found"},
    )
    wrong = app.http.delete("/api/v1/usage")
    assert (wrong.status_code, wrong.json()["error"]) == (405, "Method Not Allowed")
    assert "POST" in wrong.headers["Allow"]
    for content_type in (
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/json; charset=latin-1",
    ):
        answer = app.http.post(
            "/api/v1/usage", content="{}", headers={"Content-Type": content_type}
        )
        assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")
    zipped = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    assert app.http.post("/api/v1/usage", content="{}", headers=zipped).status_code == 415


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_above_the_limit(app: Service, chunked: bool) -> None:
    """MAX_BODY_MB is 2 here; a chunked body does not tell its length before."""
    size = 2 * 1024 * 1024
    padded = json.dumps({"counters": [counter()]}).encode().ljust(size)
    assert app.post_raw("/usage", padded).status_code == 200
    body: Any = iter([padded, b" "]) if chunked else padded + b" "
    answer = app.http.post(
        "/api/v1/usage", content=body, headers={"Content-Type": "application/json"}
    )
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


def test_keys_are_asked_for_before_the_body_is_read(endpoint: Endpoint) -> None:
    with endpoint.client() as http:
        answer = http.post("/api/v1/usage", content=b"x" * 3_000_000)
    assert (answer.status_code, answer.json()) == (401, {"status": 401, "error": "Unauthorized"})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=12,
)
FIELDS = st.dictionaries(
    st.sampled_from([*counter(), *event(), "kind", "revision"]), JSON, max_size=6
)
BODIES = st.one_of(
    st.binary(max_size=60),
    JSON.map(lambda body: json.dumps(body).encode()),
    FIELDS.map(lambda item: json.dumps({"counters": [counter() | item, item]}).encode()),
    FIELDS.map(lambda item: json.dumps({"events": [event() | item]}).encode()),
    FIELDS.map(lambda item: json.dumps({"event": event() | item}).encode()),
)


@given(body=BODIES, path=st.sampled_from(["/usage", "/events", "/events/batch"]))
@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_no_body_whatever_brings_a_500(app: Service, body: bytes, path: str) -> None:
    answer: httpx.Response = app.post_raw(path, body)
    assert answer.status_code in (200, 400, 422), answer.text
