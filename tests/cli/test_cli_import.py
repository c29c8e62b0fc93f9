"""Files through the command: what the old billers and the provider wrote, loaded once."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import psycopg
import pytest
from command_line import fusion_billing
from sqlalchemy.engine import Engine

from ingest.keys import add_service
from sandbox.app_invoices import write_lago_invoices, write_stripe_invoices
from sandbox.model import World
from sandbox.provider_costs import cost_rows, write_costs
from sandbox.world import make_world


@pytest.fixture(scope="module", autouse=True)
def _services(engine: Engine) -> None:
    for code in ("nexacloud", "nexadesk", "nexamaps"):
        add_service(engine, code, code)


@pytest.fixture(scope="module")
def old_world() -> World:
    return make_world(date(2026, 11, 21), zone=ZoneInfo("America/Toronto"))


def load(env: dict[str, str], *arguments: object) -> object:
    words = [str(argument) for argument in arguments]
    finished = fusion_billing("import", *words, "--format", "json", env=env)
    assert (finished.status, finished.stderr) == (0, ""), finished
    return finished.json()


def test_costs_are_loaded_once(
    env: dict[str, str], database_url: str, old_world: World, tmp_path: Path
) -> None:
    file = write_costs(old_world, tmp_path)
    rows = list(cost_rows(old_world))
    first = load(env, "costs", file)
    assert isinstance(first, list)
    assert first[0]["file"] == str(file)
    assert (first[0]["new"], first[0]["changed"]) == (len(rows), 0)
    again = load(env, "costs", file.with_suffix(".parquet"))
    assert isinstance(again, list)
    assert (again[0]["new"], again[0]["changed"]) == (0, 0)
    with psycopg.connect(database_url) as connection:
        stored = connection.execute(
            "select count(*), sum(amount) from raw.provider_cost"
        ).fetchone()
    assert stored == (len(rows), sum((row.amount for row in rows), Decimal(0)))


@pytest.mark.parametrize("source", ["lago", "stripe"])
def test_invoices_are_loaded_once(
    source: str, env: dict[str, str], database_url: str, old_world: World, tmp_path: Path
) -> None:
    write = {"lago": write_lago_invoices, "stripe": write_stripe_invoices}[source]
    service = {"lago": "nexadesk", "stripe": "nexacloud"}[source]
    files = [file for file in write(old_world, tmp_path) if service in file.name]
    count = (
        "select count(distinct (external_invoice_id, version)), count(external_line_id)"
        " from raw.app_invoice left join raw.app_billing_line"
        " using (source, external_invoice_id, version) where source = %s"
    )
    dry = load(env, source, *files, "--service", service, "--dry-run")
    with psycopg.connect(database_url) as connection:
        assert connection.execute(count, [source]).fetchone() == (0, 0)
    first = load(env, source, *files, "--service", service)
    assert isinstance(first, dict)
    assert dry == first
    assert (first["problems"], first["documents"]["changed"]) == ([], 0)
    with psycopg.connect(database_url) as connection:
        stored = connection.execute(count, [source]).fetchone()
    assert stored == (first["documents"]["new"], first["lines"]["new"])
    assert first["lines"]["new"] > 100
    again = load(env, source, *files, "--service", service)
    assert isinstance(again, dict)
    assert again["documents"] == {**first["documents"], "new": 0, "unchanged": stored[0]}
    assert again["lines"] == {"new": 0, "unchanged": stored[1], "changed": 0}


def test_a_broken_line_is_told_and_the_answer_is_no(env: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "lago-cut.json"
    file.write_text('{"invoices": [')
    finished = fusion_billing(
        "import", "lago", str(file), "--service", "nexadesk", "--format", "json", env=env
    )
    assert finished.status == 1
    (problem,) = finished.json()["problems"]
    assert problem["file"] == "lago-cut.json"


@pytest.mark.parametrize("source", ["lago", "stripe"])
def test_nothing_is_loaded_for_a_service_that_is_none(
    source: str, env: dict[str, str], tmp_path: Path
) -> None:
    file = tmp_path / "export.json"
    file.write_text("[]")
    finished = fusion_billing("import", source, str(file), "--service", "nope", env=env)
    assert (finished.status, finished.stdout) == (2, "")
    assert finished.stderr == (
        "error: There is no service 'nope'. Known: nexacloud, nexadesk, nexamaps;"
        " `fusion-billing service add` makes one.\n"
    )


def test_what_was_loaded_before_a_bad_file_is_told(env: dict[str, str], tmp_path: Path) -> None:
    head = "provider,sku,day,service_code,external_account_id,quantity,amount,currency\n"
    good, bad = tmp_path / "good.csv", tmp_path / "bad.csv"
    good.write_text(head + "ovh,told,2026-09-01,,,1,2,CAD\n")
    bad.write_text(head + f"ovh,told,2026-09-01,,,1,{'9' * 140_001},CAD\n")
    finished = fusion_billing("import", "costs", str(good), str(bad), env=env)
    assert (finished.status, finished.stdout) == (2, "")
    assert finished.stderr == (
        "error: bad.csv, line 2, column amount: has more than 15 digits before the point, or 20"
        " after it."
        f" Loaded before it: {good}\n"
    )
