"""Bodies that a decoder would let pass or could not place: each its 4xx, with index and field."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from endpoint_world import Endpoint, Service, counter, event

INVALID, FORMAT = ["value_is_invalid"], ["invalid_format"]
COUNTER = json.dumps(counter(), separators=(",", ":"))[:-1]


@pytest.mark.parametrize(
    ("second", "details"),
    [
        ('"value":2', {"value": INVALID}),
        ('"value":"1.5"', {"value": INVALID}),  # the same again is no better
        ('"value" :2', {"value": INVALID}),
        ('"value"\n:2', {"value": INVALID}),
        ('"v\\u0061lue":2', {"value": INVALID}),
        ('"transaction_id":null,"code":"x"', {"transaction_id": INVALID, "code": INVALID}),
        ('"properties":{"a":1,"a":2}', {"properties": INVALID}),
        ('"properties":{"a":[{"b":{"c":1,"c":1}}]}', {"properties": INVALID}),
        ('"properties":{},"properties":{}', {"properties": INVALID}),
        # A text with quotes and colons hides nothing.
        ('"properties":{"a":"x\\":1,\\"a\\":2"},"to":5', {"to": INVALID}),
    ],
)
def test_a_key_that_comes_twice(app: Service, second: str, details: dict[str, Any]) -> None:
    good = json.dumps(counter(1), separators=(",", ":"))
    answer = app.post_raw("/usage", f'{{"counters":[{good},{COUNTER},{second}}}]}}')
    assert (answer.status_code, answer.json().get("error_details")) == (422, {"1": details})
    assert app.rows("count(*)") == [(0,)]


def test_a_key_that_comes_twice_in_events(app: Service) -> None:
    item = json.dumps(event(), separators=(",", ":"))[:-1] + ',"timestamp":7}'
    answer = app.post_raw("/events", f'{{"event":{item}}}')
    assert (answer.status_code, answer.json()["error_details"]) == (422, {"timestamp": INVALID})
    answer = app.post_raw("/events/batch", f'{{"events":[{item}]}}')
    assert answer.json()["error_details"] == {"0": {"timestamp": INVALID}}
    root = app.post_raw("/events", f'{{"event":{json.dumps(event())},"event":{item}}}')
    assert (root.status_code, root.json()["error"]) == (400, "BadRequest: event comes twice")


@pytest.mark.parametrize(
    "extra",
    [
        '"properties":{"a":"x\\":1,\\"a\\":2"}',
        '"properties":{"a":{"a":1},"b":[{"a":1},{"a":1}]}',
        '"revision":null,"kind":null',
        '"unknown":1,"unknown2":{"value":3}',
        '"revision" : 0',
    ],
)
def test_what_only_looks_like_a_key_that_comes_twice(app: Service, extra: str) -> None:
    answer = app.post_raw("/usage", f'{{"counters":[{COUNTER},{extra}}}]}}')
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(
    ("field", "literal"),
    [
        ("value", "NaN"),
        ("value", "Infinity"),
        ("to", "-Infinity"),
        ("code", '"\\ud800"'),
        ("transaction_id", '"a\\udc00b"'),
        ("properties", '{"a":[NaN]}'),
        ("properties", '{"\\udbff":1}'),
    ],
)
def test_what_is_no_json_is_placed(app: Service, field: str, literal: str) -> None:
    good = json.dumps(counter(1))
    answer = app.post_raw("/usage", f'{{"counters":[{good},{{"{field}":{literal}}}]}}')
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("BadRequest: ")
    assert answer.json()["error"].endswith(f" at counters[1].{field}")


LONG = "9" * 10_000_000
IN_2100 = 4_102_444_800


@pytest.mark.parametrize(
    ("field", "literal", "codes"),
    [
        *((field, f'"{LONG}"', INVALID) for field in ("code", "transaction_id", "value", "kind")),
        ("external_subscription_id", f'"{LONG}"', INVALID),
        ("properties", f'{{"a":"{LONG}"}}', INVALID),
        ("properties", f'{{"{LONG}":1}}', INVALID),
        ("properties", '{"a":"\\u0000"}', INVALID),
        ("properties", '{"a":' * 40 + "1" + "}" * 40, INVALID),
        ("properties", '{"a":' + "[" * 40 + "]" * 40 + "}", INVALID),
        ("from", f'"{LONG}"', FORMAT),
        ("to", f'"{LONG}"', FORMAT),
        ("to", str(IN_2100), INVALID),
        ("to", '"2100-01-01T00:00:00Z"', INVALID),
        ("to", "1e400", FORMAT),
        ("value", LONG[:4000], INVALID),
        ("value", "1e400", INVALID),
        ("value", "-1e-400", INVALID),
        ("value", "1e999999999", INVALID),
        ("code", '"a\\u0000"', INVALID),
        ("revision", "1e400", INVALID),
    ],
    ids=lambda value: str(value)[:24].replace("\x00", ""),
)
def test_what_is_too_much_is_named(
    strict_endpoint: Endpoint, field: str, literal: str, codes: list[str]
) -> None:
    """MAX_BODY_MB has its default of 16 here."""
    app = strict_endpoint.service()
    rest = {name: value for name, value in counter().items() if name != field}
    bad = json.dumps(rest)[:-1] + f',"{field}":{literal}}}'
    started = time.monotonic()
    answer = app.post_raw("/usage", f'{{"counters":[{json.dumps(counter(1))},{bad}]}}')
    assert time.monotonic() - started < 5
    assert (answer.status_code, answer.json().get("error_details")) == (422, {"1": {field: codes}})
    assert app.rows("count(*)") == [(0,)]
