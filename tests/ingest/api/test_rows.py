"""The short ways through validation and into PostgreSQL change nothing but the time they take."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from endpoint_world import Service, counter
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.api import rows
from ingest.api.exact import number, plain, plain_of_text
from ingest.api.payloads import Counter, Event

LATEST = datetime(2030, 1, 1, tzinfo=UTC)
TEXTS = st.sampled_from(["", " ", "a", "é", "\x00", "\t", "x" * 255, "x" * 256]) | st.text(
    max_size=6
)
NUMBERS = st.sampled_from(
    ["0", "-0", "-0.0", "007.50", "1.500", "12e3", "1" * 38, "1" * 39, ".5", "5.", "+5", "٣", ""]
)
WHEN = st.sampled_from(
    ["2025-01-01T00:00:00Z", "2025-01-01T01:00:00+01:00", "1735689600", "2025-06-01T00:00:00Z"]
) | st.sampled_from(["2025-01-01", "", "2031-01-01T00:00:00Z", 1735689600, None, 1.5, True])
ANYTHING = st.none() | st.integers() | st.booleans() | st.just([]) | TEXTS | NUMBERS
PROPERTIES = ANYTHING | st.dictionaries(
    TEXTS, ANYTHING | st.lists(ANYTHING, max_size=2), max_size=3
)


@given(
    st.builds(
        Counter,
        external_subscription_id=TEXTS | ANYTHING,
        code=TEXTS | ANYTHING,
        from_=WHEN,
        to=WHEN,
        value=NUMBERS | ANYTHING | st.decimals(allow_nan=False, allow_infinity=False),
        transaction_id=TEXTS | ANYTHING,
        revision=st.sampled_from([None, None, 0, 3, -1, "1"]),
        kind=st.sampled_from([None, None, "delta", "cumulative", "x"]),
        properties=PROPERTIES,
    )
)
@settings(max_examples=500)
def test_a_counters_short_way_ends_where_the_long_way_does(item: Counter) -> None:
    short = rows._usual_row(item, LATEST)
    assert short is None or short == rows._judged_row(item, LATEST)


@given(
    st.builds(
        Event,
        transaction_id=TEXTS | ANYTHING,
        code=TEXTS | ANYTHING,
        external_subscription_id=TEXTS | ANYTHING,
        timestamp=st.none() | NUMBERS | WHEN | st.integers(0, 2**40),
        precise_total_amount_cents=st.none() | NUMBERS,
        properties=PROPERTIES,
    )
)
@settings(max_examples=500)
def test_an_events_short_way_ends_where_the_long_way_does(item: Event) -> None:
    short = rows._usual_event_row(item, LATEST)
    assert short is None or short == rows._judged_event_row(item, LATEST)


def test_the_short_ways_are_taken() -> None:
    sent = counter() | {"transaction_id": "t"}
    item = Counter(**{("from_" if name == "from" else name): sent[name] for name in sent})
    item.value = "1.50"
    row = rows._usual_row(item, LATEST)
    assert row is not None
    assert (row.value, row.identity.transaction_id) == ("1.50", "t")
    item.from_, item.to, item.value = "2025-01-01T00:00:00Z", "2025-01-01T01:00:00Z", 15
    row = rows._usual_row(item, LATEST)
    assert row is not None
    assert row.value == "15"
    assert rows._usual_event_row(Event("t", "calls", "sub", 1735689600), LATEST) is not None


@given(st.from_regex(r"-?[0-9]{1,12}(\.[0-9]{1,6})?", fullmatch=True) | NUMBERS)
def test_the_plain_spelling_of_a_text_is_that_of_its_number(text: str) -> None:
    short = plain_of_text(text)
    value = number(text)
    assert short is None or (value is not None and short == plain(value))


NASTY = ["back\\slash", "\\N", "\\.", 'quo"te', "tab\tnew\nline\rreturn", "{a,b}", "é ☃ 𝄞", "NULL"]


@pytest.mark.parametrize("filler", [0, 200], ids=["statement", "copy"])
def test_every_text_arrives_as_sent(app: Service, filler: int) -> None:
    """Few rows go as array literals, many in COPY's text format: both escape by their own rules."""
    sent: list[dict[str, Any]] = [
        counter(n)
        | {"transaction_id": f"{text}{n}", "code": text, "external_subscription_id": f"s{text}"}
        | {"properties": {text: text, "nested": [{"more": text}]}, "value": "-1.50"}
        for n, text in enumerate(NASTY)
    ] + [counter(1000 + n) for n in range(filler)]
    assert app.post("/usage", {"counters": sent}).json()["usage"]["accepted"] == len(sent)
    assert app.post("/usage", {"counters": sent}).json()["usage"]["duplicates"] == len(sent)
    stored = app.rows("transaction_id, code, external_subscription_id, properties, value::text")
    for item in sent[: len(NASTY)]:
        expected = item["transaction_id"], item["code"], item["external_subscription_id"]
        assert (*expected, item["properties"], "-1.50") in stored
