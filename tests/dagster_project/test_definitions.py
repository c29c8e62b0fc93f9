"""What Dagster shows and when it runs: everything loads, hangs together, and says what it is."""

from __future__ import annotations

import dagster as dg
import pytest
from dagster._core.execution.api import create_execution_plan

from exports.finance.columns import MARTS

USAGE_LINES = dg.AssetKey(["odoo", "usage_lines"])
LEDGER = dg.AssetKey(["ops", "billed_line"])
CONSERVED = dg.AssetCheckKey(dg.AssetKey(["marts", "fct_usage_conservation"]), "usage_is_conserved")
EXPLAINED = dg.AssetCheckKey(
    dg.AssetKey(["marts", "fct_reconciliation"]), "differences_are_explained"
)


def test_all_definitions_load(defs: dg.Definitions) -> None:
    dg.Definitions.validate_loadable(defs)


JOBS = {"hourly_build", "daily_billing", "monthly_close", "webhooks"}


@pytest.mark.parametrize("job", sorted(JOBS))
def test_a_job_resolves_to_steps(defs: dg.Definitions, job: str) -> None:
    assert create_execution_plan(defs.resolve_job_def(job)).step_keys_to_execute


def test_there_are_no_other_jobs(defs: dg.Definitions) -> None:
    names = {job.name for job in defs.resolve_all_job_defs()} - {"__ASSET_JOB"}
    assert names == JOBS


def test_a_line_in_odoo_descends_from_the_counters(defs: dg.Definitions) -> None:
    ancestors = defs.resolve_asset_graph().get_ancestor_asset_keys(USAGE_LINES)
    for path in (
        ["raw", "usage_counter"],
        ["raw", "ingest_batch"],
        ["raw", "odoo_charge"],
        ["staging", "stg_usage__counters"],
        ["marts", "fct_rated_lines"],
        ["ops", "billed_line"],
    ):
        assert dg.AssetKey(path) in ancestors


def test_a_new_customers_usage_is_rated_in_the_run_that_makes_it(defs: dg.Definitions) -> None:
    ancestors = defs.resolve_asset_graph().get_ancestor_asset_keys(LEDGER)
    assert {dg.AssetKey(["raw", "command"]), dg.AssetKey(["ops", "command_state"])} <= ancestors
    steps = create_execution_plan(defs.resolve_job_def("hourly_build")).step_keys_to_execute
    assert "commands" in steps


def test_reconciliation_comes_after_the_push(defs: dg.Definitions) -> None:
    graph = defs.resolve_asset_graph()
    reconciliation = dg.AssetKey(["marts", "fct_reconciliation"])
    assert USAGE_LINES in graph.get_ancestor_asset_keys(reconciliation)
    before_the_close = graph.get_ancestor_asset_keys(dg.AssetKey(["exports", "month_close"]))
    assert reconciliation in before_the_close
    assert {dg.AssetKey(["marts", mart.name]) for mart in MARTS} <= before_the_close


def test_costs_come_from_odoo_and_files_and_follow_their_drivers(defs: dg.Definitions) -> None:
    ancestors = defs.resolve_asset_graph().get_ancestor_asset_keys(
        dg.AssetKey(["marts", "fct_cogs_daily"])
    )
    for path in (
        ["odoo", "provider_costs"],
        ["raw", "provider_cost"],
        ["ops", "cost_driver"],
        ["marts", "fct_usage_daily"],
    ):
        assert dg.AssetKey(path) in ancestors


def test_nothing_is_rated_from_what_the_push_left_in_odoo(defs: dg.Definitions) -> None:
    """Data walks one way: a rating that read Odoo's order lines would bill what it billed."""
    ancestors = defs.resolve_asset_graph().get_ancestor_asset_keys(LEDGER)
    pushed = {"odoo_order_line", "odoo_invoice", "odoo_invoice_line"}
    assert pushed.isdisjoint(key.path[-1] for key in ancestors)


@pytest.mark.parametrize("check", [CONSERVED, EXPLAINED], ids=lambda check: check.name)
def test_a_check_blocks_what_comes_after(defs: dg.Definitions, check: dg.AssetCheckKey) -> None:
    assert defs.resolve_asset_graph().get(check).blocking


def test_the_billing_run_waits_for_the_conservation_check(defs: dg.Definitions) -> None:
    steps = create_execution_plan(defs.resolve_job_def("daily_billing")).step_dict_by_key
    check = "marts__fct_usage_conservation_usage_is_conserved"
    assert check in steps
    assert check in steps["billing_run"].get_execution_dependency_keys()


def test_the_close_builds_the_marts_it_reads(defs: dg.Definitions) -> None:
    """What the hours before it mirrored is in no mart of the night, and would refuse it."""
    job = defs.resolve_job_def("monthly_close")
    order = [node.name for node in job.graph.nodes_in_topological_order]
    assert order.index("finance_models") < order.index("exports__month_close")


@pytest.mark.parametrize(
    ("job", "cron"),
    [
        ("hourly_build", "20 * * * *"),
        ("daily_billing", "30 4 * * *"),
        ("monthly_close", "0 9 4 * *"),
        ("webhooks", "*/10 * * * *"),
    ],
)
def test_a_schedule_keeps_company_time(defs: dg.Definitions, job: str, cron: str) -> None:
    (schedule,) = [each for each in defs.schedules or [] if each.job_name == job]
    assert isinstance(schedule, dg.ScheduleDefinition)
    assert schedule.cron_schedule == cron
    assert schedule.execution_timezone == "America/Toronto"


def test_every_asset_has_a_group_and_a_description(defs: dg.Definitions) -> None:
    specs = defs.resolve_all_asset_specs()
    assert len(specs) > 60
    nameless = [spec.key for spec in specs if spec.group_name in (None, "default")]
    silent = [spec.key for spec in specs if not (spec.description or "").strip()]
    assert (nameless, silent) == ([], [])


def test_the_hourly_build_neither_bills_nor_pushes(defs: dg.Definitions) -> None:
    steps = create_execution_plan(defs.resolve_job_def("hourly_build")).step_keys_to_execute
    assert {"billing_run", "usage_lines"}.isdisjoint(steps)
    assert "rating_models" in steps


def test_the_daily_job_leaves_the_close_to_finance(defs: dg.Definitions) -> None:
    steps = create_execution_plan(defs.resolve_job_def("daily_billing")).step_keys_to_execute
    assert not any("month_close" in step for step in steps)


def test_apps_are_told_of_what_the_push_left_in_odoo(defs: dg.Definitions) -> None:
    graph = defs.resolve_asset_graph()
    told = dg.AssetKey(["ops", "webhook_delivery"])
    assert dg.AssetKey(["raw", "odoo_invoice"]) in graph.get(told).parent_keys
    steps = create_execution_plan(defs.resolve_job_def("webhooks")).step_keys_to_execute
    assert steps == ["ops__webhook_delivery"]
