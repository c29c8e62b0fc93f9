"""Lago's vectors through the real models: one build for all, a test per vector."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from conformance_run import API, DEFAULT, Warehouse, prepared, run
from listed_exceptions import FILE, listed
from mutants import mutants
from outcomes import Outcome, report
from rated_cases import RATE_AND_TEST
from vectors import Vector, VectorError, VectorFileError, load

MORE = DEFAULT.with_name("more_vectors.json")


def all_vectors() -> list[Vector]:
    """Lago's given vectors and ours of the same form: more of its specification, some by hand."""
    return [
        Vector(vector.record, place)
        for place, vector in enumerate([*load(DEFAULT), *load(MORE)], 1)
    ]


VECTORS = all_vectors()
PRICED: dict[str, Any] = {
    "category": "charge_model",
    "model": "standard",
    "properties": {"amount": "2"},
    "units": "3",
    "expected_amount": "6",
}
# What a file of somebody else's may hold: each fails alone, and says why.
CROOKED: dict[str, tuple[dict[str, Any], str]] = {
    "another-amount": (
        PRICED | {"expected_amount": "7"},
        "expected units=3 amount=7 got units=3 amount=6",
    ),
    "another-category": (PRICED | {"category": "wallet"}, "unknown category: wallet"),
    "another-model": (PRICED | {"model": "flat"}, "unknown charge model: flat"),
    "another-aggregation": (PRICED | {"aggregation": "p95_agg"}, "unknown aggregation: p95_agg"),
    "another-key": (PRICED | {"discount": "1"}, "unknown key: discount"),
    "another-property": (
        PRICED | {"properties": {"amount": "2", "cap": "9"}},
        "unknown key in properties: cap",
    ),
    "another-expectation": (
        PRICED | {"expected_mood": "good"},
        "not compared, meaning unknown: expected_mood",
    ),
    "no-expectation": (
        {name: value for name, value in PRICED.items() if name != "expected_amount"},
        "it expects nothing that could be compared",
    ),
    "no-units": (
        {name: value for name, value in PRICED.items() if name != "units"},
        "units is missing",
    ),
    "no-number": (PRICED | {"units": "many"}, "units is 'many', not a number"),
    "no-price": (PRICED | {"properties": {}}, "missing in properties: amount"),
    "no-shape": (PRICED | {"properties": ["amount"]}, "properties is ['amount'], not an object"),
    "no-id": ({"category": "rounding"}, "is missing"),
}


def crooked() -> list[Vector]:
    return [
        Vector({**record, "id": name}, len(VECTORS) + place)
        for place, (name, (record, _)) in enumerate(CROOKED.items(), 1)
    ]


def mutated() -> list[Vector]:
    """Lago's vectors that are met, with one expectation changed in each."""
    exceptions, met = listed(), [one for one in all_vectors() if not listed().of_vector(one)]
    left_out: dict[str, set[str]] = {}
    for one in list(met):
        if one.category == API:
            continue
        try:
            left_out[one.id] = set(prepared(copy.deepcopy(one), exceptions).not_compared)
        except VectorError:  # one that cannot be fed, and is listed so
            met.remove(one)
    return mutants(met, left_out, len(VECTORS) + len(CROOKED) + 1)


@pytest.fixture(scope="session")
def outcomes(server_url: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcome]:
    """Every vector's, and those of vectors that cannot hold beside them."""
    ran = run(
        [*VECTORS, *crooked(), *mutated()], server_url, tmp_path_factory.mktemp("conformance")
    )
    return {outcome.id: outcome for outcome in ran}


@pytest.mark.parametrize("name", [vector.id for vector in VECTORS])
def test_vector(name: str, outcomes: dict[str, Outcome]) -> None:
    outcome = outcomes[name]
    if outcome.verdict == "exception":
        pytest.xfail(str(outcome))
    assert outcome.verdict == "pass", str(outcome)


@pytest.mark.parametrize("name", CROOKED)
def test_a_crooked_vector_fails_alone_and_says_why(name: str, outcomes: dict[str, Outcome]) -> None:
    assert outcomes[name].verdict == "fail"
    assert CROOKED[name][1] in str(outcomes[name])


def test_no_vector_is_met_by_another_expectation(outcomes: dict[str, Outcome]) -> None:
    ids = [vector.id for vector in mutated()]
    assert len(ids) > len(VECTORS)
    assert [str(outcomes[name]) for name in ids if outcomes[name].verdict != "fail"] == []


def test_every_exception_is_still_needed(outcomes: dict[str, Outcome]) -> None:
    ids = [entry["id"] for entry in json.loads(FILE.read_text()) if "id" in entry]
    assert [name for name in ids if outcomes[name].verdict != "exception"] == []


def test_the_last_line_counts_and_exceptions_are_told_apart() -> None:
    lines, status = report(
        [
            Outcome("a", "pass", {"amount": 1}, {"amount": 1}),
            Outcome("b", "exception", {"amount": 1}, {"amount": 2}, "Lago is wrong"),
        ]
    )
    assert lines == [
        "a: pass expected amount=1 got amount=1",
        "b: exception expected amount=1 got amount=2 (Lago is wrong)",
        "1 listed exception, told apart from both",
        "1 passed, 0 failed",
    ]
    assert status == 0
    lines, status = report([Outcome("c", "fail", {"amount": 1}, {"amount": 2})])
    assert (lines[-1], status) == ("0 passed, 1 failed", 1)


def test_a_file_without_vectors_is_refused(tmp_path: Path) -> None:
    for content, why in (("{}", "no list"), ("[1]", "vector 1"), ("[", "Expecting value")):
        file = tmp_path / "vectors.json"
        file.write_text(content)
        with pytest.raises(VectorFileError, match=why):
            load(file)


@pytest.mark.slow
def test_every_data_test_holds_on_what_the_vectors_make(server_url: str, tmp_path: Path) -> None:
    """Conservation, keys and the equations of the marts, over every aggregation and price."""
    exceptions = listed()
    cases = [
        case
        for vector in load(DEFAULT)
        if vector.category != API and not exceptions.of_vector(vector)
        for case in prepared(vector, exceptions).cases
    ]
    warehouse = Warehouse(server_url, tmp_path)
    try:
        readings = warehouse.rate(cases, command=RATE_AND_TEST)
    finally:
        warehouse.drop()
    assert len(readings) > 100


@pytest.mark.slow
def test_a_vector_that_breaks_the_build_fails_alone(server_url: str, tmp_path: Path) -> None:
    """A quantity that no numeric holds; found by halves."""
    huge = {"id": "huge", "units": "1e140000", "event_values": ["1e140000"]}
    ran = run(
        [Vector({**PRICED, "id": "sound"}, 1), Vector(PRICED | huge, 2)], server_url, tmp_path
    )
    assert [outcome.verdict for outcome in ran] == ["pass", "fail"]
    assert "it cannot be rated" in str(ran[1])
