"""Which periods a run of a date may bill: ended, and grace outlived, in company time."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import pytest
from marts import OCTOBER, SEPTEMBER, Marts, ledger, rated, runs
from sqlalchemy.engine import Engine

from exports.billing_run import BillingRunError, bill, last_period_end
from warehouse.settings import Settings

Make = Callable[..., Settings]
day = dt.date.fromisoformat


@pytest.mark.parametrize(
    ("run_date", "grace", "latest"),
    [
        # A plain day: a period that ended as 1 October began has waited 24 hours on the 2nd.
        ("2025-10-02", 24, "2025-10-01"),
        ("2025-10-02", 25, "2025-09-30"),
        ("2025-10-02", 0, "2025-10-02"),
        ("2025-10-02", 1, "2025-10-01"),
        ("2025-10-08", 24 * 7, "2025-10-01"),
        # 2 November 2025 has 25 hours in Toronto.
        ("2025-11-03", 24, "2025-11-02"),
        ("2025-11-03", 25, "2025-11-02"),
        ("2025-11-03", 26, "2025-11-01"),
        # 9 March 2025 has 23: a day of grace is not over when the 10th begins.
        ("2025-03-10", 23, "2025-03-09"),
        ("2025-03-10", 24, "2025-03-08"),
        ("2025-03-11", 24, "2025-03-10"),
        ("2025-03-11", 47, "2025-03-09"),
    ],
)
def test_the_last_period_end_of_a_run(
    settings_with: Make, run_date: str, grace: int, latest: str
) -> None:
    assert last_period_end(day(run_date), settings_with(grace)) == day(latest)


def test_a_zone_whose_day_begins_at_one_in_the_morning(settings_with: Make) -> None:
    """Havana's clocks jump at midnight: 9 March 2025 began at 01:00, and lasted 23 hours."""
    havana = settings_with(23, "America/Havana")
    assert last_period_end(day("2025-03-10"), havana) == day("2025-03-09")
    assert last_period_end(day("2025-03-10"), settings_with(24, "America/Havana")) == day(
        "2025-03-08"
    )


def test_a_period_waits_for_its_grace(marts: Marts, fresh: Engine, settings_with: Make) -> None:
    anniversary = rated("nexacloud:sub_2", start=day("2025-09-17"), end=day("2025-10-17"))
    open_one = rated(start=OCTOBER)
    marts.build(rated(), anniversary, open_one)

    def billed(run_date: str) -> list[str]:
        bill(fresh, settings_with(48), run_date=day(run_date))
        return [str(line["period_end"]) for line in ledger(fresh)]

    assert billed("2025-10-02") == []
    assert billed("2025-10-03") == ["2025-10-01"]
    assert billed("2025-10-18") == ["2025-10-01"]
    assert billed("2025-10-19") == ["2025-10-01", "2025-10-17"]


def test_a_raised_grace_or_an_earlier_date_credits_nothing(
    marts: Marts, fresh: Engine, settings_with: Make
) -> None:
    marts.build(rated(start=SEPTEMBER), rated(start=OCTOBER))
    bill(fresh, settings_with(24), run_date=day("2025-11-05"))
    before = (ledger(fresh), runs(fresh))
    assert len(before[0]) == 2
    for grace, run_date in ((24 * 60, "2025-11-05"), (24, "2025-10-05"), (24, "2024-01-01")):
        marts.build(rated(start=SEPTEMBER), rated(start=OCTOBER))
        assert bill(fresh, settings_with(grace), run_date=day(run_date)).lines == 0
    assert (ledger(fresh), runs(fresh)) == before


def test_a_billed_period_is_corrected_whatever_the_date(
    marts: Marts, fresh: Engine, settings_with: Make
) -> None:
    marts.build(rated())
    bill(fresh, settings_with(), run_date=day("2025-10-05"))
    marts.build(rated(used="131.5"), rated("nexacloud:sub_2"))
    result = bill(fresh, settings_with(), run_date=day("2025-09-20"))
    assert (result.lines, result.adjustments) == (1, 1)


def test_the_future_is_refused(marts: Marts, fresh: Engine, settings: Settings) -> None:
    marts.build(rated())
    with pytest.raises(BillingRunError, match="2999-01-01 is in the future"):
        bill(fresh, settings, run_date=day("2999-01-01"))
    assert runs(fresh) == []
