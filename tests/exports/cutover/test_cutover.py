"""The cutover: gates that name all that is lacking, decisions that stay, and the way back."""

from __future__ import annotations

import datetime as dt
import threading
from decimal import Decimal

import pytest
import sqlalchemy as sa
from cutover_world import AUGUST, CLOUD, DECEMBER, OCTOBER, SEPTEMBER, TODAY, Cutover
from pushing import due

from exports.cutover.decisions import (
    CutoverError,
    CutoverRefusedError,
    Decision,
    begin,
    decide,
    history,
    lock,
)
from exports.cutover.month_parity import Acceptable
from exports.cutover.moving import status
from exports.cutover.phases import Phase
from warehouse.services import UnknownServiceError
from warehouse.settings import Settings

D = Decimal


def test_a_service_moves_on_when_two_months_agree(cutover: Cutover) -> None:
    """The decision keeps who, when and what the gate said; it takes effect next month."""
    cutover.agree("shadow")
    dry = cutover.advance(dry_run=True)
    assert (dry.phase, dry.change_id) == (Phase.DUAL_RUN, None)
    assert history(cutover.engine, CLOUD) == []
    decision = cutover.advance(note="as agreed with finance")
    assert (decision.phase, decision.effective_from) == (Phase.DUAL_RUN, DECEMBER)
    (kept,) = history(cutover.engine, CLOUD)
    assert kept == decision
    assert (kept.changed_by, kept.note) == ("ada", "as agreed with finance")
    assert kept.changed_at is not None
    assert kept.gate is not None
    assert (kept.gate["phase"], kept.gate["periods"], kept.gate["reasons"]) == ("shadow", 2, [])
    assert [month["month"] for month in kept.gate["months"]] == ["2025-09-01", "2025-10-01"]
    (found,) = status(cutover.engine, cutover.settings, today=TODAY)
    assert (found.phase, found.since, found.today) == (Phase.DUAL_RUN, DECEMBER, Phase.SHADOW)
    # What agreed in shadow says nothing of the dual run.
    with pytest.raises(CutoverRefusedError) as refused:
        cutover.advance()
    assert refused.value.reasons == [
        "2025-09: it begins before this stay in dual_run does, on 2025-12-01",
        "2025-10: it begins before this stay in dual_run does, on 2025-12-01",
    ]


def test_every_reason_is_listed(cutover: Cutover) -> None:
    cutover.agree("shadow", OCTOBER)
    cutover.run(
        "update marts.rpt_parity set unexplained = 1, not_compared = 2, unexplained_cents = 125,"
        " by_reason = '{\"unlinked_account\": 3}'"
    )
    cutover.run("update marts.fct_usage_conservation set counters_difference = -2")
    cutover.run(
        "insert into marts.fct_usage_conservation values"
        " (:service, 'hours', :month, 'unattributed', 7, 7, 0, 0)",
        service=CLOUD,
        month=OCTOBER,
    )
    cutover.run(
        "insert into intermediate.int_subscription_periods values"
        " ('nexacloud:s', :service, '2025-09-15', '2025-10-15', 'cloud_s'),"
        " ('nexacloud:s', :service, '2025-10-15', '2025-11-15', 'cloud_s')",
        service=CLOUD,
    )
    cutover.run("insert into marts.dim_charge (charge_key, plan_code) values ('hours', 'cloud_s')")
    with pytest.raises(CutoverRefusedError) as refused:
        cutover.advance(to=Phase.LIVE)
    assert [reason.split(": `")[0] for reason in refused.value.reasons] == [
        "one phase at a time: dual_run comes after shadow",
        "2025-09: no lines of periods in shadow",
        "2025-09: no usage was judged",
        "2025-10: 2 of 10 lines are not compared",
        "2025-10: 1 lines are unexplained, 1.25 in all of a currency (tolerance 0.00)",
        "2025-10: 3 lines of accounts without a link: Odoo, Usage billing, Usage account links",
        "2025-10: 7 counters have no subscription or no linked account: make it in Odoo, then"
        " `fusion-billing odoo mirror` and `run`",
        "2025-10: usage is not conserved, by up to 2: see the runbook",
        "2025-10: 1 periods have ended and are not billed",
    ]
    assert str(refused.value).startswith("nexacloud does not go to live:\n  - one phase")
    assert history(cutover.engine, CLOUD) == []


def test_a_tolerance_lets_unexplained_cents_through(cutover: Cutover) -> None:
    cutover.agree("shadow")
    cutover.run("update marts.rpt_parity set unexplained = 1, unexplained_cents = 125")
    assert len(cutover.reasons()) == 2
    cutover.settings = Settings(_env_file=None, cutover_tolerance=D("1.24"))
    assert len(cutover.reasons()) == 2
    cutover.settings = Settings(_env_file=None, cutover_tolerance=D("1.25"))
    assert cutover.reasons() == []


def test_the_months_are_those_that_have_ended(cutover: Cutover) -> None:
    """On 1 November, a day of grace before October counts; three months are asked for on demand."""
    cutover.agree("shadow")
    assert cutover.reasons() == []
    assert cutover.reasons(periods=3)[0].startswith("2025-08: no lines")
    (found,) = status(cutover.engine, cutover.settings, today=dt.date(2025, 11, 1))
    assert [month.month for month in found.months] == [dt.date(2025, 8, 1), SEPTEMBER]
    (found,) = status(cutover.engine, cutover.settings, today=dt.date(2025, 11, 2))
    assert [month.month for month in found.months] == [SEPTEMBER, OCTOBER]


def test_no_fewer_months_are_asked_for_than_the_setting_says(cutover: Cutover) -> None:
    """September does not agree: to look at October alone is no way around it."""
    cutover.agree("shadow", OCTOBER)
    assert cutover.reasons(periods=1) == []
    with pytest.raises(CutoverError, match="--periods 1 is less than CUTOVER_PERIODS, 2"):
        cutover.advance(periods=1)
    cutover.agree("shadow", SEPTEMBER)
    assert cutover.advance(periods=2, dry_run=True).phase is Phase.DUAL_RUN
    with pytest.raises(CutoverRefusedError, match="2025-08: no lines"):
        cutover.advance(periods=3)


def test_a_first_day_is_within_a_year(cutover: Cutover) -> None:
    cutover.agree("shadow")
    last = dt.date(2026, 11, 21)
    for day in (last + dt.timedelta(days=1), dt.date.max):
        told = f"--from {day} is more than a year ahead: {last} at the latest"
        with pytest.raises(CutoverError, match=told):
            cutover.advance(effective_from=day)
        with pytest.raises(CutoverError, match=told):
            cutover.back(effective_from=day)
    assert cutover.advance(effective_from=last).effective_from == last


@pytest.mark.parametrize(
    ("phase", "state", "order", "reason"),
    [
        ("shadow", None, 100, None),
        ("dual_run", None, 100, "1 lines are not in Odoo: `fusion-billing odoo push`"),
        ("dual_run", "sent", 200, "1 lines are not in Odoo: `fusion-billing odoo push`"),
        ("dual_run", "drafted", 200, None),
        ("live", "refused", 100, "1 lines are not in Odoo: `fusion-billing odoo push`"),
        ("live", "verified", 100, None),
        ("live", "invoiced", 100, None),
    ],
)
def test_every_due_line_stands_in_odoo(
    cutover: Cutover, phase: str, state: str | None, order: int, reason: str | None
) -> None:
    begin(cutover.engine, CLOUD, Phase(phase), by="ada", note="from the start")
    cutover.agree(phase)
    cutover.bill(due(100), state=state, order=order)
    assert cutover.reasons() == ([f"2025-09: {reason}"] if reason else [])


def test_a_confirmed_draft_keeps_the_gate_shut(cutover: Cutover) -> None:
    begin(cutover.engine, CLOUD, Phase.DUAL_RUN, by="ada", note="from the start")
    cutover.agree("dual_run")
    cutover.bill(due(100), state="drafted", order=200)
    cutover.run("update ops.odoo_push set problem = 'draft_confirmed'")
    assert [reason.split(":")[1] for reason in cutover.reasons()] == [
        " 1 drafted lines were confirmed, cancelled or edited in Odoo"
    ]


def test_marts_older_than_the_ledger_open_nothing(cutover: Cutover) -> None:
    cutover.agree("shadow")
    cutover.bill(due(100))
    cutover.run("delete from marts.fct_billed_lines")
    assert cutover.reasons() == [
        "2025-09: 1 lines are newer than the marts: `fusion-billing reconcile`"
    ]


@pytest.mark.parametrize(
    ("since", "newer"),
    [
        ("update marts.rpt_rating_build set build_id = 'rated again'", "the rating"),
        (
            "insert into raw.app_invoice (source, external_invoice_id, version, kind, service_code,"
            " status, is_billed, currency, content_sha256, payload, file)"
            " values ('lago', 'i', 1, 'invoice', 'nexacloud', 'finalized', true, 'CAD', '', '{}',"
            " 'invoices.json')",
            "documents of the apps",
        ),
        (
            "insert into ops.cost_driver (provider, sku, metric_code) values ('x', '*', 'hours')",
            "cost drivers",
        ),
        (
            "insert into ops.odoo_mirror (table_name, odoo, fields, read_at)"
            " values ('subscription', 'odoo', '{}', now())",
            "the mirror of Odoo",
        ),
        (
            "truncate marts.rpt_finance_build",
            "the rating, documents of the apps, cost drivers, the mirror of Odoo",
        ),
    ],
    ids=["rating", "import", "cost drivers", "mirror", "never built"],
)
def test_what_came_in_after_the_marts_were_built_keeps_the_gate_shut(
    cutover: Cutover, since: str, newer: str
) -> None:
    """It may be the very invoices that disagree. Said once, not for each month."""
    cutover.agree("shadow")
    assert cutover.reasons() == []
    cutover.run(since)
    told = f"finance's marts are older than {newer}: `fusion-billing reconcile`"
    assert cutover.reasons() == [told]
    with pytest.raises(CutoverRefusedError, match="finance's marts are older than"):
        cutover.advance(accepted=Acceptable.MISSING_IN_APP)


def test_a_live_service_may_retire_its_biller_when_nothing_is_compared(cutover: Cutover) -> None:
    begin(cutover.engine, CLOUD, Phase.LIVE, by="ada", note="from the start")
    cutover.agree("live")
    cutover.run("update marts.rpt_parity set not_compared = 10, compared = 0, matched = 0")
    assert cutover.advance().phase is Phase.RETIRED
    with pytest.raises(CutoverRefusedError, match="retired, the last phase"):
        cutover.advance()
    with pytest.raises(CutoverRefusedError, match="there already"):
        cutover.advance(to=Phase.RETIRED)


def test_billed_periods_keep_their_phase(cutover: Cutover) -> None:
    """The last billed period began on 15 October: the first day must come after it."""
    cutover.agree("shadow")
    line = due(100) | {"period_start": dt.date(2025, 10, 15), "period_end": dt.date(2025, 11, 15)}
    cutover.bill(line)
    for first in (SEPTEMBER, dt.date(2025, 10, 15)):
        with pytest.raises(CutoverRefusedError) as refused:
            cutover.advance(effective_from=first)
        assert refused.value.reasons == [
            f"from {first} it would reach periods that are billed already, the last began on"
            " 2025-10-15: `--from 2025-10-16` or later"
        ]
    with pytest.raises(CutoverRefusedError, match="for all periods it would reach"):
        begin(cutover.engine, CLOUD, Phase.LIVE, by="ada", note="at once")
    assert cutover.advance(effective_from=dt.date(2025, 10, 16)).phase is Phase.DUAL_RUN


def test_going_back_needs_no_gate_but_a_note(cutover: Cutover) -> None:
    begin(cutover.engine, CLOUD, Phase.LIVE, by="ada", note="from the start")
    cutover.bill(due(100), state="verified")
    with pytest.raises(CutoverError, match="needs a reason: --note"):
        cutover.back(note=" ")
    with pytest.raises(CutoverError, match="needs a reason: --note"):
        cutover.advance(to=Phase.DUAL_RUN)
    with pytest.raises(CutoverError, match="retired is not before live"):
        cutover.back(to=Phase.RETIRED)
    assert cutover.back(dry_run=True).change_id is None
    decision = cutover.back()
    assert (decision.phase, decision.effective_from) == (Phase.DUAL_RUN, DECEMBER)
    assert (decision.note, decision.gate) == ("prices are wrong", None)
    with pytest.raises(CutoverRefusedError, match="billed already"):
        cutover.back(effective_from=SEPTEMBER)
    assert cutover.back(effective_from=OCTOBER).phase is Phase.SHADOW
    with pytest.raises(CutoverRefusedError, match="shadow, the first phase"):
        cutover.back()
    phases = [each.phase for each in history(cutover.engine, CLOUD)]
    assert phases == [Phase.LIVE, Phase.DUAL_RUN, Phase.SHADOW]


def came_again(cutover: Cutover, *, since: dt.date) -> None:
    """Live from the start, in dual run for a while, live again from `since` on; each decided on the
    day before its first."""
    for phase, first in (("live", None), ("dual_run", AUGUST), ("live", since)):
        day = (first or dt.date(2025, 1, 2)) - dt.timedelta(days=1)
        cutover.decided(phase, since=first, at=dt.datetime.combine(day, dt.time(15), dt.UTC))


def test_months_of_an_earlier_stay_in_the_phase_do_not_count(cutover: Cutover) -> None:
    """Periods that began in the first live stay end in September and October; so much for those."""
    came_again(cutover, since=OCTOBER)
    cutover.agree("live")
    assert cutover.reasons() == [
        "2025-09: it begins before this stay in live does, on 2025-10-01",
        "2025-10: no lines of periods in live",
    ]
    cutover.agree("live", OCTOBER, since=OCTOBER)
    assert cutover.reasons(periods=1) == []
    with pytest.raises(CutoverRefusedError, match="2025-09: it begins before this stay"):
        cutover.advance()


def test_a_month_partly_before_the_stay_does_not_count(cutover: Cutover) -> None:
    since = dt.date(2025, 9, 2)
    came_again(cutover, since=since)
    cutover.agree("live", since=since)
    assert cutover.reasons() == ["2025-09: it begins before this stay in live does, on 2025-09-02"]


def test_lines_of_an_earlier_stay_are_not_waited_for(cutover: Cutover) -> None:
    """One of a period that began in the first stay and ends in the first month of the second."""
    came_again(cutover, since=SEPTEMBER)
    cutover.agree("live", since=SEPTEMBER)
    earlier = {"period_start": dt.date(2025, 7, 20), "period_end": dt.date(2025, 9, 20)}
    cutover.bill(due(100) | earlier)
    assert cutover.reasons() == []


def test_a_phase_that_has_not_begun_is_not_left_forward(cutover: Cutover) -> None:
    """On, back and on again within seconds: what opened the gate once does not open it again."""
    cutover.agree("shadow")
    assert cutover.advance().phase is Phase.DUAL_RUN
    assert cutover.back().phase is Phase.SHADOW
    with pytest.raises(CutoverRefusedError) as refused:
        cutover.advance()
    assert refused.value.reasons == [
        "2025-09: it begins before this stay in shadow does, on 2025-12-01",
        "2025-10: it begins before this stay in shadow does, on 2025-12-01",
    ]
    assert [each.phase for each in history(cutover.engine, CLOUD)] == ["dual_run", "shadow"]


@pytest.mark.parametrize("phase", ["shadow", "dual_run"])
def test_a_decision_for_a_day_long_past_opens_no_further_gate(cutover: Cutover, phase: str) -> None:
    """Both months agree under the new phase as well, yet both had ended before it was decided."""
    begin(cutover.engine, CLOUD, Phase(phase), by="ada", note="from the start")
    cutover.agree(phase)
    decision = cutover.advance(effective_from=SEPTEMBER)
    cutover.agree(decision.phase.value, since=SEPTEMBER)
    assert decision.changed_at is not None
    day = decision.changed_at.astimezone(cutover.settings.zone).date()
    told = f"it ended before this stay in {decision.phase} was decided, on {day}"
    assert cutover.reasons() == [f"2025-09: {told}", f"2025-10: {told}"]
    (kept,) = status(cutover.engine, cutover.settings, today=TODAY)
    assert (kept.since, kept.decided_on) == (SEPTEMBER, day)
    assert [month.lines for month in kept.months] == [0, 0]


@pytest.mark.parametrize(
    ("at", "against"),
    [
        ("2025-10-01T03:59Z", None),
        ("2025-10-01T04:00Z", "2025-10-01"),
        ("2025-11-01T03:59Z", "2025-10-31"),
    ],
    ids=["the month's last minute", "the first of the next", "the last minute of two months"],
)
def test_a_month_counts_that_ended_after_the_decision(
    cutover: Cutover, at: str, against: str | None
) -> None:
    """In company time, four hours west of UTC. October, too, is of the stay in all three."""
    cutover.decided("dual_run", since=SEPTEMBER, at=dt.datetime.fromisoformat(at))
    cutover.agree("dual_run", since=SEPTEMBER)
    told = f"2025-09: it ended before this stay in dual_run was decided, on {against}"
    assert cutover.reasons() == ([told] if against else [])


def test_a_first_phase_is_of_all_months_whenever_decided(cutover: Cutover) -> None:
    begin(cutover.engine, CLOUD, Phase.LIVE, by="ada", note="from the start")
    cutover.agree("live")
    assert cutover.reasons() == []


def test_two_at_once_move_a_service_one_phase(cutover: Cutover) -> None:
    cutover.agree("shadow")
    outcomes: list[object] = []
    ready = threading.Barrier(4)

    def move() -> None:
        ready.wait()
        try:
            outcomes.append(cutover.advance().phase)
        except CutoverRefusedError as error:
            outcomes.append(error.reasons)

    threads = [threading.Thread(target=move) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes.count(Phase.DUAL_RUN) == 1
    assert [each.phase for each in history(cutover.engine, CLOUD)] == [Phase.DUAL_RUN]


def test_a_phase_back_is_one_from_where_a_colleague_brought_it(cutover: Cutover) -> None:
    """Somebody takes dual run back while a colleague's move to live is being written: the way back
    waits, and then goes back from live."""
    begin(cutover.engine, CLOUD, Phase.DUAL_RUN, by="ada", note="from the start")
    gone: list[Phase] = []
    with cutover.engine.begin() as connection:
        lock(connection, CLOUD)
        thread = threading.Thread(target=lambda: gone.append(cutover.back().phase))
        thread.start()
        while not cutover.waits_for_a_lock():
            assert thread.is_alive()
        decide(connection, Decision(CLOUD, Phase.LIVE, None, "bob", "agreed"))
    thread.join()
    assert gone == [Phase.DUAL_RUN]


def test_decisions_stay(cutover: Cutover) -> None:
    begin(cutover.engine, CLOUD, Phase.LIVE, by="ada", note="from the start")
    for statement in ("update ops.cutover set phase = 'shadow'", "delete from ops.cutover"):
        with pytest.raises(sa.exc.DBAPIError, match="it is append-only"):
            cutover.run(statement)


@pytest.mark.parametrize("mart", ["rpt_parity", "rpt_finance_build"])
def test_an_unknown_service_and_marts_that_are_not_built(cutover: Cutover, mart: str) -> None:
    with pytest.raises(UnknownServiceError, match="no service 'nexo'"):
        history(cutover.engine, "nexo")
    with pytest.raises(UnknownServiceError, match="no service 'nexo'"):
        cutover.reasons("nexo")
    cutover.run(f"drop table marts.{mart}")
    (reason,) = cutover.reasons()
    assert reason.startswith("nothing is reconciled yet: `fusion-billing run`")
    with pytest.raises(CutoverRefusedError, match="nothing is reconciled yet"):
        cutover.advance()
