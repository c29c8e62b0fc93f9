"""The house rules of dbt models (design: style.md), read from the files: no warehouse, no dbt."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from exports.finance.columns import MARTS
from exports.finance.tables import Mart
from warehouse.dbt_project import DBT_PROJECT

MODELS = sorted((DBT_PROJECT / "models").rglob("*.sql"))
NAME = {
    "staging": re.compile(r"stg_[a-z]+(_[a-z]+)*__[a-z]+(_[a-z]+)*"),
    "intermediate": re.compile(r"int_[a-z]+(_[a-z]+)+"),
    "marts": re.compile(r"(fct|dim|rpt)_[a-z]+(_[a-z]+)*"),
}
CLOCK = re.compile(
    r"\b(now|clock_timestamp|statement_timestamp|transaction_timestamp|timeofday)\s*\("
    r"|\b(current_timestamp|current_date|current_time|localtimestamp|localtime)\b"
    r"|\brun_started_at\b"
)
# What says that no two rows have the same grain.
KEY_TESTS = {"unique", "unique_together"}
# One row by construction: it has no grain to test.
ONE_ROW = {"rpt_rating_build"}


def _properties() -> dict[str, dict[str, Any]]:
    described: dict[str, dict[str, Any]] = {}
    for path in sorted((DBT_PROJECT / "models").rglob("*.yml")):
        for model in (yaml.safe_load(path.read_text()) or {}).get("models", []):
            assert model["name"] not in described, f"{model['name']} is described twice"
            described[model["name"]] = model
    return described


PROPERTIES = _properties()


def _layer(path: Path) -> str:
    return path.relative_to(DBT_PROJECT / "models").parts[0]


def _name(path: Path) -> str:
    return path.stem


def _marts() -> list[Path]:
    return [path for path in MODELS if _layer(path) == "marts"]


def _test_names(holder: dict[str, Any]) -> set[str]:
    return {
        test if isinstance(test, str) else next(iter(test)) for test in holder.get("data_tests", [])
    }


def _code(path: Path) -> str:
    """The SQL without comments: prose may speak of the clock."""
    return re.sub(r"--[^\n]*|\{#.*?#\}", "", path.read_text(), flags=re.DOTALL)


def test_there_are_models_to_judge() -> None:
    assert {_layer(path) for path in MODELS} == set(NAME)


@pytest.mark.parametrize("path", MODELS, ids=_name)
def test_model_is_named_by_its_layer(path: Path) -> None:
    assert NAME[_layer(path)].fullmatch(path.stem)


@pytest.mark.parametrize("path", MODELS, ids=_name)
def test_model_is_described(path: Path) -> None:
    assert PROPERTIES[path.stem].get("description", "").strip()


def test_nothing_is_described_that_is_not_there() -> None:
    assert set(PROPERTIES) - {path.stem for path in MODELS} == set()


def test_marts_have_enforced_contracts() -> None:
    """Set once for the folder; a model that switches it off again is caught by name."""
    project = yaml.safe_load((DBT_PROJECT / "dbt_project.yml").read_text())
    assert project["models"]["fusion"]["marts"]["+contract"] == {"enforced": True}
    for path in _marts():
        config = PROPERTIES[path.stem].get("config", {})
        assert config.get("contract", {"enforced": True}) == {"enforced": True}
        assert "contract" not in _code(path)


@pytest.mark.parametrize("path", _marts(), ids=_name)
def test_every_column_of_a_mart_has_type_and_description(path: Path) -> None:
    columns = PROPERTIES[path.stem]["columns"]
    assert columns
    for column in columns:
        assert column.get("description", "").strip(), column["name"]
        assert column.get("data_type", "").strip(), column["name"]


@pytest.mark.parametrize("mart", MARTS, ids=lambda mart: mart.name)
def test_what_finance_reads_of_a_mart_is_described(mart: Mart) -> None:
    """Its workbook and page print these descriptions."""
    described = {column["name"] for column in PROPERTIES[mart.name]["columns"]}
    assert {column.name for column in mart.table.columns} <= described


@pytest.mark.parametrize("path", [path for path in _marts() if path.stem not in ONE_ROW], ids=_name)
def test_mart_has_a_test_of_its_key(path: Path) -> None:
    model = PROPERTIES[path.stem]
    found = _test_names(model).union(*(_test_names(column) for column in model["columns"]))
    assert found & KEY_TESTS


@pytest.mark.parametrize(
    "path", [*MODELS, *sorted((DBT_PROJECT / "macros").rglob("*.sql"))], ids=_name
)
def test_no_model_reads_the_clock(path: Path) -> None:
    """As-of is an input: a rebuild next year gives the same lines."""
    assert CLOCK.findall(_code(path)) == []


def test_the_clock_is_recognised() -> None:
    for clock in ("now()", "current_timestamp", "CURRENT_DATE".lower(), "clock_timestamp ()"):
        assert CLOCK.search(f"select {clock} as read_at")
    assert not CLOCK.search("select received_at, known, snow from batches")


@pytest.mark.parametrize("path", MODELS, ids=_name)
def test_model_imports_first_and_ends_with_final(path: Path) -> None:
    """Import CTEs, one step a CTE, `select * from final`; references only in the imports."""
    if path.stem in ("stg_usage__counters", "stg_usage__batches"):
        return  # PostgreSQL sees through no view that has CTEs: no index order, no statistics
    code = _code(path).strip()
    assert code.startswith("with\n")
    assert code.endswith("select * from final")
    for line in code.splitlines():
        if re.search(r"\{\{\s*(ref|source)\(", line):
            assert re.fullmatch(
                r"    select (\*|count\(\*\) as \w+) from \{\{ (ref|source)\(.*\) \}\}", line
            ), line


@pytest.mark.parametrize("path", MODELS, ids=_name)
def test_only_staging_reads_sources(path: Path) -> None:
    assert ("source(" in _code(path)) == (
        _layer(path) == "staging" and path.stem != "stg_usage__snapshot"
    )


def test_unit_tests_say_their_arithmetic() -> None:
    for path in sorted((DBT_PROJECT / "models").rglob("*_unit_tests.yml")):
        for test in yaml.safe_load(path.read_text())["unit_tests"]:
            assert test.get("description", "").strip(), test["name"]


@pytest.mark.parametrize("path", sorted((DBT_PROJECT / "tests").glob("*.sql")), ids=_name)
def test_singular_test_states_an_invariant(path: Path) -> None:
    assert path.stem.startswith("assert_")
    assert path.read_text().startswith("-- ")
