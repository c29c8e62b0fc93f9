"""The cutover's commands as processes: what they answer, and with which exit status."""

from __future__ import annotations

import datetime as dt
import os

import psycopg
import pytest
from command_line import Finished, fusion_billing

from cli.options import login_name
from warehouse.locks import BILLING_RUN, lock_number

# Empty marts, of the columns that the commands read.
EMPTY = """
create schema if not exists marts;
create table if not exists marts.rpt_parity (
    service_code text, month date, phase text, phase_since date, lines bigint, compared bigint,
    matched bigint, explained bigint, unexplained bigint, not_compared bigint,
    base_fees_in_shadow bigint, matched_pct numeric, explained_pct numeric,
    unexplained_cents bigint, by_reason jsonb);
create table if not exists marts.fct_margin_monthly (
    month date, service_code text, account_key text, plan_code text, metric_code text,
    usage_revenue numeric, base_revenue numeric, cogs numeric, invoiced_usage numeric,
    invoiced_base numeric, currency text);
create table if not exists marts.fct_reconciliation (
    reconciliation_key text, service_code text, account_key text, subscription_key text,
    charge_key text, metric_code text, item_type text, phase text, period_start date,
    period_end date, currency text, app_amount numeric, platform_amount numeric,
    odoo_amount numeric, delta numeric, status text, reason text, detail text);
create table if not exists marts.fct_reconciliation_history (
    reconciliation_key text, first_seen_at timestamp, age_days bigint, is_standing boolean);
"""


@pytest.fixture
def marts(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute(EMPTY)


def test_a_new_service_is_in_shadow_and_stays_there(env: dict[str, str], database_url: str) -> None:
    def command(line: str) -> Finished:
        return fusion_billing(*line.split(), env=env)

    told = command("service add nexacloud")
    assert told.status == 0
    assert "In shadow nothing goes to Odoo" in told.stdout

    (found,) = command("cutover status --format json").json()
    assert (found["phase"], found["next_phase"], found["holds"]) == ("shadow", "dual_run", False)
    assert command("cutover status").status == 0
    named = command("cutover status nexacloud")
    assert (named.status, "nothing is reconciled yet" in named.stdout) == (1, True)

    refused = command("cutover advance nexacloud")
    assert (refused.status, refused.stdout) == (1, "")
    assert refused.stderr.startswith("refused: nexacloud does not go to dual_run:\n  - nothing is")
    assert command("cutover advance nexacloud --dry-run").status == 1
    back = command("cutover back nexacloud --note why")
    assert (back.status, "the first phase" in back.stderr) == (1, True)
    assert "nothing was ever decided" in command("cutover history nexacloud").stdout
    assert command("cutover history nexacloud --format json").json() == []
    with psycopg.connect(database_url) as connection:
        assert connection.execute("select count(*) from ops.cutover").fetchone() == (0,)


def test_a_service_that_nobody_billed_before_starts_live(env: dict[str, str]) -> None:
    added = fusion_billing(
        "service", "add", "nexaclub", "--phase", "live", "--format", "json", env=env
    )
    assert (added.status, added.json()["phase"]) == (0, "live")
    first = (dt.date.today() + dt.timedelta(days=300)).isoformat()
    went_back = fusion_billing(
        "cutover", "back", "nexaclub", "--note", "not yet", "--by", "ada", "--from", first,
        "--format", "json", env=env,
    )  # fmt: skip
    assert went_back.status == 0
    assert went_back.json()["effective_from"] == first
    history = fusion_billing("cutover", "history", "nexaclub", "--format", "json", env=env).json()
    assert [(row["phase"], row["effective_from"], row["note"]) for row in history] == [
        ("live", None, "from the start"),
        ("dual_run", first, "not yet"),
    ]
    assert history[1]["changed_by"] == "ada"


def test_a_service_is_added_with_its_phase_or_not_at_all(
    env: dict[str, str], database_url: str
) -> None:
    """While a billing run goes on, the decision waits. If it ends there, there is no service that
    was meant to be live and stays in shadow for ever; the command can be given again."""
    add = ("service", "add", "nexalive", "--phase", "live")
    with psycopg.connect(database_url) as running:
        running.execute("select pg_advisory_xact_lock(%s)", [lock_number(BILLING_RUN)])
        ended = fusion_billing(*add, env={**env, "PGOPTIONS": "-c lock_timeout=1"})
        assert ended.status == 2
        added = running.execute("select from ops.service where service_code = 'nexalive'")
        assert added.fetchall() == []
    assert fusion_billing(*add, env=env).status == 0


def test_a_user_without_a_name_is_told_by_number(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a container the user often has no entry in passwd, and nothing in the environment."""
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 2_147_480_000)
    assert login_name() == "2147480000"


def test_what_cannot_be_asked(env: dict[str, str]) -> None:
    unknown = fusion_billing("cutover", "history", "nexo", env=env)
    assert (unknown.status, unknown.stdout) == (2, "")
    assert "There is no service 'nexo'" in unknown.stderr
    fusion_billing("service", "add", "nexacloud", env=env)
    fewer = fusion_billing("cutover", "advance", "nexacloud", "--periods", "1", env=env)
    assert (fewer.status, "less than CUTOVER_PERIODS, 2" in fewer.stderr) == (2, True)
    far = fusion_billing("cutover", "advance", "nexacloud", "--from", "9999-12-31", env=env)
    assert (far.status, "more than a year ahead" in far.stderr) == (2, True)
    for command in ("status", "advance"):
        many = fusion_billing("cutover", command, "nexacloud", "--periods", "100000", env=env)
        assert (many.status, "less than or equal to 24" in many.stderr) == (2, True)
    no_note = fusion_billing("cutover", "back", "nexaclub", env=env)
    assert (no_note.status, "--note" in no_note.stderr) == (2, True)
    parity = fusion_billing("parity", env=env)
    assert (parity.status, "Nothing is reconciled yet" in parity.stderr) == (2, True)


@pytest.mark.parametrize(
    "command", ["margins --service nexo", "parity nexo", "reconcile --service nexo --no-build"]
)
def test_an_unknown_service_is_not_one_without_differences(
    env: dict[str, str], marts: None, command: str
) -> None:
    fusion_billing("service", "add", "nexacloud", env=env)
    asked = fusion_billing(*command.split(), env=env)
    assert (asked.status, asked.stdout) == (2, "")
    assert "There is no service 'nexo'. Known: " in asked.stderr
    assert "nexacloud" in asked.stderr
    known = fusion_billing(*command.replace("nexo", "nexacloud").split(), env=env)
    assert known.status == 0
