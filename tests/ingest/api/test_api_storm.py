"""The same counters from everywhere at once, over two workers: one row each, and exact counts."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from endpoint_world import Endpoint, counter, event, running


@pytest.fixture(scope="module")
def endpoint(api_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    with running(api_database_url, tmp_path_factory.mktemp("storm"), WORKERS="2") as endpoint:
        yield endpoint


@pytest.mark.parametrize("seed", range(3))
def test_single_events_and_batches_in_any_order(endpoint: Endpoint, seed: int) -> None:
    """Each of 120 events is sent about five times, alone and in batches of all sizes."""
    chance = random.Random(seed)
    app = endpoint.service()
    key = app.http.headers["Authorization"].split()[1]
    requests: list[list[int]] = [[number] for number in range(120) for _ in range(2)]
    for size in (1, 2, 7, 30, 60, 110, 120):
        requests += [chance.sample(range(120), size) for _ in range(2)]
    chance.shuffle(requests)

    put_off: list[list[int]] = []

    def send(numbers: list[int]) -> tuple[int, int]:
        with endpoint.client(key) as http:
            while True:
                if len(numbers) == 1:
                    sent = http.post("/api/v1/events", json={"event": event(numbers[0])})
                else:
                    batch = {"events": [event(number) for number in numbers]}
                    sent = http.post("/api/v1/events/batch", json=batch)
                # On a busy machine a request may wait longer than the endpoint's five seconds.
                if sent.status_code != 503 or len(put_off) > 1000:
                    break
                put_off.append(numbers)
        assert sent.status_code == 200, f"{sent.status_code} {sent.text}"
        answers = sent.json()["events"] if len(numbers) > 1 else [sent.json()["event"]]
        duplicates = sum(answer.get("duplicate", False) for answer in answers)
        return len(answers) - duplicates, duplicates

    with ThreadPoolExecutor(24) as pool:
        answers = list(pool.map(send, requests))
    total = sum(map(len, requests))
    if not put_off:  # else a request may have been stored though its answer was 503
        assert sum(new for new, _ in answers) == 120, f"seed {seed}"
    assert sum(map(sum, answers)) == total
    assert app.rows("count(*), count(distinct transaction_id)") == [(120, 120)]
    assert app.rows("sum(counters)::int", "raw.ingest_batch") == [(120,)]


def test_a_contradiction_retried_for_ever_is_recorded_once(endpoint: Endpoint) -> None:
    app = endpoint.service()
    assert app.post("/usage", {"counters": [counter(0), counter(1)]}).status_code == 200

    def send(number: int) -> int:
        against = [counter(0, value=7), counter(1, value=8 + number % 2)]
        status: int = app.post("/usage", {"counters": against}).status_code
        return status

    with ThreadPoolExecutor(8) as pool:
        assert Counter(pool.map(send, range(40))) == {422: 40}
    recorded = app.rows("transaction_id, payload ->> 'value'", "raw.event_conflict", "1, 2")
    assert recorded == [("tx0", "7"), ("tx1", "8"), ("tx1", "9")]
    assert app.rows("value::text") == [("1.5",), ("1.5",)]
