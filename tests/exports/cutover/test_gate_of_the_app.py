"""What the gate asks of the app's invoices, and of a service that counts nothing."""

from __future__ import annotations

from typing import Any

import pytest
from cutover_world import CLOUD, DECEMBER, OCTOBER, SEPTEMBER, Cutover

from exports.cutover.decisions import CutoverRefusedError, begin, history
from exports.cutover.month_parity import Acceptable
from exports.cutover.phases import Phase

MISSING = "update marts.rpt_parity set explained = 4, by_reason = '{\"missing_in_app\": 4}'"
REFUSED = (
    "4 of 10 lines are missing in the app: `fusion-billing import` its other invoices, or, where it"
    " never billed them, `fusion-billing cutover advance nexacloud --accept missing_in_app`"
)


@pytest.mark.parametrize("phase", [Phase.SHADOW, Phase.DUAL_RUN])
def test_lines_that_the_app_has_not_keep_the_gate_shut(cutover: Cutover, phase: Phase) -> None:
    """They are explained, yet may only be invoices that nobody imported. Who knows better says so,
    and the decision keeps it, with their number."""
    if phase is Phase.DUAL_RUN:
        begin(cutover.engine, CLOUD, phase, by="ada", note="from the start")
    cutover.agree(phase.value)
    cutover.run(f"{MISSING} where month = :month", month=OCTOBER)
    assert cutover.reasons() == [f"2025-10: {REFUSED}"]
    with pytest.raises(CutoverRefusedError, match="missing in the app"):
        cutover.advance()

    decision = cutover.advance(accepted=Acceptable.MISSING_IN_APP)
    assert (decision.phase, decision.effective_from) == (phase.next, DECEMBER)
    kept: Any = history(cutover.engine, CLOUD)[-1].gate
    assert (kept["accepted"], kept["reasons"]) == ("missing_in_app", [])
    assert [month["missing_in_app"] for month in kept["months"]] == [0, 4]


def test_accepting_missing_lines_accepts_nothing_else(cutover: Cutover) -> None:
    cutover.agree("shadow")
    cutover.run(MISSING)
    cutover.run("update marts.rpt_parity set not_compared = 2")
    with pytest.raises(CutoverRefusedError) as refused:
        cutover.advance(accepted=Acceptable.MISSING_IN_APP)
    assert [reason.split(": `")[0] for reason in refused.value.reasons] == [
        "2025-09: 2 of 10 lines are not compared",
        "2025-10: 2 of 10 lines are not compared",
    ]


def test_a_live_service_need_not_be_billed_by_its_app(cutover: Cutover) -> None:
    begin(cutover.engine, CLOUD, Phase.LIVE, by="ada", note="from the start")
    cutover.agree("live")
    cutover.run(MISSING)
    assert cutover.reasons() == []


def bills_base_fees_only(cutover: Cutover, phase: str) -> None:
    """Two base fees a month, which in shadow nothing is compared with; no counter, no charge."""
    cutover.agree(phase)
    cutover.run("delete from marts.fct_usage_conservation")
    if phase == "shadow":
        cutover.run(
            "update marts.rpt_parity set lines = 0, compared = 0, matched = 0, explained = 0,"
            " by_reason = '{}', base_fees_in_shadow = 2"
        )
    cutover.run(
        "insert into intermediate.int_subscription_periods values"
        " ('nexacloud:s', :service, :september, :october, 'membership')",
        service=CLOUD,
        september=SEPTEMBER,
        october=OCTOBER,
    )
    cutover.run("insert into intermediate.int_period_closings values ('nexacloud:s', :day, 1)",
                day=SEPTEMBER)  # fmt: skip


@pytest.mark.parametrize("phase", [Phase.SHADOW, Phase.DUAL_RUN])
def test_a_service_without_meters_moves_on(cutover: Cutover, phase: Phase) -> None:
    if phase is Phase.DUAL_RUN:
        begin(cutover.engine, CLOUD, phase, by="ada", note="from the start")
    bills_base_fees_only(cutover, phase.value)
    assert cutover.advance().phase is phase.next


def test_without_meters_the_apps_invoices_are_asked_for_all_the_same(cutover: Cutover) -> None:
    bills_base_fees_only(cutover, "shadow")
    cutover.run("delete from marts.rpt_parity where month = :month", month=OCTOBER)
    assert cutover.reasons() == ["2025-10: no lines of periods in shadow"]


@pytest.mark.parametrize(
    "meter",
    [
        "insert into marts.dim_charge (charge_key, plan_code) values ('c', 'membership')",
        "insert into raw.usage_counter (service_code, external_subscription_id, transaction_id,"
        " batch_id, code, kind, window_start, window_end, payload_hash)"
        " values ('nexacloud', 's', 't', 1, 'hours', 'delta', now(), now(), '')",
    ],
    ids=["a charge in its plan", "a counter"],
)
def test_a_service_with_a_meter_shows_usage(cutover: Cutover, meter: str) -> None:
    bills_base_fees_only(cutover, "shadow")
    cutover.run(meter)
    assert cutover.reasons() == [
        "2025-09: no lines of periods in shadow",
        "2025-09: no usage was judged: `fusion-billing run`",
        "2025-10: no lines of periods in shadow",
        "2025-10: no usage was judged: `fusion-billing run`",
    ]
