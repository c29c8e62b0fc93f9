"""The ledger held against a rating: what differs, why, and whether a run still says what it did."""

from __future__ import annotations

import datetime as dt
import hashlib
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from marts import AUGUST, OCTOBER, SEPTEMBER, Marts, ledger, rated, true_up
from sqlalchemy.engine import Engine

from exports.billing_run import bill
from exports.canonical import lines_sha256
from exports.ledger_comparison import ReplayError, ReplayResult, compare
from exports.replay import replay
from warehouse.locks import session_lock
from warehouse.settings import Settings

D = Decimal
RUN_DATE = dt.date(2025, 10, 5)
KEY = rated()["line_key"]


def held(
    engine: Engine, settings: Settings, month: dt.date = SEPTEMBER, **scope: Any
) -> ReplayResult:
    """The marts of the test take the place of a rating made anew."""
    with engine.connect() as connection:
        return compare(connection, settings, month=month, prefix="", **scope)


def kinds(result: ReplayResult) -> list[tuple[str, str]]:
    return [(one.line_key.removeprefix(KEY) or "first", one.kind) for one in result.differences]


def test_a_ledger_that_says_the_same_is_identical_to_the_byte(
    marts: Marts, fresh: Engine, settings: Settings
) -> None:
    """First lines, an adjustment, a line that was taken back, one within the quota."""
    tier = rated(used="30", included="0", price="0.05", flat="1", tier=2, model="graduated")
    marts.build(rated(), tier, rated("nexadesk:b", "desk_team/messages"), rated(start=AUGUST))
    bill(fresh, settings, run_date=RUN_DATE)
    quiet = rated("nexadesk:c", "desk_team/messages", used="80")
    marts.build(rated(used="150.5"), tier, true_up("1.00"), quiet, rated(start=AUGUST), late=True)
    bill(fresh, settings, run_date=RUN_DATE)
    result = held(fresh, settings)
    assert (result.identical, result.differences, result.open_lines) == (True, [], 0)
    assert result.ledger_sha256 == result.rebuilt_sha256
    assert [(check.lines, check.holds) for check in result.runs] == [(4, True), (3, True)]
    assert result.lines == 4  # the one that was taken back with its adjustment


def test_the_hash_can_be_made_by_hand(marts: Marts, fresh: Engine, settings: Settings) -> None:
    marts.build(rated())
    bill(fresh, settings, run_date=RUN_DATE)
    text = (
        f'["{KEY}","{KEY}","0","period","nexacloud","nexacloud:acct_1","nexacloud:sub_1",'
        '"cloud_s","compute_hours","cloud_s/compute_hours","2025-09-01","2025-10-01","1","130.5",'
        '"100","30.5","0.085","2.59","2.5925","CAD"]\n'
    )
    result = held(fresh, settings)
    assert result.ledger_sha256 == hashlib.sha256(text.encode()).hexdigest()


def test_late_usage_that_is_not_billed_yet_is_told_as_such(
    marts: Marts, fresh: Engine, settings: Settings
) -> None:
    marts.build(rated())
    bill(fresh, settings, run_date=RUN_DATE)
    marts.build(rated(used="150.5"), late=True)
    result = held(fresh, settings)
    assert not result.identical
    (found,) = result.differences
    assert (found.kind, found.ledger_amount, found.rebuilt_amount) == (
        "late_usage",
        D("2.59"),
        D("4.29"),
    )
    assert found.fields == ["quantity_used", "quantity_billed", "amount", "amount_precise"]
    bill(fresh, settings, run_date=RUN_DATE)
    assert held(fresh, settings).identical


def test_every_kind_of_difference_by_its_name(
    marts: Marts, fresh: Engine, settings: Settings
) -> None:
    lines = {name: rated(f"nexacloud:{name}") for name in ("void", "price", "account", "same")}
    marts.build(*lines.values())
    bill(fresh, settings, run_date=RUN_DATE)
    marts.build(
        rated("nexacloud:price", price="0.09"),
        lines["account"] | {"account_key": "nexacloud:other"},
        lines["same"],
        rated("nexacloud:new"),
    )
    result = held(fresh, settings)
    assert [(one.line_key.split(":")[1], one.kind, one.fields) for one in result.differences] == [
        ("account", "moves_no_money", ["account_key"]),
        ("new", "period", []),
        ("price", "correction", ["unit_price", "amount", "amount_precise"]),
        ("void", "void", []),
    ]
    assert all(check.holds for check in result.runs)


def test_a_period_that_no_run_reached_is_open_not_different(
    marts: Marts, fresh: Engine, settings: Settings
) -> None:
    """A period from the 16th ends in October, as the month's usage does; no run came that far."""
    middle = dt.date(2025, 10, 16)
    anniversary = rated("nexadesk:b", "desk_team/messages", dt.date(2025, 9, 16), end=middle)
    early = rated("nexadesk:c", "desk_team/messages", dt.date(2025, 9, 4), end=dt.date(2025, 10, 4))
    marts.build(early, anniversary, rated(start=OCTOBER))
    bill(fresh, settings, run_date=RUN_DATE)
    result = held(fresh, settings, OCTOBER)
    assert (result.identical, result.lines, result.open_lines) == (True, 1, 2)


def test_one_service_alone(marts: Marts, fresh: Engine, settings: Settings) -> None:
    marts.build(rated(), rated("nexadesk:b", "desk_team/messages"))
    bill(fresh, settings, run_date=RUN_DATE)
    marts.build(rated())
    assert held(fresh, settings, service_code="nexacloud").identical
    assert [one.kind for one in held(fresh, settings, service_code="nexadesk").differences] == [
        "void"
    ]


def test_a_month_without_a_ledger_is_no_pass(
    marts: Marts, fresh: Engine, settings: Settings
) -> None:
    marts.build(rated())
    with pytest.raises(ReplayError, match=r"Nothing of 2025-09 is billed: `fusion-billing run`"):
        held(fresh, settings)


@pytest.mark.parametrize(
    "tampering",
    [
        "update ops.billed_line set amount = amount + 1 where adjustment_no = 0",
        "update ops.billed_line set account_key = 'nexacloud:mine'",
        "delete from ops.billed_line where adjustment_no = 1",
        "update ops.billing_run set lines_sha256 = reverse(lines_sha256)",
    ],
)
def test_a_line_that_the_owner_changed_is_noticed(
    marts: Marts, fresh: Engine, settings: Settings, tampering: str
) -> None:
    """No trigger holds a table's owner back who switches it off first. The run's hash does."""
    marts.build(rated())
    bill(fresh, settings, run_date=RUN_DATE)
    marts.build(rated(used="140"))
    bill(fresh, settings, run_date=RUN_DATE)
    assert held(fresh, settings).identical
    with fresh.begin() as connection:
        for table in ("billed_line", "billing_run"):
            connection.execute(sa.text(f"alter table ops.{table} disable trigger user"))
        connection.execute(sa.text(tampering))
    result = held(fresh, settings)
    assert not result.identical
    assert not all(check.holds for check in result.runs)


def test_the_ledger_of_a_run_hashes_as_recorded(
    marts: Marts, fresh: Engine, settings: Settings
) -> None:
    marts.build(rated(), true_up("3.00"))
    billed = bill(fresh, settings, run_date=RUN_DATE)
    (check,) = held(fresh, settings).runs
    assert check.recorded_sha256 == billed.lines_sha256 == lines_sha256(ledger(fresh))


def test_one_replay_at_a_time(fresh: Engine, settings: Settings) -> None:
    with session_lock(fresh, "replay") as taken:
        assert taken
        with pytest.raises(ReplayError, match="Another replay is at work"):
            replay(fresh, settings, database_url="", month=SEPTEMBER)
