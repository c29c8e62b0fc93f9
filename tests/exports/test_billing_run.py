"""The billing run on real PostgreSQL: ledger += desired - ledger, with numbers worked by hand."""

from __future__ import annotations

import datetime as dt
import hashlib
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from marts import AUGUST, OCTOBER, SEPTEMBER, Marts, contract, ledger, rated, runs
from sqlalchemy.engine import Engine

from exports.billing_run import BillingRunError, MassCorrectionError, bill
from exports.canonical import lines_sha256
from warehouse.services import UnknownServiceError
from warehouse.settings import Settings
from warehouse.tables import service

D = Decimal
RUN_DATE = dt.date(2025, 10, 5)
KEY = "nexacloud:sub_1:cloud_s/compute_hours:2025-09-01:1"


def figures(engine: Engine) -> list[tuple[str, str, str, str, str]]:
    """line_key less its common start, reason, billed quantity, price and amount of every line."""
    return [
        (
            line["line_key"].removeprefix(KEY) or "first",
            line["reason"],
            *(f"{line[name].normalize():f}" for name in ("quantity_billed", "unit_price")),
            f"{line['amount']:.2f}",
        )
        for line in ledger(engine)
    ]


@pytest.mark.parametrize("mart", ["fct_rated_lines", "rpt_rating_build"])
def test_the_marts_of_these_tests_are_those_of_the_contract(fresh: Engine, mart: str) -> None:
    with fresh.connect() as connection:
        columns = connection.execute(
            sa.text(
                "select column_name, data_type from information_schema.columns"
                " where table_schema = 'marts' and table_name = :name"
            ),
            {"name": mart},
        ).all()
    assert {tuple(column) for column in columns} == set(contract()[mart])


def test_the_first_run_bills_and_records_itself(
    marts: Marts, fresh: Engine, settings: Settings
) -> None:
    """30.5 hours × 0.085 = 2.5925 → 2.59; 5 GB × 0.12 = 0.60; together 3.19."""
    build = marts.build(
        rated(), rated(charge="cloud_s/storage_gb", used="25", included="20", price="0.12")
    )
    result = bill(fresh, settings, run_date=RUN_DATE)
    assert (result.lines, result.adjustments, result.amount) == (2, 0, D("3.19"))
    assert result.by_service == {"nexacloud": 2}

    hours, disk = ledger(fresh)
    assert hours == {
        "line_key": KEY,
        "rated_line_key": KEY,
        "adjustment_no": 0,
        "reason": "period",
        "service_code": "nexacloud",
        "account_key": "nexacloud:acct_1",
        "subscription_key": "nexacloud:sub_1",
        "odoo_order_id": 100,
        "plan_code": "cloud_s",
        "metric_code": "compute_hours",
        "charge_key": "cloud_s/compute_hours",
        "period_start": dt.date(2025, 9, 1),
        "period_end": dt.date(2025, 10, 1),
        "tier": 1,
        "quantity_used": D("130.5"),
        "quantity_included": D(100),
        "quantity_billed": D("30.5"),
        "unit_price": D("0.085"),
        "amount": D("2.59"),
        "amount_precise": D("2.5925"),
        "currency": "CAD",
        "charge_model": "standard",
        "variant": "",
        "group_key": "",
        "flat_amount": D(0),
        "package_size": None,
        "odoo_charge_id": sum(b"cloud_s/compute_hours"),
        "charge_name": "Compute hours",
        "unit": None,
        "odoo_product_id": 7,
    }
    assert (disk["quantity_billed"], disk["amount"]) == (D(5), D("0.60"))

    (run,) = runs(fresh)
    assert run["run_id"] == result.run_id
    assert (run["run_date"], run["service_code"], run["build_id"]) == (RUN_DATE, None, build)
    assert (run["lines"], run["adjustments"], run["amount"]) == (2, 0, D("3.19"))
    assert run["high_water_xid"] == "1001"
    assert (run["lines_desired"], run["counters_rated"]) == (2, 4)
    assert (result.lines_desired, result.counters_rated) == (2, 4)
    assert result.by_reason == {"period": 2}


def test_the_hash_of_a_run_is_that_of_its_ledger_lines(
    marts: Marts, fresh: Engine, settings: Settings
) -> None:
    marts.build(rated(), rated("nexadesk:b", "desk_team/messages", used="4300", included="1000"))
    first = bill(fresh, settings, run_date=RUN_DATE)
    marts.build(rated(used="140"), rated("nexadesk:b", "desk_team/messages", used="1000"))
    second = bill(fresh, settings, run_date=RUN_DATE)
    for result in (first, second):
        with fresh.connect() as connection:
            lines = connection.execute(
                sa.text("select * from ops.billed_line where run_id = :id"), {"id": result.run_id}
            ).mappings()
            recomputed = lines_sha256([dict(line) for line in lines])
        recorded = next(run for run in runs(fresh) if run["run_id"] == result.run_id)
        assert recorded["lines_sha256"] == result.lines_sha256 == recomputed


def test_the_hash_of_one_line_written_by_hand(
    marts: Marts, fresh: Engine, settings: Settings
) -> None:
    marts.build(rated())
    text = (
        f'["{KEY}","{KEY}","0","period","nexacloud","nexacloud:acct_1","nexacloud:sub_1",'
        '"cloud_s","compute_hours","cloud_s/compute_hours","2025-09-01","2025-10-01","1","130.5",'
        '"100","30.5","0.085","2.59","2.5925","CAD"]\n'
    )
    result = bill(fresh, settings, run_date=RUN_DATE)
    assert result.lines_sha256 == hashlib.sha256(text.encode()).hexdigest()


def test_a_second_run_writes_nothing_not_even_itself(
    marts: Marts, fresh: Engine, settings: Settings
) -> None:
    marts.build(rated())
    bill(fresh, settings, run_date=RUN_DATE)
    before = (ledger(fresh), runs(fresh))
    marts.build(rated())
    again = bill(fresh, settings, run_date=RUN_DATE)
    assert (again.run_id, again.lines, again.amount) == (None, 0, D(0))
    assert (ledger(fresh), runs(fresh)) == before


def test_late_usage_becomes_an_adjustment_of_the_difference(
    marts: Marts, fresh: Engine, settings: Settings
) -> None:
    """50.5 hours × 0.085 = 4.2925 → 4.29, of which 2.59 was billed: 20 hours, 1.70."""
    marts.build(rated())
    bill(fresh, settings, run_date=RUN_DATE)
    marts.build(rated(used="150.5"), late=True)
    result = bill(fresh, settings, run_date=dt.date(2025, 10, 6))
    assert (result.lines, result.adjustments, result.amount) == (1, 1, D("1.70"))
    assert figures(fresh) == [
        ("first", "period", "30.5", "0.085", "2.59"),
        ("~1", "late_usage", "20", "0.085", "1.70"),
    ]
    adjustment = ledger(fresh)[1]
    assert adjustment["rated_line_key"] == KEY
    assert adjustment["amount_precise"] == D("1.7")
    assert (adjustment["quantity_used"], adjustment["quantity_included"]) == (D(20), D(0))
    assert (adjustment["period_start"], adjustment["period_end"]) == (SEPTEMBER, OCTOBER)


def test_an_adjustment_is_the_difference_of_rounded_amounts(
    marts: Marts, fresh: Engine, settings: Settings
) -> None:
    """1 hour is 0.085 → 0.09, 2 hours are 0.17: the second hour costs 0.08, not 0.09."""
    marts.build(rated(used="101"))
    bill(fresh, settings, run_date=RUN_DATE)
    marts.build(rated(used="102"))
    bill(fresh, settings, run_date=RUN_DATE)
    assert [line["amount"] for line in ledger(fresh)] == [D("0.09"), D("0.08")]


def test_a_revision_without_late_usage_is_a_correction(
    marts: Marts, fresh: Engine, settings: Settings
) -> None:
    """Down to 10.5 hours: 0.8925 → 0.89, so 1.70 goes back."""
    marts.build(rated())
    bill(fresh, settings, run_date=RUN_DATE)
    marts.build(rated(used="110.5"))
    bill(fresh, settings, run_date=RUN_DATE)
    assert figures(fresh)[1:] == [("~1", "correction", "-20", "0.085", "-1.70")]


def test_a_corrected_price_adjusts_the_amount_alone(
    marts: Marts, fresh: Engine, settings: Settings
) -> None:
    """30.5 × 0.09 = 2.745 → 2.75, of which 2.59 was billed. Late usage is not why."""
    marts.build(rated())
    bill(fresh, settings, run_date=RUN_DATE)
    marts.build(rated(price="0.09"), late=True)
    bill(fresh, settings, run_date=RUN_DATE)
    assert figures(fresh)[1:] == [("~1", "correction", "0", "0.09", "0.16")]
    assert ledger(fresh)[1]["amount_precise"] == D("0.1525")


def test_adjustments_of_a_line_are_numbered(
    marts: Marts, fresh: Engine, settings: Settings
) -> None:
    """Billed, gone, back, more: the ledger always sums to what was last rated."""
    for lines in ((rated(),), (), (rated(),), (rated(used="230.5"),)):
        marts.build(*lines)
        bill(fresh, settings, run_date=RUN_DATE)
    assert figures(fresh) == [
        ("first", "period", "30.5", "0.085", "2.59"),
        ("~1", "void", "-30.5", "0.085", "-2.59"),
        ("~2", "correction", "30.5", "0.085", "2.59"),
        # 130.5 × 0.085 = 11.0925
        ("~3", "correction", "100", "0.085", "8.50"),
    ]
    assert [line["adjustment_no"] for line in ledger(fresh)] == [0, 1, 2, 3]
    # The order is no longer in the marts when the line is gone: the ledger knows it.
    assert {line["odoo_order_id"] for line in ledger(fresh)} == {100}


def test_a_period_within_the_quota_is_closed_without_a_line(
    marts: Marts, fresh: Engine, settings: Settings
) -> None:
    marts.build(rated(used="80"))
    result = bill(fresh, settings, run_date=RUN_DATE)
    assert result.run_id is not None
    assert (result.lines, ledger(fresh), len(runs(fresh))) == (0, [], 1)
    assert bill(fresh, settings, run_date=RUN_DATE).run_id is None
    assert bill(fresh, settings, run_date=dt.date(2025, 10, 4)).run_id is None


def test_late_usage_that_first_passes_the_quota_says_so(
    marts: Marts, fresh: Engine, settings: Settings
) -> None:
    marts.build(rated(used="80"))
    bill(fresh, settings, run_date=RUN_DATE)
    marts.build(rated(used="110"), late=True)
    bill(fresh, settings, run_date=RUN_DATE)
    assert figures(fresh) == [("first", "late_usage", "10", "0.085", "0.85")]


def test_usage_within_the_quota_moves_no_money_and_writes_no_line(
    marts: Marts, fresh: Engine, settings: Settings
) -> None:
    marts.build(rated(used="130", included="100"))
    bill(fresh, settings, run_date=RUN_DATE)
    marts.build(rated(used="140", included="110"))
    assert bill(fresh, settings, run_date=RUN_DATE).lines == 0


def test_every_digit_of_a_quantity_survives(
    marts: Marts, fresh: Engine, settings: Settings
) -> None:
    used = "12345678901234567890.123456789012345678"
    line = rated(used=used, included="0") | {
        "quantity_billed": D(used),
        "amount": D("1049382706604938270.66"),
        "amount_precise": D("1049382706604938270.66049382706604938263"),
    }
    marts.build(line)
    bill(fresh, settings, run_date=RUN_DATE)
    (billed,) = ledger(fresh)
    assert billed["quantity_billed"] == D(used)
    assert billed["amount_precise"] == D("1049382706604938270.66049382706604938263")


def test_one_service_alone(marts: Marts, fresh: Engine, settings: Settings) -> None:
    """nexadesk's change, and its line that disappeared, wait for its own run."""
    desk = rated("nexadesk:b", "desk_team/messages", used="1100", included="1000", price="0.012")
    with fresh.begin() as connection:
        connection.execute(
            sa.insert(service),
            [{"service_code": code, "name": code} for code in ("nexacloud", "nexadesk")],
        )
    marts.build(rated(), desk)
    bill(fresh, settings, run_date=RUN_DATE)
    marts.build(rated(used="140"))
    result = bill(fresh, settings, run_date=RUN_DATE, service_code="nexacloud")
    assert result.by_service == {"nexacloud": 1}
    assert runs(fresh)[-1]["service_code"] == "nexacloud"
    result = bill(fresh, settings, run_date=RUN_DATE, service_code="nexadesk")
    assert (result.by_service, result.amount) == ({"nexadesk": 1}, D("-1.20"))


def test_an_unknown_service_is_named_with_the_known(
    marts: Marts, fresh: Engine, settings: Settings
) -> None:
    marts.build(rated())
    with pytest.raises(UnknownServiceError, match=r"no service 'nexo'. Known: none; .*service add"):
        bill(fresh, settings, run_date=RUN_DATE, service_code="nexo")


def test_a_dry_run_tells_all_and_writes_nothing(
    marts: Marts, fresh: Engine, settings: Settings
) -> None:
    marts.build(rated())
    planned = bill(fresh, settings, run_date=RUN_DATE, dry_run=True)
    assert (planned.run_id, planned.lines, planned.amount) == (None, 1, D("2.59"))
    assert (ledger(fresh), runs(fresh)) == ([], [])
    assert bill(fresh, settings, run_date=RUN_DATE).lines_sha256 == planned.lines_sha256


def test_a_new_currency_takes_the_old_line_back(
    marts: Marts, fresh: Engine, settings: Settings
) -> None:
    marts.build(rated())
    bill(fresh, settings, run_date=RUN_DATE)
    marts.build(rated(currency="USD"))
    bill(fresh, settings, run_date=RUN_DATE)
    assert [
        (line["adjustment_no"], line["currency"], line["amount"]) for line in ledger(fresh)
    ] == [
        (0, "CAD", D("2.59")),
        (1, "CAD", D("-2.59")),
        (2, "USD", D("2.59")),
    ]
    assert ledger(fresh)[2]["reason"] == "correction"
    assert bill(fresh, settings, run_date=RUN_DATE).lines == 0


def test_a_line_that_was_taken_back_returns_in_another_currency(
    marts: Marts, fresh: Engine, settings: Settings
) -> None:
    """Its key is taken by the first line: once, every later run broke on the unique key."""
    for lines in ((rated(),), (), (rated(currency="USD"),), (), (rated(),)):
        marts.build(*lines)
        bill(fresh, settings, run_date=RUN_DATE)
    assert [
        (line["adjustment_no"], line["currency"], line["amount"]) for line in ledger(fresh)
    ] == [
        (0, "CAD", D("2.59")),
        (1, "CAD", D("-2.59")),
        (2, "USD", D("2.59")),
        (3, "USD", D("-2.59")),
        (4, "CAD", D("2.59")),
    ]


def test_the_catalogue_of_a_run_is_attested(
    marts: Marts, fresh: Engine, settings: Settings
) -> None:
    """The same prices give the same hash, however they are written; another price another one."""
    august = rated(start=AUGUST)
    for lines in ((august,), (rated(used="140", price="0.0850"),), (rated(price="0.09"),)):
        marts.build(*lines)
        bill(fresh, settings, run_date=RUN_DATE)
    first, second, third = (run["catalog_sha256"] for run in runs(fresh))
    assert first == second != third


@pytest.mark.parametrize(
    ("finished", "of_snapshot", "current"),
    [
        ("build_1", "build_1", "build_2"),  # the snapshot was taken again, the rating is old
        ("build_2", "build_1", "build_1"),  # rated by a build that took no snapshot
        ("build_2", "build_1", "build_2"),
    ],
)
def test_an_unfinished_build_is_not_billed(
    marts: Marts, fresh: Engine, settings: Settings, finished: str, of_snapshot: str, current: str
) -> None:
    marts.build(rated())
    marts.set_build(finished, of_snapshot, current)
    with pytest.raises(BillingRunError, match=r"did not finish.*`fusion-billing run`"):
        bill(fresh, settings, run_date=RUN_DATE)
    assert (ledger(fresh), runs(fresh)) == ([], [])


def test_before_the_first_build_nothing_is_billed(
    marts: Marts, fresh: Engine, settings: Settings
) -> None:
    marts.set_build(None, "", "build_1")
    with pytest.raises(BillingRunError, match="Nothing is rated yet"):
        bill(fresh, settings, run_date=RUN_DATE)
    with fresh.begin() as connection:
        connection.execute(sa.text("drop schema marts cascade"))
    with pytest.raises(BillingRunError, match="Nothing is rated yet"):
        bill(fresh, settings, run_date=RUN_DATE)


def test_a_build_that_comes_in_during_the_run_stops_it(
    marts: Marts, fresh: Engine, settings: Settings
) -> None:
    """dbt swaps its tables one by one: what was read may be half old, half new."""
    marts.build(rated())

    def rebuild(*arguments: object) -> None:
        if "full join ledger_lines" in str(arguments[2]):
            marts.set_build("build_9", "build_9", "build_9")

    other = Marts(sa.create_engine(fresh.url))
    marts.engine = other.engine
    sa.event.listen(fresh, "after_cursor_execute", rebuild)
    with pytest.raises(BillingRunError, match="rebuilt the marts during the run"):
        bill(fresh, settings, run_date=RUN_DATE)
    sa.event.remove(fresh, "after_cursor_execute", rebuild)
    other.engine.dispose()
    assert (ledger(fresh), runs(fresh)) == ([], [])


def test_many_corrections_at_once_need_a_word(
    marts: Marts, fresh: Engine, settings: Settings
) -> None:
    """A price raised for next month re-priced every period that was ever billed."""

    def all_at(price: str) -> list[dict[str, Any]]:
        return [rated(subscription=f"nexacloud:sub_{n}", price=price) for n in range(30)]

    marts.build(*all_at("0.085"))
    assert bill(fresh, settings, run_date=RUN_DATE).lines == 30
    marts.build(*all_at("0.09"))
    with pytest.raises(MassCorrectionError, match=r"30 of 30 billed lines by 4\.80.*--dry-run"):
        bill(fresh, settings, run_date=RUN_DATE)
    assert len(ledger(fresh)) == 30
    assert bill(fresh, settings, run_date=RUN_DATE, dry_run=True).adjustments == 30
    accepted = bill(fresh, settings, run_date=RUN_DATE, accept_corrections=True)
    assert (accepted.adjustments, accepted.amount) == (30, D("4.80"))  # 30 × (2.75 − 2.59)
