"""A line explained: its own group's counters, what became of it, and what it was taken back by."""

from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from marts import SEPTEMBER, Marts, Row, insert, rated, true_up
from sqlalchemy.engine import Engine

from exports.billing_run import bill
from exports.explain import UnknownLineError, explain
from warehouse.settings import Settings
from warehouse.tables import odoo_push

D = Decimal
RUN_DATE = dt.date(2025, 10, 5)
KEY = rated()["line_key"]
EAST, WEST = '{"region": "east"}', '{"region": "west"}'
DAY = dt.date(2025, 9, 3)


def _landed(transaction: str, value: str, region: str, **rest: Any) -> Row:
    start = dt.datetime(2025, 9, 3, 12, tzinfo=dt.UTC)
    return {
        "service_code": "nexacloud",
        "external_subscription_id": "sub_1",
        "transaction_id": transaction,
        "batch_id": 1,
        "code": "compute_hours",
        "kind": "delta",
        "window_start": start,
        "window_end": start + dt.timedelta(hours=1),
        "local_day": DAY,
        "value": D(value),
        "revision": 0,
        "properties": f'{{"region":"{region}","host":"{transaction[0]}"}}',
        "received_at": start,
        **rest,
    }


def _placed(group: str, counters: int, quantity: str, fate: str = "counted") -> Row:
    return {
        "subscription_key": "nexacloud:sub_1",
        "charge_key": "cloud_s/compute_hours",
        "period_start": SEPTEMBER,
        "verdict": "rated" if fate == "counted" else fate,
        "verdict_reason": "rated" if fate == "counted" else "superseded: higher revision",
        "is_late": False,
        "counters": counters,
        "service_code": "nexacloud",
        "external_subscription_id": "sub_1",
        "metric_code": "compute_hours",
        "local_day": DAY,
        "dimensions": group,
        "fate": fate,
        "group_key": group,
        "aggregation": "sum",
        "quantity_sum": D(quantity),
    }


@pytest.fixture
def grouped(marts: Marts, fresh: Engine, settings: Settings) -> Engine:
    """Usage by region: 130.5 hours in the east, one of them revised, and 120 in the west."""
    marts.build(rated(group=EAST), rated(group=WEST, used="120"))
    with fresh.begin() as connection:
        connection.execute(sa.text("delete from intermediate.int_usage_placed"))
        insert(
            connection,
            "intermediate.int_usage_placed",
            [
                _placed(EAST, 2, "130.5"),
                _placed(EAST, 1, "99", "superseded"),
                _placed(WEST, 1, "120"),
            ],
        )
        insert(
            connection,
            "intermediate.int_metrics_defined",
            [{"metric_code": "compute_hours", "field_name": None, "dimension_keys": ["region"]}],
        )
        insert(
            connection,
            "staging.stg_usage__batches",
            [{"batch_id": 1, "xid": 5}, {"batch_id": 2, "xid": 5000}],
        )
        insert(
            connection,
            "staging.stg_usage__counters",
            [
                _landed("a1", "99", "east"),
                _landed("a2", "100.5", "east", revision=1),
                _landed("b1", "30", "east"),
                _landed("c1", "120", "west"),
                _landed("d1", "7", "east", batch_id=2),  # after the build
            ],
        )
    bill(fresh, settings, run_date=RUN_DATE)
    return fresh


def test_the_counters_are_those_of_the_lines_own_group(grouped: Engine) -> None:
    east, west = (explain(grouped, rated(group=group)["line_key"]) for group in (EAST, WEST))
    assert [(one["transaction_id"], one["is_superseded"]) for one in east.counters] == [
        ("a1", True),
        ("a2", False),
        ("b1", False),
    ]
    assert [(day["verdict"], day["counters"], day["quantity"]) for day in east.days] == [
        ("rated", 2, D("130.5")),
        ("superseded: higher revision", 1, D(99)),
    ]
    assert [one["transaction_id"] for one in west.counters] == ["c1"]
    assert west.arithmetic == "120 used − 100 included = 20 × 0.085 = 1.70 CAD"
    assert [tier["group_key"] for tier in west.tiers] == [EAST, WEST]
    limited = explain(grouped, rated(group=EAST)["line_key"], counters=1)
    assert (len(limited.counters), limited.counters_total) == (1, 3)


def test_a_void_and_a_correction_are_told_with_what_was_billed_before(
    marts: Marts, fresh: Engine, settings: Settings
) -> None:
    for lines in ((rated(),), (rated(used="110.5"),), ()):
        marts.build(*lines)
        bill(fresh, settings, run_date=RUN_DATE)
    assert explain(fresh, KEY).arithmetic == ("130.5 used − 100 included = 30.5 × 0.085 = 2.59 CAD")
    assert explain(fresh, f"{KEY}~1").arithmetic == (
        "110.5 used − 100 included = 10.5 × 0.085 = 0.89 CAD, of which 2.59 CAD was billed before:"
        " −1.70 CAD (correction)"
    )
    void = explain(fresh, f"{KEY}~2")
    assert void.arithmetic == (
        "nothing is rated for the period any more: 0.00 CAD, of which 0.89 CAD was billed before:"
        " −0.89 CAD"
    )
    assert void.price is None  # the charge went with the line
    assert [one["reason"] for one in void.adjustments] == ["period", "correction", "void"]


def test_a_true_up_names_the_lines_it_fills_up(
    marts: Marts, fresh: Engine, settings: Settings
) -> None:
    marts.build(rated(), true_up("7.41"))
    bill(fresh, settings, run_date=RUN_DATE)
    found = explain(fresh, true_up("7.41")["line_key"])
    assert found.arithmetic == "2.59 CAD of usage + 7.41 CAD = the minimum of 10.00 CAD"
    assert [tier["amount"] for tier in found.tiers] == [D("2.59"), D("7.41")]
    assert found.price is not None


def test_a_line_of_the_open_period_is_explained_before_it_is_billed(
    marts: Marts, fresh: Engine
) -> None:
    marts.build(rated())
    found = explain(fresh, KEY)
    assert (found.run, found.adjustments, found.odoo["state"]) == (None, [], "planned")
    assert found.arithmetic == "130.5 used − 100 included = 30.5 × 0.085 = 2.59 CAD"
    assert [tier["is_billed"] for tier in found.tiers] == [False]


def test_what_odoo_refused_is_told_in_its_words(
    marts: Marts, fresh: Engine, settings: Settings
) -> None:
    marts.build(rated())
    run = bill(fresh, settings, run_date=RUN_DATE)
    with fresh.begin() as connection:
        connection.execute(
            sa.insert(odoo_push),
            {"line_key": KEY, "state": "refused", "reason": "order gone", "odoo_order_id": 100},
        )
    found = explain(fresh, KEY)
    assert (found.odoo["state"], found.odoo["reason"]) == ("refused", "order gone")
    assert found.run is not None
    assert (found.run["run_id"], found.run["high_water_xid"]) == (run.run_id, "1001")


def test_an_unknown_key_names_the_nearest_of_many(
    marts: Marts, fresh: Engine, settings: Settings
) -> None:
    marts.build(*(rated(f"nexacloud:sub_{number}") for number in range(1, 300)))
    bill(fresh, settings, run_date=RUN_DATE)
    with pytest.raises(UnknownLineError, match=re.escape(f"Nearest: {KEY}, nexacloud:sub_")):
        explain(fresh, KEY.removesuffix(":1"))
    with pytest.raises(UnknownLineError, match=r"Nearest: nexacloud:sub_\d+:"):
        explain(fresh, "what")


def test_with_an_empty_ledger_or_without_marts_the_next_command_is_named(
    marts: Marts, fresh: Engine
) -> None:
    with pytest.raises(UnknownLineError, match=r"nothing is billed yet\. `fusion-billing run`"):
        explain(fresh, KEY)
    with fresh.begin() as connection:
        connection.execute(sa.text("drop schema marts cascade"))
    with pytest.raises(UnknownLineError, match=r"marts are not built yet.*fusion-billing run"):
        explain(fresh, KEY)
