"""How much and how fast a client may send: rate per key, size of a body, patience with the slow."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from endpoint_world import Endpoint, Service, counter, event, running, until
from sqlalchemy.engine import make_url

from ingest import keys
from ingest.api.connection import IDLE_SECONDS
from ingest.api.limits import Allowance, RateLimit


def test_a_bucket_holds_a_second_and_refills_steadily() -> None:
    limit = RateLimit(4)
    assert [limit.take(b"k", 100.0).remaining for _ in range(4)] == [3, 2, 1, 0]
    assert limit.take(b"k", 100.0) == Allowance(limit=4, remaining=0, reset=1, retry_after=1)
    assert limit.take(b"other", 100.0).retry_after == 0
    assert limit.take(b"k", 100.25) == Allowance(4, 0, 1, 0)
    assert limit.take(b"k", 100.3).retry_after == 1
    assert limit.take(b"k", 200.0) == Allowance(4, 3, 1, 0)


@pytest.fixture(scope="module")
def limited(api_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    folder = tmp_path_factory.mktemp("limited")
    with running(api_database_url, folder, RATE_LIMIT_PER_SECOND="5") as endpoint:
        yield endpoint


def test_above_the_rate_a_key_is_told_to_wait(limited: Endpoint) -> None:
    """As Lago's clients read it; another key of the same service has a bucket of its own."""
    app = limited.service()
    with ThreadPoolExecutor(8) as pool:
        answers = list(
            pool.map(lambda n: app.post("/events", {"event": event(n)}), range(20), timeout=30)
        )
    refused = [answer for answer in answers if answer.status_code == 429]
    assert 5 <= sum(answer.status_code == 200 for answer in answers) < 20
    assert len(refused) >= 1
    assert refused[0].json() == {
        "status": 429,
        "error": "Too Many Requests",
        "code": "too_many_requests",
    }
    told = refused[0].headers
    assert (told["Retry-After"], told["x-ratelimit-limit"]) == ("1", "5")
    assert (told["x-ratelimit-remaining"], told["x-ratelimit-reset"]) == ("0", "1")
    passed = [int(a.headers["x-ratelimit-remaining"]) for a in answers if a.status_code == 200]
    assert all(0 <= remaining <= 4 for remaining in passed)
    with limited.client(keys.create_key(limited.engine, app.code)) as other:
        assert other.get("/api/v1/events").status_code == 200
    until(lambda: app.post("/events", {"event": event(99)}).status_code == 200, seconds=5)


def test_the_rate_counts_for_reading_too(limited: Endpoint) -> None:
    app = limited.service()
    with ThreadPoolExecutor(8) as pool:
        statuses = [a.status_code for a in pool.map(lambda _: app.get("/events"), range(20))]
    assert set(statuses) == {200, 429}


def test_without_the_setting_there_is_no_limit_and_no_header(app: Service) -> None:
    answers = [app.get("/events") for _ in range(20)]
    assert {answer.status_code for answer in answers} == {200}
    assert "x-ratelimit-limit" not in answers[0].headers


def connection(endpoint: Endpoint) -> socket.socket:
    port = make_url(endpoint.base).port
    assert port is not None
    return socket.create_connection(("127.0.0.1", port), timeout=IDLE_SECONDS + 15)


def head(app: Service, *lines: str) -> bytes:
    key = app.http.headers["Authorization"]
    return "\r\n".join(
        ("POST /api/v1/usage HTTP/1.1", "Host: h", f"Authorization: {key}", *lines, "", "")
    ).encode()


def test_a_body_above_the_limit_is_refused_before_it_is_sent(app: Service) -> None:
    """MAX_BODY_MB is 2 here; the header alone says too much."""
    with connection(app.endpoint) as client:
        client.sendall(head(app, "Content-Length: 50000000"))
        assert client.recv(65536).startswith(b"HTTP/1.1 413 ")


def test_slow_clients_are_let_go_and_keep_nobody_waiting(
    api_database_url: str, tmp_path: Path
) -> None:
    """200 half-sent bodies and 50 half-sent heads on one worker; 40 more behind a request that was
    answered; meanwhile others are answered."""
    with running(api_database_url, tmp_path) as endpoint:
        app = endpoint.service()
        slow = [connection(endpoint) for _ in range(290)]
        for number, client in enumerate(slow):
            whole = head(app, "Content-Length: 1000")
            if number >= 250:
                client.sendall(b"GET /health HTTP/1.1\r\n\r\n")
            half = number < 200 or number >= 270
            client.sendall(whole + b'{"counters"' if half else whole[:40])
        for number in range(20):
            started = time.monotonic()
            assert app.post("/usage", {"counters": [counter(number)]}).status_code == 200
            assert time.monotonic() - started < 2
        assert all(b" 200 OK" in client.recv(65536) for client in slow[250:])
        answers = [client.recv(65536) for client in slow]
        late = answers[:200] + answers[270:]
        assert all(answer.startswith(b"HTTP/1.1 408 ") for answer in late)
        assert all(answer == b"" for answer in answers[200:270])
        for client in slow:
            client.close()
