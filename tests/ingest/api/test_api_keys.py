"""Which keys open the endpoint, for how long, and which routes need none."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from endpoint_world import Endpoint, Service, event, until

from ingest import keys

ROUTES = [
    ("POST", "/usage"),
    ("POST", "/events"),
    ("POST", "/events/batch"),
    ("GET", "/events"),
    ("GET", "/events/tx"),
]


@pytest.mark.parametrize("prefix", ["/api/v1", "/api/billing/v1"])
@pytest.mark.parametrize(("method", "path"), ROUTES)
@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Bearer nonsense", "Bearer fb_app1_" + "a" * 43, "Bearer a b c"]
)
def test_every_route_wants_a_key(
    endpoint: Endpoint, prefix: str, method: str, path: str, header: str | None
) -> None:
    headers = {} if header is None else {"Authorization": header}
    with endpoint.client() as http:
        answer = http.request(method, prefix + path, headers=headers)
    assert (answer.status_code, answer.json()) == (401, {"status": 401, "error": "Unauthorized"})


@pytest.mark.parametrize("path", ["/health", "/api/v1/health", "/api/billing/v1/health", "/schema"])
def test_health_and_schema_are_open(endpoint: Endpoint, path: str) -> None:
    with endpoint.client() as http:
        assert http.get(path).status_code == 200


def test_health_tells_version_and_database(endpoint: Endpoint) -> None:
    with endpoint.client() as http:
        health = http.get("/health").json()
    assert health["status"] == health["database"] == "ok"
    assert health["version"]


def test_the_scheme_word_is_not_checked_as_in_lago(app: Service) -> None:
    key = app.http.headers["Authorization"].split()[1]
    answer = app.http.get("/api/v1/events", headers={"Authorization": f"Token {key}"})
    assert answer.status_code == 200


def test_a_revoked_key_ends_within_five_seconds(endpoint: Endpoint) -> None:
    service = endpoint.service()
    assert service.post("/events", {"event": event()}).status_code == 200
    (key,) = [k for k in keys.list_keys(endpoint.engine) if k.service_code == service.code]
    keys.revoke_key(endpoint.engine, key.key_id)
    until(lambda: service.get("/events").status_code == 401, seconds=5)


def test_an_expired_key_ends_on_time_though_it_is_remembered(endpoint: Endpoint) -> None:
    service = endpoint.service()
    key = keys.create_key(
        endpoint.engine, service.code, expires_at=datetime.now(UTC) + timedelta(seconds=1)
    )
    with endpoint.client(key) as http:
        assert http.get("/api/v1/events").status_code == 200
        until(lambda: http.get("/api/v1/events").status_code == 401, seconds=1.5)


def test_a_rotated_key_and_its_successor_overlap(endpoint: Endpoint) -> None:
    service = endpoint.service()
    successor = keys.rotate_key(endpoint.engine, service.code, overlap=timedelta(hours=1))
    with endpoint.client(successor) as http:
        assert http.get("/api/v1/events").status_code == 200
    assert service.get("/events").status_code == 200
    keys.rotate_key(endpoint.engine, service.code, overlap=timedelta(0))
    until(lambda: service.get("/events").status_code == 401, seconds=5)


def test_the_openapi_document_names_routes_and_what_they_require(endpoint: Endpoint) -> None:
    with endpoint.client() as http:
        document = http.get("/schema/openapi.json").json()
    for prefix in ("/api/v1", "/api/billing/v1"):
        for method, path in ROUTES:
            path = path.replace("/tx", "/{transaction_id}")
            assert method.lower() in document["paths"][prefix + path]
    schemas = document["components"]["schemas"]
    assert schemas["Counter"]["required"] == [
        "external_subscription_id", "code", "from", "to", "value",
    ]  # fmt: skip
    assert [kind["type"] for kind in schemas["Counter"]["properties"]["value"]["anyOf"]] == [
        "string",
        "number",
    ]
    assert document["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"
