"""The ledger of tiers, groups and minimums: what vanishes is taken back, each line says why."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from decimal import Decimal

import pytest
import sqlalchemy as sa
from marts import AUGUST, OCTOBER, SEPTEMBER, Marts, Row, ledger, rated, runs, true_up
from sqlalchemy.engine import Engine

from exports.billing_run import MassCorrectionError, bill
from warehouse.settings import Settings

D = Decimal
RUN_DATE = dt.date(2025, 10, 5)
CHARGE = "cloud_s/compute_hours"


def graduated(*used: str) -> list[Row]:
    """Tiers at 0.10, 0.05 and 0.02 a unit, the second and third with a flat fee of 1.00."""
    prices, flats = ("0.10", "0.05", "0.02"), ("0", "1.00", "1.00")
    return [
        rated(used=used_, included="0", price=price, tier=tier, flat=flat, model="graduated")
        for tier, (used_, price, flat) in enumerate(zip(used, prices, flats, strict=False), 1)
    ]


def tail(line: Row) -> str:
    return str(line["line_key"]).rsplit(":", 1)[1]


def told(engine: Engine) -> list[tuple[str, str, str]]:
    """Tier and adjustment, reason and amount of every line."""
    return [(tail(line), line["reason"], f"{line['amount']:.2f}") for line in ledger(engine)]


def sums(engine: Engine) -> dict[str, Decimal]:
    """What the ledger says of each rated line in the end; nothing where it was taken back."""
    totals: Counter[str] = Counter()
    for line in ledger(engine):
        totals[line["rated_line_key"]] += line["amount"]
    return {key: amount for key, amount in totals.items() if amount}


def test_a_tier_that_vanishes_is_taken_back(
    marts: Marts, fresh: Engine, settings: Settings
) -> None:
    """130 units: 100 at 0.10 and 30 at 0.05 + 1.00 = 10.00 + 2.50. Corrected to 90: 9.00."""
    marts.build(*graduated("100", "30"))
    bill(fresh, settings, run_date=RUN_DATE)
    marts.build(*graduated("90"))
    result = bill(fresh, settings, run_date=RUN_DATE)
    assert told(fresh) == [
        ("1", "period", "10.00"),
        ("1~1", "correction", "-1.00"),
        ("2", "period", "2.50"),
        ("2~1", "correction", "-2.50"),
    ]
    assert (result.adjustments, result.amount) == (2, D("-3.50"))
    gone = ledger(fresh)[3]
    assert (gone["quantity_billed"], gone["flat_amount"]) == (D(-30), D("-1.00"))
    assert (gone["unit_price"], gone["charge_model"]) == (D("0.05"), "graduated")
    assert (gone["period_start"], gone["period_end"]) == (SEPTEMBER, OCTOBER)
    assert bill(fresh, settings, run_date=RUN_DATE).lines == 0


def test_a_tier_that_comes_in_late_is_late_usage_not_a_new_period(
    marts: Marts, fresh: Engine, settings: Settings
) -> None:
    marts.build(*graduated("90"))
    bill(fresh, settings, run_date=RUN_DATE)
    marts.build(*graduated("100", "30"), late=True)
    bill(fresh, settings, run_date=RUN_DATE)
    assert told(fresh) == [
        ("1", "period", "9.00"),
        ("1~1", "late_usage", "1.00"),
        ("2", "late_usage", "2.50"),
    ]


def test_a_new_tier_of_a_billed_period_is_a_correction(
    marts: Marts, fresh: Engine, settings: Settings
) -> None:
    """The catalogue was mended: a second tier was forgotten."""
    marts.build(*graduated("130"))
    bill(fresh, settings, run_date=RUN_DATE)
    marts.build(*graduated("100", "30"))
    bill(fresh, settings, run_date=RUN_DATE)
    assert told(fresh) == [
        ("1", "period", "13.00"),
        ("1~1", "correction", "-3.00"),
        ("2", "correction", "2.50"),
    ]


def test_groups_are_lines_of_their_own(marts: Marts, fresh: Engine, settings: Settings) -> None:
    east, west = (f'{{"region":"{name}"}}' for name in ("east", "west"))
    marts.build(rated(group=east), rated(group=west, used="110"))
    bill(fresh, settings, run_date=RUN_DATE)
    marts.build(rated(group=east))
    bill(fresh, settings, run_date=RUN_DATE)
    assert Counter((line["group_key"], line["reason"]) for line in ledger(fresh)) == {
        (east, "period"): 1,
        (west, "period"): 1,
        (west, "correction"): 1,  # the charge is rated still, for the other group
    }
    assert sums(fresh) == {rated(group=east)["line_key"]: D("2.59")}


def test_a_true_up_shrinks_as_late_usage_fills_the_minimum(
    marts: Marts, fresh: Engine, settings: Settings
) -> None:
    """A minimum of 10.00: 2.59 of usage and 7.41; with 20 hours more, 4.29 and 5.71."""
    marts.build(rated(), true_up("7.41"))
    result = bill(fresh, settings, run_date=RUN_DATE)
    assert (result.lines, result.amount) == (2, D("10.00"))
    marts.build(rated(used="150.5"), true_up("5.71"), late=True)
    result = bill(fresh, settings, run_date=RUN_DATE)
    assert (result.by_reason, result.amount) == ({"late_usage": 2}, D("0.00"))
    assert sum(sums(fresh).values()) == D("10.00")
    product = {line["odoo_product_id"] for line in ledger(fresh)}
    assert product == {7}  # the charge's own


def test_a_minimum_commitment_has_no_metric_and_follows_late_usage(
    marts: Marts, fresh: Engine, settings: Settings
) -> None:
    def commitment(amount: str) -> Row:
        line = rated(charge="cloud_s/minimum_commitment", used="0", included="0", tier=0)
        rest = {"metric_code": None, "unit_price": None, "charge_model": "minimum_commitment"}
        return line | rest | {"amount": D(amount), "amount_precise": D(amount)}

    marts.build(rated(), commitment("47.41"))
    bill(fresh, settings, run_date=RUN_DATE)
    marts.build(rated(used="150.5"), commitment("45.71"), late=[CHARGE])
    result = bill(fresh, settings, run_date=RUN_DATE)
    assert result.by_reason == {"late_usage": 2}
    marts.build(rated(used="150.5"))  # it was lowered: a correction, for the plan goes on
    result = bill(fresh, settings, run_date=RUN_DATE)
    assert (result.by_reason, result.amount) == ({"correction": 1}, D("-45.71"))
    marts.build()
    assert bill(fresh, settings, run_date=RUN_DATE).by_reason == {"void": 1}


def test_what_is_rated_no_more_is_void_and_named_by_its_period(
    marts: Marts, fresh: Engine, settings: Settings
) -> None:
    """A link was removed: August and September go back whole, on the order that was billed."""
    kept = rated("nexadesk:b", "desk_team/messages", order=8)
    marts.build(rated(start=AUGUST, order=9), *graduated("100", "30"), kept)
    bill(fresh, settings, run_date=RUN_DATE)
    marts.build(kept)
    result = bill(fresh, settings, run_date=RUN_DATE)
    assert result.by_reason == {"void": 3}
    voids = [line for line in ledger(fresh) if line["reason"] == "void"]
    assert [
        (line["odoo_order_id"], line["period_start"], line["amount"], line["charge_name"])
        for line in voids
    ] == [
        (9, AUGUST, D("-2.59"), "Compute hours"),
        (100, SEPTEMBER, D("-10.00"), "Compute hours"),
        (100, SEPTEMBER, D("-2.50"), "Compute hours"),
    ]
    assert sums(fresh) == {kept["line_key"]: kept["amount"]}
    assert bill(fresh, settings, run_date=RUN_DATE).lines == 0


def test_many_voids_at_once_need_a_word(marts: Marts, fresh: Engine, settings: Settings) -> None:
    """An access right that Odoo took away looks like this."""
    marts.build(*(rated(subscription=f"nexacloud:sub_{n}") for n in range(30)))
    bill(fresh, settings, run_date=RUN_DATE)
    marts.build()
    with pytest.raises(MassCorrectionError, match=r"30 of 30 billed lines by -77\.70"):
        bill(fresh, settings, run_date=RUN_DATE)


def test_a_change_of_plan_in_a_billed_period_moves_the_lines(
    marts: Marts, fresh: Engine, settings: Settings
) -> None:
    """The order of the second half was entered late: the old plan's line shrinks to its half, the
    new plan's is a period of its own, on its own order."""
    marts.build(rated())
    bill(fresh, settings, run_date=RUN_DATE)
    middle = dt.date(2025, 9, 16)
    first = rated(used="110.5", end=middle)
    second = rated(charge="cloud_m/compute_hours", start=middle, end=OCTOBER, used="1020", order=5)
    marts.build(first, second)
    result = bill(fresh, settings, run_date=RUN_DATE)
    assert result.by_reason == {"correction": 1, "period": 1}
    new, billed, adjustment = ledger(fresh)
    assert (new["odoo_order_id"], new["period_end"]) == (5, OCTOBER)
    assert (adjustment["odoo_order_id"], adjustment["period_end"]) == (100, middle)
    assert adjustment["rated_line_key"] == billed["line_key"]


def test_the_catalogue_version_covers_tiers_and_metrics(
    marts: Marts, fresh: Engine, settings: Settings
) -> None:
    changes = (
        "select 1",
        "update marts.dim_charge_version set charge_name = 'Another name'",
        'update marts.dim_charge_version set tiers = \'[{"unit_price": "0.10"}]\'',
        'update marts.dim_charge_version set tiers = \'[{"unit_price": "0.1"}]\'',
        'update marts.dim_charge_version set tiers = \'[{"unit_price": "0.2"}]\'',
        "update marts.dim_charge_version set min_amount = 5",
        "insert into marts.dim_metric (metric_code, aggregation) values ('m', 'sum')",
        "update marts.dim_metric set rounding_function = 'ceil'",
    )
    for number, change in enumerate(changes):
        marts.build(rated(used=str(200 + number)))
        with fresh.begin() as connection:
            connection.exec_driver_sql(change)
        bill(fresh, settings, run_date=RUN_DATE)
    hashes = [run["catalog_sha256"] for run in runs(fresh)]
    # Each build makes the charges anew, so a change holds for its own run alone.
    assert hashes[0] == hashes[1]
    assert hashes[2] == hashes[3]
    assert len(set(hashes)) == 6
    with fresh.begin() as connection:
        connection.execute(sa.text("delete from marts.dim_metric"))
