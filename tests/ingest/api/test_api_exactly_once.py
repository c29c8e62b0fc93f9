"""Same key, same payload: a duplicate. Same key, other payload: a recorded conflict."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from endpoint_world import Endpoint, Service, counter, event

CONFLICTS = "transaction_id, payload ->> 'value'"
EXISTS = {"transaction_id": ["value_already_exist"]}


def usage(app: Service, *counters: dict[str, Any]) -> Any:
    return app.post("/usage", {"counters": list(counters)})


def test_a_retry_is_a_duplicate_and_writes_nothing(app: Service) -> None:
    batch = [counter(number) for number in range(5)]
    usage(app, *batch)
    again = usage(app, *batch)
    assert again.status_code == 200
    assert again.json()["usage"] == {"accepted": 0, "duplicates": 5, "batch_id": None}
    assert app.rows("counters", "raw.ingest_batch") == [(5,)]


def test_old_and_new_in_one_request(app: Service) -> None:
    usage(app, counter(1), counter(3))
    answer = usage(app, *[counter(number) for number in range(5)]).json()["usage"]
    assert (answer["accepted"], answer["duplicates"]) == (3, 2)
    assert app.rows("counters, duplicates", "raw.ingest_batch", "batch_id") == [(2, 0), (3, 2)]
    assert app.rows("count(*)") == [(5,)]


def test_another_payload_is_refused_whole_and_recorded(app: Service) -> None:
    usage(app, counter(1, value=10))
    answer = usage(app, counter(0), counter(1, value=11), counter(2))
    assert answer.status_code == 422
    assert answer.json() == {
        "status": 422,
        "error": "Unprocessable Entity",
        "code": "validation_errors",
        "error_details": {"1": EXISTS},
    }
    assert app.rows("transaction_id, value::text") == [("tx1", "10")]
    assert app.rows(CONFLICTS, "raw.event_conflict") == [("tx1", "11")]


def test_each_part_of_the_meaning_counts(app: Service) -> None:
    usage(app, counter())
    for change in (
        {"code": "storage_gb"},
        {"from": 1_699_999_999},
        {"to": 1_700_000_061},
        {"kind": "cumulative"},
        {"revision": 1},
        {"properties": {"a": 1}},
    ):
        assert usage(app, counter(**change)).status_code == 422, change
    assert app.rows("count(*)", "raw.event_conflict") == [(6,)]


def test_duplicates_and_conflicts_within_one_request(app: Service) -> None:
    answer = usage(app, counter(0), counter(1), counter(0), counter(0, value="1.50"))
    assert answer.json()["usage"]["accepted"] == 2
    assert answer.json()["usage"]["duplicates"] == 2
    answer = usage(app, counter(5), counter(5, value=9), counter(6))
    assert answer.json()["error_details"] == {"1": EXISTS}
    assert app.rows("transaction_id") == [("tx0",), ("tx1",)]
    assert app.rows(CONFLICTS, "raw.event_conflict") == [("tx5", "9")]


def test_an_event_without_timestamp_is_recognised_on_retry(app: Service) -> None:
    """Lago's ClickHouse counts such a retry twice."""
    sent = {"event": event(timestamp=None)}
    first = app.post("/events", sent).json()["event"]
    again = app.post("/events", sent).json()["event"]
    assert "duplicate" not in first
    assert again.pop("duplicate") is True
    assert again == first
    assert app.rows("count(*)") == [(1,)]


def test_an_event_without_subscription_is_deduplicated(app: Service) -> None:
    """In Lago's PostgreSQL its null is distinct from every other."""
    for _ in range(2):
        answer = app.post("/events", {"event": event(external_subscription_id=None)})
        assert answer.json()["event"]["external_subscription_id"] is None
    assert app.rows("external_subscription_id") == [("",)]


def test_a_storm_of_the_same_requests_stores_each_counter_once(app: Service) -> None:
    """32 requests at once: the same 300 counters in two orders, some with 20 of their own."""
    shared = [counter(number) for number in range(300)]

    def send(sender: int) -> tuple[int, int]:
        own = [counter(n, external_subscription_id=f"own{sender}") for n in range(20)]
        batch = (shared if sender % 2 else shared[::-1]) + (own if sender % 4 == 0 else [])
        answer = usage(app, *batch)
        assert answer.status_code == 200, answer.text
        return answer.json()["usage"]["accepted"], answer.json()["usage"]["duplicates"]

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(send, range(32)))
    assert sum(accepted for accepted, _ in answers) == 300 + 8 * 20
    assert sum(duplicates for _, duplicates in answers) == 31 * 300
    assert app.rows("count(*)") == [(460,)]
    assert app.rows("sum(counters)::int", "raw.ingest_batch") == [(460,)]


def test_a_storm_of_contradictions_has_one_winner(app: Service) -> None:
    def send(value: int) -> int:
        status: int = usage(app, counter(0, value=value)).status_code
        return status

    with ThreadPoolExecutor(12) as pool:
        statuses = list(pool.map(send, range(12)))
    assert sorted(statuses) == [200] + [422] * 11
    assert app.rows("count(*)") == [(1,)]
    stored = app.rows("value::text") + app.rows("payload ->> 'value'", "raw.event_conflict")
    assert sorted(int(value) for (value,) in stored) == list(range(12))


def test_services_do_not_share_transaction_ids(endpoint: Endpoint) -> None:
    one, other = endpoint.service(), endpoint.service()
    assert usage(one, counter(value=1)).status_code == 200
    assert usage(other, counter(value=2)).status_code == 200
    assert (one.rows("value::text"), other.rows("value::text")) == ([("1",)], [("2",)])
