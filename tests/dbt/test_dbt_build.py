"""The whole dbt project on a fresh warehouse: it parses, builds, and every unit test holds."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import psycopg
import pytest
from dbt_process import STEPS_AS_VIEWS, Build, run_dbt


@pytest.fixture(scope="module")
def build(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Build:
    return run_dbt(database_url, tmp_path_factory.mktemp("dbt"), "build", *STEPS_AS_VIEWS)


def by_type(build: Build) -> Counter[str]:
    return Counter(result["unique_id"].split(".")[0] for result in build.results)


def test_everything_builds_and_every_test_passes(build: Build) -> None:
    refused = [
        f"{result['unique_id']}: {result['status']}: {result['message']}"
        for result in build.results
        if result["status"] not in {"success", "pass"}
    ]
    assert refused == []
    assert build.exit_status == 0, build.output


def test_unit_tests_ran(build: Build) -> None:
    counted = by_type(build)
    assert counted["unit_test"] > 0
    assert counted["model"] > 0
    assert counted["test"] > 0


def test_every_model_that_decides_has_a_unit_test(build: Build) -> None:
    """Staging and dimensions rename; what joins, folds or prices is tested with numbers."""
    built = {result["unique_id"].split(".")[2] for result in build.results if _is_model(result)}
    tested = {
        result["unique_id"].split(".")[2]
        for result in build.results
        if result["unique_id"].startswith("unit_test.")
    }
    deciding = {name for name in built if name.startswith(("int_", "fct_"))}
    assert deciding - tested == set()


def _is_model(result: dict[str, str]) -> bool:
    return result["unique_id"].startswith("model.")


def test_no_warning_hides_the_next_one(build: Build) -> None:
    """dbt_project.yml silences the one event that is meant; anything else would be news."""
    assert "[WARNING]" not in build.output
    assert "Detected columns with numeric type" not in build.output


def test_public_names_are_where_contracts_say(build: Build, database_url: str) -> None:
    """Schemas `staging`, `intermediate`, `marts`, without dbt's target prefix."""
    assert build.exit_status == 0
    with psycopg.connect(database_url) as connection:
        found = connection.execute(
            """
            select table_schema || '.' || table_name
            from information_schema.tables
            where table_schema in ('staging', 'intermediate', 'marts')
            """
        ).fetchall()
    names = {row[0] for row in found}
    for mart in (
        "dim_service",
        "dim_account",
        "dim_subscription",
        "dim_metric",
        "dim_charge",
        "fct_usage_daily",
        "fct_rated_lines",
        "fct_billed_lines",
        "fct_usage_conservation",
        "fct_cogs_daily",
        "fct_cogs_monthly",
        "fct_margin_monthly",
        "fct_reconciliation",
        "fct_reconciliation_history",
        "rpt_reconciliation_monthly",
        "rpt_reconciliation_accounts",
    ):
        assert f"marts.{mart}" in names


def test_readers_read_marts_and_nothing_before_them(build: Build, database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        relations = connection.execute(
            "select relname from pg_class"
            " where relnamespace = 'marts'::regnamespace and relkind = 'r'"
        ).fetchall()
        assert len(relations) > 10
        connection.execute("set role fusion_reader")
        for (name,) in relations:
            connection.execute(f"select * from marts.{name} limit 0")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("select * from intermediate.int_usage_daily limit 0")


def test_each_stage_builds_alone_on_a_fresh_warehouse(
    build: Build, database_url: str, tmp_path: Path
) -> None:
    """The schedules build the rating first and finance after the push. dbt runs a singular test as
    soon as one of its models is selected: a test that reads both stages would fail the first build
    of a new warehouse, on a table that does not exist yet."""
    assert build.exit_status == 0
    with psycopg.connect(database_url) as connection:
        for schema in ("marts", "intermediate", "staging"):
            connection.execute(f"drop schema {schema} cascade")
    rating = run_dbt(
        database_url,
        tmp_path,
        "build",
        "--select",
        "+tag:rating",
        "--exclude-resource-type",
        "unit_test",
    )
    assert rating.exit_status == 0, rating.output
    assert by_type(rating)["test"] > 0
    finance = run_dbt(
        database_url,
        tmp_path,
        "build",
        "--select",
        "fqn:*",
        "--exclude",
        "+tag:rating",
        "--exclude-resource-type",
        "unit_test",
    )
    assert finance.exit_status == 0, finance.output
    assert by_type(finance)["test"] > 0


def test_rated_tables_are_not_made_of_a_few_subscriptions(
    database_url: str, tmp_path: Path
) -> None:
    """The second build touches nobody. A full refresh of the lines alone would make them of nobody:
    an empty table, and a billing run that credits all that it billed."""
    for _ in range(2):
        built = run_dbt(database_url, tmp_path, "run", "--select", "+tag:rating")
        assert built.exit_status == 0, built.output
    alone = run_dbt(database_url, tmp_path, "run", "--full-refresh", "--select", "fct_rated_lines")
    assert alone.exit_status == 1
    assert "--select +fct_rated_lines" in alone.output
    whole = run_dbt(database_url, tmp_path, "run", "--full-refresh", "--select", "+fct_rated_lines")
    assert whole.exit_status == 0, whole.output
