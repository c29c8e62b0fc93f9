"""What Prometheus reads, over all workers, and what a log must not hold."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from endpoint_world import NO_TLS, Endpoint, Service, counter, event, running, until
from prometheus_client.parser import text_string_to_metric_families

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


@pytest.fixture(scope="module")
def endpoint(api_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    with running(api_database_url, tmp_path_factory.mktemp("metrics"), WORKERS="2") as endpoint:
        yield endpoint


def samples(endpoint: Endpoint) -> Samples:
    answer = httpx.get(f"{endpoint.base}/metrics", verify=NO_TLS)
    assert answer.headers["content-type"].startswith("text/plain")
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def routes(found: Samples) -> set[str | None]:
    return {dict(labels).get("route") for _, labels in found}


def test_metrics_count_over_all_workers(endpoint: Endpoint) -> None:
    """Each request on a connection of its own, so that both workers take part."""
    app = endpoint.service()
    before = samples(endpoint)
    for number in range(20):
        with endpoint.client(app.http.headers["Authorization"].split()[1]) as http:
            batch = {"counters": [counter(number), counter(number), counter(100 + number)]}
            assert http.post("/api/v1/usage", json=batch).status_code == 200
    assert app.post("/usage", {"counters": [counter(0, value=9)]}).status_code == 422
    assert app.get("/events/unknown").status_code == 404

    def grown(name: str, **labels: str) -> float:
        key = (f"fusion_ingest_{name}", tuple(sorted(labels.items())))
        return after.get(key, 0) - before.get(key, 0)

    usage = {"method": "POST", "route": "/api/v1/usage"}
    after = samples(endpoint)

    def everything_is_counted() -> bool:
        """The other worker may be up to LATE_SECONDS behind its answers."""
        nonlocal after
        after = samples(endpoint)
        answered = grown("requests_total", status="200", **usage)
        return answered >= 20 and "/api/v1/events/{transaction_id}" in routes(after)

    until(everything_is_counted)
    assert grown("requests_total", status="200", **usage) == 20
    assert grown("requests_total", status="422", **usage) == 1
    assert grown("rows_total") == 40
    assert grown("duplicates_total") == 20
    assert grown("conflicts_total") == 1
    assert grown("commit_seconds_count") == 21
    assert grown("group_requests_sum") == 21
    assert grown("group_requests_bucket", le="1.0") == 21
    assert grown("request_seconds_count", route="/api/v1/usage") == 21
    assert not any("unknown" in str(route) for route in routes(after))


def test_made_up_methods_and_paths_make_no_series(endpoint: Endpoint) -> None:
    app = endpoint.service()
    app.http.request("BREW", "/api/v1/usage")
    app.get("/made/up/1")
    app.get("/made/up/2")
    labels = {value for _, pairs in samples(endpoint) for _, value in pairs}
    assert not labels & {"BREW", "/api/v1/made/up/1", "/made/up/1"}


def test_neither_log_nor_metrics_hold_payloads_or_keys(endpoint: Endpoint) -> None:
    """Good, duplicate, refused, contradicting, malformed: each with words that must not be told."""
    app = endpoint.service()
    key = app.http.headers["Authorization"].split()[1]
    secret = "hush-hush"
    item = counter(transaction_id=secret, external_subscription_id=secret, properties={secret: 1})
    app.post("/usage", {"counters": [item]})
    app.post("/usage", {"counters": [item]})
    app.post("/usage", {"counters": [item | {"value": "987.654321"}]})
    app.post("/usage", {"counters": [item | {"value": secret, "kind": secret}]})
    app.post_raw("/usage", f'{{"counters":[{{"code":"{secret}","code":"{secret}"}}]}}')
    app.post_raw("/usage", f'{{"counters":[{{"{secret}":NaN}}]}}')
    app.post("/events", {"event": event(transaction_id=secret, code=secret)})
    app.get(f"/events/{secret}")
    app.get("/events", code=secret)
    with endpoint.client(key[:-1] + "x") as http:
        assert http.get(f"/api/v1/{secret}").status_code == 404
        assert http.get("/api/v1/events").status_code == 401
    until(lambda: '"status":401' in endpoint.log.read_text())
    told = endpoint.log.read_text() + httpx.get(f"{endpoint.base}/metrics", verify=NO_TLS).text
    for hidden in (secret, "987.654321", key, key[-8:], key[:20]):
        assert hidden not in told
    assert re.search(rf'"service":"{app.code}","accepted":1,"duplicates":0', told)


def test_a_request_id_is_told_for_every_way_a_request_can_end(app: Service) -> None:
    def ids(number: int) -> tuple[str, str]:
        own = {"X-Request-Id": f"call-{number}"}
        path = ("/api/v1/usage", "/api/v1/events", "/nothing", "/health")[number % 4]
        answer = app.http.post(path, json={}, headers=own)
        return own["X-Request-Id"], answer.headers["X-Request-Id"]

    with ThreadPoolExecutor(8) as pool:
        assert all(sent == told for sent, told in pool.map(ids, range(40)))
