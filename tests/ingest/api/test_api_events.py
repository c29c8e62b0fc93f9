"""Lago's events, by Lago's own vectors and by ours. Not one byte of the shapes may drift."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from endpoint_world import Endpoint, Service, event

VECTORS = {
    vector["id"]: vector
    for vector in json.loads(
        (Path(__file__).parents[2] / "conformance" / "lago_vectors.json").read_text()
    )
}
EXISTS = {"transaction_id": ["value_already_exist"]}


def test_no_vector_of_this_file_is_left_out() -> None:
    models = ("events", "events_batch", "pagination")
    mine = [name for name, vector in VECTORS.items() if vector["model"] in models]
    assert sorted(name.rpartition("-")[2] for name in mine) == [
        "231", "233", "234", "236", "238", "240", "242", "244",
    ]  # fmt: skip


def send(app: Service, vector: dict[str, Any]) -> httpx.Response:
    request = vector["request"]
    return app.http.request(request["method"], request["path"], json=request.get("body"))


def test_vector_231_an_event(app: Service) -> None:
    vector = VECTORS["api-events-231"]
    answer = send(app, vector)
    assert answer.status_code == vector["expected_status"]
    assert answer.json()["event"].items() >= vector["expected_body_contains"]["event"].items()


@pytest.mark.parametrize("number", ["api-events-233", "api-events_batch-234"])
def test_vectors_233_and_234_a_bad_timestamp(app: Service, number: str) -> None:
    vector = VECTORS[number]
    answer = send(app, vector)
    assert answer.status_code == vector["expected_status"]
    assert answer.json() == vector["expected_body"]
    assert app.rows("count(*)") == [(0,)]


def test_vector_242_a_numeric_string_keeps_its_precision(app: Service) -> None:
    vector = VECTORS["api-events-242"]
    answer = app.post("/events", {"event": event(timestamp=vector["timestamp_in"])})
    assert answer.json()["event"]["timestamp"].startswith(vector["expected_timestamp_prefix"])


def test_vector_236_too_many_events(app: Service) -> None:
    """Our limit is 10,000, where Lago's is 100."""
    vector = VECTORS["api-events_batch-236"]
    events = [{"transaction_id": str(n), "code": "c"} for n in range(10_001)]
    answer = app.post("/events/batch", {"events": events})
    assert answer.status_code == vector["expected_status"]
    assert answer.json()["error_details"] == vector["expected_error_details"]
    answer = app.post("/events/batch", {"events": []})
    assert answer.json()["error_details"] == {"events": ["no_events"]}


def test_vectors_238_and_240_strict_duplicates(strict_endpoint: Endpoint) -> None:
    """With LAGO_STRICT_DUPLICATES a duplicate is refused as in Lago, and stores nothing."""
    for number, stored in (("api-events_batch-238", []), ("api-events_batch-240", ["tx2"])):
        vector = VECTORS[number]
        app = strict_endpoint.service()
        for name in stored:
            assert app.post("/events", {"event": event(transaction_id=name)}).status_code == 200
        events = [event(transaction_id=name) for name in vector["request"]["body"]["events"]]
        answer = app.post("/events/batch", {"events": events})
        assert answer.status_code == vector["expected_status"]
        assert answer.json()["error_details"] == vector["expected_error_details"]
        assert app.rows("transaction_id") == [(name,) for name in stored]
        assert app.rows("count(*)", "raw.event_conflict") == [(0,)]
    app.post("/events", {"event": event(9)})
    again = app.post("/events", {"event": event(9)})
    assert (again.status_code, again.json()["error_details"]) == (422, EXISTS)


def test_vectors_238_and_240_by_default_are_marked_duplicates(app: Service) -> None:
    answer = app.post("/events/batch", {"events": [event(1), event(1)]})
    assert answer.status_code == 200
    assert [one.get("duplicate") for one in answer.json()["events"]] == [None, True]
    answer = app.post("/events/batch", {"events": [event(0), event(1)]})
    assert [one.get("duplicate") for one in answer.json()["events"]] == [None, True]
    assert app.rows("count(*)") == [(2,)]


def test_vector_244_pagination(app: Service) -> None:
    vector = VECTORS["api-pagination-244"]
    app.post("/events/batch", {"events": [event(0), event(1)]})
    answer = send(app, vector)
    assert answer.status_code == vector["expected_status"]
    assert answer.json()["meta"] == vector["expected_meta"]
    assert len(answer.json()["events"]) == 1


def test_the_whole_shape_of_an_event(app: Service) -> None:
    sent = event(precise_total_amount_cents="123.4500", timestamp=1_651_240_791.123)
    stored = app.post("/events", {"event": sent}).json()["event"]
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", stored["lago_id"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", stored["created_at"])
    assert stored == {
        "lago_id": stored["lago_id"],
        "transaction_id": "tx0",
        "lago_customer_id": None,
        "code": "api_calls",
        "timestamp": "2022-04-29T13:59:51.123Z",
        "precise_total_amount_cents": "123.45",
        "properties": {"foo": "bar"},
        "lago_subscription_id": None,
        "external_subscription_id": "sub1",
        "created_at": stored["created_at"],
    }
    assert app.get("/events/tx0").json() == {"event": stored}
    assert app.get("/events").json()["events"] == [stored]
    assert app.rows("kind, value, window_start = window_end, precise_total_amount_cents::text") == [
        ("event", None, True, "123.4500")
    ]


def test_an_integer_id_counts_as_its_text(app: Service) -> None:
    sent = event(transaction_id=12, external_subscription_id=34)
    stored = app.post("/events", {"event": sent}).json()["event"]
    assert (stored["transaction_id"], stored["external_subscription_id"]) == ("12", "34")
    sent = event(transaction_id="12", external_subscription_id="34")
    assert app.post("/events", {"event": sent}).json()["event"]["duplicate"] is True


def test_a_conflicting_event(app: Service) -> None:
    app.post("/events", {"event": event()})
    answer = app.post("/events", {"event": event(properties={"foo": "other"})})
    assert (answer.status_code, answer.json()["error_details"]) == (422, EXISTS)
    assert app.rows("payload -> 'properties' ->> 'foo'", "raw.event_conflict") == [("other",)]
