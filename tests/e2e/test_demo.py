"""The main job, end to end and for real: one `fusion-billing demo`, and what can be asked after."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import dagster as dg
import openpyxl
import pyarrow.parquet
import pytest
from command_line import fusion_billing
from demo_run import Demo

from dagster_project.instance import dagster_environment
from sandbox.world import make_world
from warehouse.settings import Settings

STEPS = {
    "prepare",
    "seed Odoo",
    "old invoices and costs",
    "post counters",
    "build, bill, push",
    "Odoo invoices",
    "late counters",
    "adjust, reconcile, export",
    "run and push again",
}


def test_the_demo_ends_well_and_tells_its_seconds(demo: Demo) -> None:
    assert demo.finished.status == 0, demo.finished.stderr
    assert set(demo.summary["seconds"]) == STEPS
    print(f"\nthe demo took {demo.seconds:.0f} s and at most {demo.peak_bytes / 2**20:.0f} MiB")


def test_progress_is_plain_lines_on_stderr(demo: Demo) -> None:
    assert demo.finished.stderr.splitlines() == [f"… {step}" for step in demo.summary["seconds"]]


def test_the_summary_is_on_disk_as_printed(demo: Demo) -> None:
    assert json.loads((demo.home / "demo" / "summary.json").read_text()) == demo.summary


def test_every_accepted_counter_is_stored_and_stands_in_one_bucket(demo: Demo) -> None:
    counters, conservation = demo.summary["counters"], demo.summary["conservation"]
    assert conservation["difference"] == "0"
    assert conservation["raw"] == conservation["bucketed"]
    assert conservation["raw_counters"] == counters["accepted"] > 10_000
    assert sum(conservation["buckets"].values()) == counters["accepted"]
    assert counters["posted"] == sum(
        counters[fate] for fate in ("accepted", "duplicate", "rejected")
    )


@pytest.mark.parametrize("bucket", ["billed", "included", "unattributed", "unpriced", "superseded"])
def test_the_world_fills_the_bucket(demo: Demo, bucket: str) -> None:
    assert demo.summary["conservation"]["buckets"][bucket] > 0


def test_duplicates_and_a_changed_repeat_were_sent(demo: Demo) -> None:
    assert demo.summary["counters"]["duplicate"] > 0
    assert demo.summary["conservation"]["conflicts_recorded"] > 0


def test_odoo_has_every_billed_line_once(demo: Demo) -> None:
    lines = demo.summary["lines"]
    assert lines["in_odoo"] == lines["billed"] > 100
    assert lines["adjustments"] > 0
    assert Decimal(lines["amount"]) > 0


def test_every_planted_difference_is_found_and_no_other(demo: Demo) -> None:
    found = demo.summary["reconciliation"]
    assert found["planted_found"] == found["planted"]
    assert found["not_planted"] == 0
    assert len(found["differences"]) >= 11
    assert sum(found["differences"].values()) == found["planted"]
    assert found["match"] > 100


def test_a_second_run_and_push_write_nothing(demo: Demo) -> None:
    assert demo.summary["second_run"] == {"lines": 0, "pushed": 0}


def test_there_is_a_margin(demo: Demo) -> None:
    margin = demo.summary["margin"]
    assert margin["currency"] == "CAD"
    assert Decimal(margin["revenue"]) > Decimal(margin["cogs"]) > 0
    costs = {name: Decimal(amount) for name, amount in demo.summary["costs"].items()}
    # Most of it names its account or is shared out; for Twilio's numbers nobody uses them more.
    assert costs.keys() == {"direct", "shared", "unallocated"}
    assert Decimal(margin["cogs"]) / 20 > costs["unallocated"] > 0
    assert costs["shared"] > 1000


def test_finance_can_open_the_files(demo: Demo) -> None:
    files = [Path(name) for name in demo.summary["files"]]
    workbooks = [file for file in files if file.suffix == ".xlsx"]
    parquets = [file for file in files if file.suffix == ".parquet"]
    pages = [file for file in files if file.suffix == ".html"]
    assert [page.stem for page in pages] == [book.stem for book in workbooks]
    assert len(workbooks) >= 2
    for page, file in zip(pages, workbooks, strict=True):
        book = openpyxl.load_workbook(file, data_only=True)
        assert len(book.sheetnames) == 10
        rows = book["Summary"].iter_rows(max_col=3, values_only=True)
        failed = [str(row[0]) for row in rows if row[2] == "CHECK"]
        # The open month has periods that are rated and not billed yet.
        open_month = ["Billed less rated, CAD", "Lines that are not billed as they are rated"]
        assert failed == (open_month if file == workbooks[-1] else [])
        attested = str(book["Summary"]["A4"].value)
        assert "SHA-256" in attested
        assert attested in page.read_text()
    assert sum(pyarrow.parquet.read_metadata(file).num_rows for file in parquets) > 100


def test_no_process_is_left_behind(demo: Demo) -> None:
    assert demo.left_behind == {}


def test_a_billing_run_after_the_demo_writes_nothing(demo: Demo, demo_database: str) -> None:
    again = fusion_billing(
        *("run", "--date", demo.day.isoformat(), "--format", "json"), env=demo.env, seconds=300
    )
    assert again.status == 0, again.stderr
    result = again.json()
    assert (result["lines"], result["amount"], result["run_id"]) == (0, "0", None)


def test_reconcile_lists_the_planted_differences(demo: Demo, demo_database: str) -> None:
    listed = fusion_billing("reconcile", "--format", "json", env=demo.env)
    assert listed.status == 0, listed.stderr
    world = make_world(demo.day, zone=ZoneInfo("America/Toronto"))
    assert sorted(
        (
            row["subscription_key"],
            row["item"],
            date.fromisoformat(row["period_start"]).replace(day=1),
            row["reason"],
        )
        for row in listed.json()
    ) == sorted(
        (case.subscription_key, case.metric_code, case.month, case.reason)
        for case in world.planted_differences()
    )


def test_dagster_remembers_two_good_runs_with_every_check_passed(
    demo: Demo, demo_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(fusion_home=demo.home, _env_file=None)
    for name, value in dagster_environment(demo_database, settings).items():
        monkeypatch.setenv(name, value)
    with dg.DagsterInstance.from_config(str(demo.home / "dagster")) as instance:
        runs = instance.get_runs(dg.RunsFilter(job_name="daily_billing"))
        assert [run.status for run in runs] == [dg.DagsterRunStatus.SUCCESS] * 2
        for run in runs:
            events = instance.get_records_for_run(
                run.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION
            ).records
            checks = {}
            for event in events:
                assert event.event_log_entry.dagster_event is not None
                check = event.event_log_entry.dagster_event.asset_check_evaluation_data
                checks[check.asset_check_key.to_user_string()] = check.passed
            assert len(checks) > 50
            assert [name for name, passed in checks.items() if not passed] == []
            assert "marts/fct_usage_conservation:usage_is_conserved" in checks
            assert "marts/fct_reconciliation:differences_are_explained" in checks
