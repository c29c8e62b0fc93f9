"""A key opens its own service and no other, on every route that the app has."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import psycopg
import pytest
from endpoint_world import Service
from lago_world import THEIRS, LagoWorld, happened, used, whole_app
from litestar.routes import HTTPRoute

from ingest.api.app import PREFIXES
from warehouse.lago_ids import lago_id

# Open to all, because they say nothing of any service.
OPEN = {"/health", "/metrics"}


@dataclass(frozen=True)
class Case:
    """A request for another service's data, in its own ids.

    `shows` stands in the owner's answer, to prove that there was something to see, and never in
    the answer to the other key, which has this status.
    """

    status: int
    shows: str
    path: dict[str, str] = field(default_factory=dict)
    query: dict[str, str] = field(default_factory=dict)
    body: Any = None


SECRET_COUNTER = used("maps", 1, code="map_loads", transaction_id="secret-counter")
SECRET_EVENT = happened("maps", 2, "map_loads", value=7) | {"transaction_id": "secret-event"}
SECRET_COST = {
    "provider": "google_maps",
    "sku": "secret-sku",
    "day": "2026-09-30",
    "external_account_id": "secret-customer",
    "quantity": 7,
    "amount": "0.0119",
    "currency": "USD",
}
SECRET_REQUEST = {
    "external_customer_id": "secret-customer",
    "plan_code": "maps_growth",
    "external_id": "secret-sub",
}
SECRET_CUSTOMER = {"external_id": "secret-customer", "city": "secret-city"}
BIRCH = {"external_customer_id": "birch"}
MAPS = {"external_subscription_id": "maps"}

WEBHOOKS = "https://8.8.8.8/maps"
HOOK = "6f1c1c52-3a35-4b8e-9d7e-2b1f0c1d2e3f"
HOOK_CASE = Case(404, WEBHOOKS, path={"endpoint_id": HOOK}, body={"webhook_endpoint": {}})

CASES = {
    ("POST", "/usage"): Case(200, '"duplicates":1', body={"counters": [SECRET_COUNTER]}),
    ("POST", "/costs"): Case(200, '"duplicates":1', body={"costs": [SECRET_COST]}),
    ("POST", "/events"): Case(200, '"duplicate":true', body={"event": SECRET_EVENT}),
    ("POST", "/events/batch"): Case(200, '"duplicate":true', body={"events": [SECRET_EVENT]}),
    ("GET", "/events"): Case(200, "secret-", query=MAPS),
    ("GET", "/events/{transaction_id}"): Case(
        404, "secret-counter", path={"transaction_id": "secret-counter"}
    ),
    ("GET", "/customers/{external_customer_id}/current_usage"): Case(
        404, "map_loads", path=BIRCH, query=MAPS
    ),
    ("GET", "/customers/{external_customer_id}/past_usage"): Case(
        404, "map_loads", path=BIRCH, query=MAPS
    ),
    ("GET", "/billable_metrics"): Case(200, "map_loads"),
    ("GET", "/billable_metrics/{code}"): Case(404, "map_loads", path={"code": "map_loads"}),
    ("POST", "/customers"): Case(
        200, "secret-city", body={"customer": {"external_id": "secret-customer"}}
    ),
    ("GET", "/customers"): Case(200, "secret-customer"),
    ("GET", "/customers/{external_id}"): Case(
        404, "secret-city", path={"external_id": "secret-customer"}
    ),
    ("POST", "/subscriptions"): Case(200, "secret-name", body={"subscription": SECRET_REQUEST}),
    ("GET", "/subscriptions"): Case(200, "secret-name"),
    ("GET", "/subscriptions/{external_id}"): Case(
        404, "secret-name", path={"external_id": "secret-sub"}
    ),
    ("DELETE", "/subscriptions/{external_id}"): Case(
        404, "secret-name", path={"external_id": "secret-ended"}
    ),
    ("GET", "/plans"): Case(200, "maps_growth"),
    ("GET", "/plans/{code}"): Case(404, "maps_growth", path={"code": "maps_growth"}),
    ("POST", "/webhook_endpoints"): Case(
        200,
        lago_id("organization", THEIRS),
        body={"webhook_endpoint": {"webhook_url": f"{WEBHOOKS}/more"}},
    ),
    ("GET", "/webhook_endpoints"): Case(200, WEBHOOKS),
    ("GET", "/webhook_endpoints/{endpoint_id}"): HOOK_CASE,
    ("PUT", "/webhook_endpoints/{endpoint_id}"): HOOK_CASE,
    ("DELETE", "/webhook_endpoints/{endpoint_id}"): HOOK_CASE,
}


def routes() -> Iterator[tuple[str, str]]:
    """Method and path of every route that the app answers."""
    for route in whole_app().routes:
        if isinstance(route, HTTPRoute):
            for handler in route.route_handlers:
                for method in handler.http_methods - {"OPTIONS"}:
                    yield str(method), route.path_format


def under(prefix: str) -> set[tuple[str, str]]:
    found = {(method, path.removeprefix(prefix)) for method, path in routes()
             if path.startswith(f"{prefix}/")}  # fmt: skip
    return {(method, path) for method, path in found if path not in OPEN}


def test_no_route_is_without_a_case() -> None:
    for prefix in PREFIXES:
        assert under(prefix) == set(CASES)
    outside = {path for _, path in routes() if not path.startswith(PREFIXES)}
    assert {path for path in outside if not path.startswith("/schema")} <= OPEN


@pytest.fixture(scope="module")
def secrets(lago_world: LagoWorld) -> LagoWorld:
    lago_world.theirs.post("/usage", {"counters": [SECRET_COUNTER]}).raise_for_status()
    lago_world.theirs.post("/events", {"event": SECRET_EVENT}).raise_for_status()
    lago_world.theirs.post("/costs", {"costs": [SECRET_COST]}).raise_for_status()
    lago_world.theirs.post("/customers", {"customer": SECRET_CUSTOMER}).raise_for_status()
    for external_id in ("secret-sub", "secret-ended"):
        asked = SECRET_REQUEST | {"external_id": external_id, "name": "secret-name"}
        lago_world.theirs.post("/subscriptions", {"subscription": asked}).raise_for_status()
    return lago_world


@pytest.fixture
def hook(lago_world: LagoWorld) -> None:
    """Their one webhook endpoint, whatever a test before did to it."""
    with psycopg.connect(lago_world.endpoint.database_url) as connection:
        connection.execute("delete from ops.webhook_endpoint where service_code = %s", [THEIRS])
        connection.execute(
            "insert into ops.webhook_endpoint (endpoint_id, service_code, url, signature_algo,"
            " secret) values (%s, %s, %s, 'hmac', 'whsec_')",
            [HOOK, THEIRS, WEBHOOKS],
        )


def stored(service: Service) -> list[Any]:
    with psycopg.connect(service.endpoint.database_url) as connection:
        return connection.execute(
            "select row_to_json(counter)::text from raw.usage_counter as counter"
            " where service_code = %(service)s"
            " union all select row_to_json(cost)::text from raw.provider_cost as cost"
            " where service_code = %(service)s"
            " union all select row_to_json(command)::text from raw.command as command"
            " where service_code = %(service)s"
            " union all select row_to_json(endpoint)::text from ops.webhook_endpoint as endpoint"
            " where service_code = %(service)s order by 1",
            {"service": service.code},
        ).fetchall()


@pytest.mark.usefixtures("hook")
@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize(("method", "path"), CASES)
def test_another_services_key_sees_and_changes_nothing(
    secrets: LagoWorld, prefix: str, method: str, path: str
) -> None:
    case = CASES[method, path]
    url = prefix + path.format(**case.path)
    stranger = secrets.endpoint.service()
    before = stored(secrets.theirs)
    strange = stranger.http.request(method, url, params=case.query, json=case.body)
    assert strange.status_code == case.status, strange.text
    assert case.shows not in strange.text or case.shows in url
    assert "secret-" not in strange.text or method == "POST"
    assert stored(secrets.theirs) == before
    own = secrets.theirs.http.request(method, url, params=case.query, json=case.body)
    assert own.status_code == 200, own.text
    assert case.shows in own.text


def test_the_same_ids_in_two_services_are_two_subscriptions(lago_world: LagoWorld) -> None:
    before = lago_world.charges("typed")
    counter = used("typed", 900, value="5000", transaction_id="theirs")
    lago_world.theirs.post("/usage", {"counters": [counter]}).raise_for_status()
    assert lago_world.charges("typed") == before
    theirs = lago_world.theirs.get(
        "/customers/maple/current_usage", external_subscription_id="by-hand"
    )
    (charge,) = theirs.json()["customer_usage"]["charges_usage"]
    assert charge["billable_metric"]["code"] == "map_loads"
    assert THEIRS not in theirs.text


def test_a_conflict_is_the_senders_own(lago_world: LagoWorld, secrets: LagoWorld) -> None:
    """Another payload under the owner's ids is nobody's conflict but the stranger's own."""
    stranger = lago_world.endpoint.service()
    other = SECRET_COUNTER | {"value": "2"}
    assert stranger.post("/usage", {"counters": [other]}).json()["usage"]["accepted"] == 1
    assert secrets.theirs.rows("count(*)", "raw.event_conflict") == [(0,)]
