"""GET /events and GET /events/{transaction_id}: filters, pages, and nobody else's rows."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest
from endpoint_world import Endpoint, Service, counter, event


@pytest.fixture
def stored(app: Service) -> Service:
    app.post(
        "/events/batch",
        {
            "events": [
                event(0, timestamp=1_700_000_000),
                event(1, timestamp=1_700_000_100, code="sms"),
                event(2, timestamp=1_700_000_200, external_subscription_id="sub2"),
                event(3, timestamp=1_700_000_300, external_subscription_id=None),
            ]
        },
    )
    return app


def ids(app: Service, **query: Any) -> list[str]:
    answer = app.get("/events", **query)
    assert answer.status_code == 200, answer.text
    return [one["transaction_id"] for one in answer.json()["events"]]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, ["tx3", "tx2", "tx1", "tx0"]),
        ({"code": "sms"}, ["tx1"]),
        ({"external_subscription_id": "sub1"}, ["tx1", "tx0"]),
        ({"external_subscription_id": "sub1", "code": "api_calls"}, ["tx0"]),
        ({"timestamp_from": "2023-11-14T22:15:00Z"}, ["tx3", "tx2", "tx1"]),
        ({"timestamp_to": "2023-11-14T17:15:00-05:00"}, ["tx1", "tx0"]),
        ({"timestamp_from": "1700000100", "timestamp_to": "1700000200"}, ["tx2", "tx1"]),
        ({"timestamp_from": "2023-11-15"}, []),
        ({"code": "none"}, []),
    ],
)
def test_filters(stored: Service, query: dict[str, str], found: list[str]) -> None:
    assert ids(stored, **query) == found


@pytest.mark.parametrize(
    ("page", "found", "meta"),
    [
        (1, ["tx3", "tx2", "tx1"], (1, 2, None, 2, 4)),
        (2, ["tx0"], (2, None, 1, 2, 4)),
        (9, [], (9, None, None, 2, 4)),
    ],
)
def test_pages(stored: Service, page: int, found: list[str], meta: tuple[Any, ...]) -> None:
    answer = stored.get("/events", page=page, per_page=3).json()
    assert [one["transaction_id"] for one in answer["events"]] == found
    assert tuple(answer["meta"].values()) == meta


def test_an_empty_list_has_lagos_empty_meta(app: Service) -> None:
    assert app.get("/events").json() == {
        "events": [],
        "meta": {
            "current_page": 0,
            "next_page": None,
            "prev_page": None,
            "total_pages": 0,
            "total_count": 0,
        },
    }


@pytest.mark.parametrize(
    ("query", "details"),
    [
        ({"page": "0"}, {"page": ["value_is_invalid"]}),
        ({"page": "two"}, {"page": ["value_is_invalid"]}),
        ({"page": "99999999999"}, {"page": ["value_is_invalid"]}),
        ({"per_page": "1001"}, {"per_page": ["value_is_invalid"]}),
        ({"per_page": "-1", "page": "1.5"},
         {"page": ["value_is_invalid"], "per_page": ["value_is_invalid"]}),
        ({"timestamp_from": "soon"}, {"timestamp_from": ["invalid_format"]}),
        ({"timestamp_to": "1e999"}, {"timestamp_to": ["invalid_format"]}),
        ({"code": "a\0b"}, {"code": ["value_is_invalid"]}),
    ],
)  # fmt: skip
def test_bad_queries(app: Service, query: dict[str, str], details: dict[str, Any]) -> None:
    answer = app.get("/events", **query)
    assert (answer.status_code, answer.json()["error_details"]) == (422, details)


def test_a_counter_is_read_back_with_what_lago_has_no_field_for(app: Service) -> None:
    app.post("/usage", {"counters": [counter(0, value="1.50", revision=2)]})
    stored = app.get("/events/tx0").json()["event"]
    assert stored["timestamp"] == "2023-11-14T22:13:20.000Z"
    assert (
        stored.items()
        >= {
            "kind": "delta",
            "from": "2023-11-14T22:13:20Z",
            "to": "2023-11-14T22:14:20Z",
            "value": "1.50",
            "revision": 2,
        }.items()
    )


@pytest.mark.parametrize("name", ["a/b", "ä ö", "50%", "a?b#c", "batch/1"])
def test_any_transaction_id_can_be_asked_for(app: Service, name: str) -> None:
    app.post("/events", {"event": event(transaction_id=name)})
    answer = app.get("/events/" + quote(name, safe=""))
    assert answer.json()["event"]["transaction_id"] == name


@pytest.mark.parametrize("name", ["nobody", "%00", "%ff", "x" * 3000])
def test_an_unknown_event_is_404(app: Service, name: str) -> None:
    answer = app.get(f"/events/{name}")
    assert answer.status_code == 404
    assert answer.json() == {"status": 404, "error": "Not Found", "code": "event_not_found"}


def test_a_key_reads_its_own_services_rows_only(endpoint: Endpoint) -> None:
    owner, other = endpoint.service(), endpoint.service()
    owner.post("/events", {"event": event()})
    owner.post("/usage", {"counters": [counter(1)]})
    assert other.get("/events/tx0").status_code == 404
    assert other.get("/events/tx1").status_code == 404
    assert ids(other) == []
    assert ids(other, external_subscription_id="sub1") == []
    assert len(ids(owner)) == 2
