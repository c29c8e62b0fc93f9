"""A month that was billed, billed late and credited: replayed from raw, and each line explained."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from command_line import Finished, environment, fusion_billing
from small_world import MONTH, TODAY, add_messages, fill

from odoo_gateway.connect import connect
from sandbox.odoo.launch import running_double

KEY = f"nexadesk:maple-desk:desk_team/messages:{MONTH}:1"
Command = Callable[..., Finished]


@pytest.fixture(scope="module")
def command(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Command]:
    """1,500 messages, of which 1,000 are included, at 0.012: 6.00. Then 100 more, late: 1.20."""
    folder: Path = tmp_path_factory.mktemp("replay")
    with running_double(folder / "odoo.sqlite") as odoo_url:
        given = {"DATABASE_URL": database_url, "ODOO_URL": odoo_url, "ODOO_API_KEY": "admin"}
        env = environment(folder, **given)

        def run(line: str, *, status: int = 0) -> Finished:
            finished = fusion_billing(*line.split(), env=env, seconds=240)
            assert finished.status == status, finished
            return finished

        run("odoo bootstrap")
        fill(connect(odoo_url, "odoo", "admin", "admin"))
        run("service add nexadesk --phase live")
        add_messages(database_url, "t1", 1500)
        run("odoo mirror")
        run(f"run --date {TODAY}")
        add_messages(database_url, "t2", 100)
        run(f"run --date {TODAY}")
        run("odoo push")
        yield run


def replayed(command: Command, *, status: int) -> Any:
    return command(f"replay --month {MONTH:%Y-%m} --format json", status=status).json()


def test_the_month_is_rebuilt_to_the_byte_and_nothing_is_disturbed(
    command: Command, database_url: str
) -> None:
    def state() -> list[Any]:
        with psycopg.connect(database_url) as connection:
            return [
                connection.execute(query).fetchall()
                for query in (
                    "select * from ops.billed_line order by line_key",
                    "select * from ops.rollup_progress order by rollup",
                    "select build_id from staging.stg_usage__snapshot",
                    "select schema_name from information_schema.schemata order by 1",
                    "select oid from pg_class where relname like 'int_usage%' order by 1",
                )
            ]

    before = state()
    result = replayed(command, status=0)
    assert state() == before
    assert (result["identical"], result["lines"], result["differences"]) == (True, 1, [])
    assert result["ledger_sha256"] == result["rebuilt_sha256"]
    assert [(run["lines"], run["holds"]) for run in result["runs"]] == [(1, True), (1, True)]


def test_a_line_is_explained_with_its_counters_and_its_fate(command: Command) -> None:
    first = command(f"explain {KEY} --format json").json()
    assert first["arithmetic"] == "1,500 used − 1,000 included = 500 × 0.012 = 6.00 CAD"
    assert [(one["line_key"], one["reason"], one["amount"]) for one in first["adjustments"]] == [
        (KEY, "period", "6.00"),
        (f"{KEY}~1", "late_usage", "1.20"),
    ]
    assert [(day["is_late"], day["counters"], day["quantity"]) for day in first["days"]] == [
        (False, 1, "1500"),
        (True, 1, "100"),
    ]
    assert [(one["transaction_id"], one["value"]) for one in first["counters"]] == [
        ("t1", "1500"),
        ("t2", "100"),
    ]
    assert first["days"][0]["local_day"] == (MONTH + dt.timedelta(days=9)).isoformat()
    assert first["price"]["unit_price"] == "0.012"
    assert (first["odoo"]["state"], first["odoo"]["subtotal"]) == ("verified", "6.00")
    assert first["tiers"][0]["amount"] == "7.20"

    late = command(f"explain {KEY}~1 --counters 1 --format json").json()
    assert late["arithmetic"] == (
        "1,600 used − 1,000 included = 600 × 0.012 = 7.20 CAD, of which 6.00 CAD was billed before:"
        " 1.20 CAD (late usage)"
    )
    assert (len(late["counters"]), late["counters_total"]) == (1, 2)
    text = command(f"explain {KEY}~1").stdout
    assert late["arithmetic"] in text
    assert "First 2 of 2 counters" in text


def test_an_unknown_key_names_the_nearest(command: Command) -> None:
    found = command(f"explain {KEY.replace('maple', 'mable')}", status=2)
    assert found.stdout == ""
    assert f"Nearest: {KEY}, {KEY}~1." in " ".join(found.stderr.split())


def test_late_usage_since_the_last_run_is_a_difference_with_its_name(
    command: Command, database_url: str
) -> None:
    """Last of this module: it is never billed."""
    add_messages(database_url, "t3", 50)
    result = replayed(command, status=1)
    assert not result["identical"]
    (found,) = result["differences"]
    assert (found["line_key"], found["kind"]) == (KEY, "late_usage")
    assert (found["ledger_amount"], found["rebuilt_amount"]) == ("7.20", "7.80")
    assert "late_usage" in command(f"replay --month {MONTH:%Y-%m}", status=1).stdout
    empty = command("replay --month 2019-01", status=2)
    assert "Nothing of 2019-01 is billed" in empty.stderr
