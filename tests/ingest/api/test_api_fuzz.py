"""Whatever a client can send gets an answer below 500, in the form that OpenAPI promises.

Every example is derived from the test's name: a failure repeats as it was.
"""

from __future__ import annotations

import json
import string
from typing import Any

import pytest
import schemathesis
from endpoint_world import counter, event
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lago_world import LagoWorld, whole_app
from schemathesis.core.result import Ok
from schemathesis.generation import GenerationMode

REPEATABLE = settings(
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
DOCUMENT = whole_app().openapi_schema.to_schema()
OPERATIONS = {
    f"{operation.method.upper()} {operation.path}": operation
    for found in schemathesis.openapi.from_dict(DOCUMENT).get_all_operations()
    if isinstance(found, Ok)
    for operation in [found.ok()]
}


def test_every_path_of_the_document_is_fuzzed() -> None:
    promised = {
        f"{method.upper()} {path}"
        for path, item in DOCUMENT["paths"].items()
        for method in item
        if method in ("get", "post", "put", "patch", "delete")
    }
    assert set(OPERATIONS) == promised
    assert len(promised) > 20


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        (name, mode)
        for name in OPERATIONS
        for mode in GenerationMode
        # A route that takes nothing has nothing to take wrongly.
        if not (name.endswith("/health") and mode == GenerationMode.NEGATIVE)
    ],
)
def test_what_the_openapi_document_allows_and_what_it_does_not(
    lago_world: LagoWorld, name: str, mode: GenerationMode
) -> None:
    operation = OPERATIONS[name]
    headers = {"Authorization": f"Bearer {lago_world.key}"}
    examples = 20 if "/api/v1" in name else 5  # the same handlers under both
    sent = operation.as_strategy(generation_mode=mode)

    @settings(REPEATABLE, max_examples=examples)
    @given(case=sent)
    def holds(case: Any) -> None:
        answer = case.call(base_url=lago_world.endpoint.base, headers=headers)
        assert answer.status_code < 500, (answer.status_code, case.as_curl_command())
        case.validate_response(
            answer,
            checks=[
                schemathesis.checks.not_a_server_error,
                schemathesis.specs.openapi.checks.response_schema_conformance,
                schemathesis.specs.openapi.checks.content_type_conformance,
                schemathesis.specs.openapi.checks.status_code_conformance,
            ],
        )

    holds()


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**45), 10**45),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=12),
    st.sampled_from(
        ["\0", "1e400", "-0", "NaN", "1650000000", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z",
         "2023-11-14T22:13:20+23:59", "١٢", " ", "x" * 300]
    ),
)  # fmt: skip
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


def customer(number: int) -> dict[str, Any]:
    return {
        "external_id": f"fuzzed-{number}", "name": "Maple", "email": "a@b.example", "country": "CA",
        "timezone": "America/Toronto", "currency": "CAD", "net_payment_term": 30, "url": "b.ca",
        "metadata": [{"key": "k", "value": "v"}], "billing_configuration": {"sync": True},
    }  # fmt: skip


def subscription(number: int) -> dict[str, Any]:
    return {
        "external_customer_id": "fuzzed", "plan_code": "desk_team", "external_id": f"s{number}",
        "billing_time": "calendar", "subscription_at": "2026-01-31T00:00:00Z",
        "ending_at": "2099-01-01", "plan_overrides": {}, "name": "Shop",
    }  # fmt: skip


def receiver(number: int) -> dict[str, Any]:
    """A valid webhook endpoint."""
    return {"webhook_url": f"https://8.8.8.8/{number}", "name": "n", "event_types": ["*"]}


def cost(number: int) -> dict[str, Any]:
    return {
        "provider": "openai", "sku": f"gpt-{number}", "day": "2026-09-30", "quantity": 1250,
        "external_account_id": "maple", "amount": "0.50001", "currency": "USD",
    }  # fmt: skip


VALID = {
    "usage": counter,
    "costs": cost,
    "events": event,
    "events/batch": event,
    "customers": customer,
    "subscriptions": subscription,
    "webhook_endpoints": receiver,
}
ROOTS = {
    "usage": "counters",
    "costs": "costs",
    "events": "event",
    "events/batch": "events",
    "customers": "customer",
    "subscriptions": "subscription",
    "webhook_endpoints": "webhook_endpoint",
}
SINGLE = {"event", "customer", "subscription", "webhook_endpoint"}


@st.composite
def bodies(draw: st.DrawFn) -> tuple[str, bytes]:
    """A route, and a body near to what it takes: fields replaced, added, left out, or bytes."""
    path = draw(st.sampled_from(sorted(VALID)))
    valid = VALID[path]
    items = []
    for number in range(draw(st.integers(0, 3))):
        item = valid(number)
        changes = st.dictionaries(st.sampled_from([*sorted(item), "revision", "kind"]), VALUES)
        item |= draw(changes)
        for gone in draw(st.sets(st.sampled_from(sorted(item)), max_size=2)):
            del item[gone]
        items.append(draw(st.just(item) | VALUES) if draw(st.integers(0, 9)) == 9 else item)
    root = ROOTS[path]
    body: Any = {root: (items[:1] or [None])[0] if root in SINGLE else items}
    text = json.dumps(body, ensure_ascii=draw(st.booleans()))
    raw = text.encode("utf-8", "surrogatepass")
    match draw(st.integers(0, 9)):
        case 9:
            raw = draw(st.binary(max_size=60))
        case 8:  # cut off, or a byte changed
            at = draw(st.integers(0, len(raw)))
            raw = raw[:at] + draw(st.binary(max_size=2)) + raw[at + draw(st.integers(0, 3)) :]
    return path, raw


def test_bodies_near_and_far_from_valid(lago_world: LagoWorld) -> None:
    seen: set[int] = set()
    service = lago_world.endpoint.service()

    @settings(REPEATABLE, max_examples=700)
    @given(bodies())
    def holds(sent: tuple[str, bytes]) -> None:
        path, raw = sent
        answer = service.post_raw(f"/{path}", raw)
        prices = {403} if path == "subscriptions" else set()
        assert answer.status_code in {200, 400, 413, 422} | prices, (path, raw, answer.text)
        body = answer.json()
        if answer.status_code == 200:
            assert body.keys() <= {"usage", *ROOTS.values()}
        else:
            assert body["status"] == answer.status_code
            assert (answer.status_code == 422) == ("error_details" in body)
        seen.add(answer.status_code)

    holds()
    assert {200, 400, 422} <= seen


def test_queries_and_paths_of_any_bytes(lago_world: LagoWorld) -> None:
    names = st.sampled_from(
        ["external_subscription_id", "filter_by_metric_code", "billable_metric_code", "code",
         "page", "per_page", "periods_count", "timestamp_from", "apply_taxes", "status", "status[]",
         "external_customer_id", "plan_code"]
    )  # fmt: skip
    value = st.binary(max_size=8) | st.sampled_from([b"empty", b"1", b"\0", b"\xff", b"%"])
    routes = st.sampled_from(
        ["customers/{}/current_usage", "customers/{}/past_usage", "plans/{}", "events/{}",
         "billable_metrics/{}", "events", "plans", "billable_metrics", "customers", "customers/{}",
         "subscriptions", "subscriptions/{}"]
    )  # fmt: skip

    def escaped(raw: bytes) -> str:
        kept = (string.ascii_letters + string.digits).encode()
        return "".join(chr(byte) if byte in kept else f"%{byte:02x}" for byte in raw)

    @settings(REPEATABLE, max_examples=300)
    @given(routes, value | st.just(b"maple"), st.lists(st.tuples(names, value), max_size=4))
    def holds(route: str, identifier: bytes, query: list[tuple[str, bytes]]) -> None:
        path = route.format(escaped(identifier) or "x")
        text = "&".join(f"{name}={escaped(raw)}" for name, raw in query)
        answer = lago_world.ours.http.get(f"/api/v1/{path}?{text}")
        assert answer.status_code in (200, 400, 404, 405, 422), (path, text, answer.text)
        assert isinstance(answer.json(), dict)

    holds()
