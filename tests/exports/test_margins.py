"""Margins as they are asked for, from a mart by hand; the mart's own figures have dbt's tests."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from exports.margins import Basis, By, MarginsError, margins

D = Decimal
AUGUST, SEPTEMBER = dt.date(2026, 8, 1), dt.date(2026, 9, 1)

# month, service, account, plan, metric, usage, base, cogs, invoiced usage, invoiced base
ROWS = [
    (AUGUST, "nexadesk", "nexadesk:a1", "desk", "messages", "20.00", "0", "5.00", "10.00", "0"),
    (SEPTEMBER, "nexadesk", "nexadesk:a1", "desk", "messages", "30.20", "0", "4.12", "20.00", "0"),
    (SEPTEMBER, "nexadesk", "nexadesk:a1", "desk", None, "0", "19.00", "0", "0", "29.00"),
    (SEPTEMBER, "nexadesk", "nexadesk:a2", "desk", "messages", "0", "0", "3.00", "0", "0"),
    (SEPTEMBER, "nexadesk", None, None, None, "0", "0", "5.13", "0", "0"),
    (SEPTEMBER, "nexamaps", "nexamaps:m1", "maps", "loads", "8.00", "0", "9.00", "0", "0"),
    (SEPTEMBER, None, None, None, None, "0", "250.00", "0", "0", "250.00"),
]
PARAMETERS = ", :".join("abcdefghij")


@pytest.fixture
def mart(engine: Engine) -> Engine:
    """The table as dbt's contract types it."""
    with engine.begin() as connection:
        connection.execute(sa.text("drop schema if exists marts cascade; create schema marts"))
        connection.execute(
            sa.text("""
                create table marts.fct_margin_monthly (
                    month date, service_code text, account_key text, plan_code text,
                    metric_code text, usage_revenue numeric, base_revenue numeric, cogs numeric,
                    invoiced_usage numeric, invoiced_base numeric, currency text default 'CAD')
            """)
        )
        for row in ROWS:
            values = sa.text("insert into marts.fct_margin_monthly values (:" + PARAMETERS + ")")
            connection.execute(values, dict(zip("abcdefghij", row, strict=True)))
    return engine


def test_a_month_by_service_beside_the_month_before(mart: Engine) -> None:
    """September of nexadesk: 30.20 + 19.00 = 49.20 less 4.12 + 3.00 + 5.13 = 12.25 is 36.95, or
    75.10 %; August was 15.00 or 75 %."""
    found = margins(mart, month=SEPTEMBER)
    desk, maps, none = found
    assert (desk.margin.revenue, desk.margin.cogs) == (D("49.20"), D("12.25"))
    assert (desk.margin.margin, desk.margin.margin_pct) == (D("36.95"), D("75.10"))
    assert (desk.margin_change, desk.margin_pct_change) == (D("21.95"), D("0.10"))
    assert (maps.margin.margin, maps.margin.margin_pct) == (D("-1.00"), D("-12.50"))
    assert (maps.before, maps.margin_change) == (None, None)
    assert (none.margin.service_code, none.margin.margin) == (None, D("250.00"))


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        (By.ACCOUNT, {"nexadesk:a1": "45.08", "nexadesk:a2": "-3.00", None: "-5.13"}),
        (By.PLAN, {"desk": "42.08", None: "-5.13"}),
        (By.METRIC, {"messages": "23.08", None: "13.87"}),
    ],
)
def test_what_a_row_is_of(mart: Engine, by: By, expected: dict[str | None, str]) -> None:
    found = margins(mart, by=by, month=SEPTEMBER, service="nexadesk")
    assert {one.margin.dimension: one.margin.margin for one in found} == {
        name: D(amount) for name, amount in expected.items()
    }


def test_the_invoiced_basis_counts_what_odoo_billed(mart: Engine) -> None:
    """Nexadesk in September: 20.00 + 29.00 less 12.25 is 36.75, 75 %."""
    desk = margins(mart, basis=Basis.INVOICED, month=SEPTEMBER, service="nexadesk")[0].margin
    assert (desk.usage_revenue, desk.base_revenue) == (D("20.00"), D("29.00"))
    assert (desk.margin, desk.margin_pct) == (D("36.75"), D("75.00"))


def test_without_a_month_the_newest_comes_first(mart: Engine) -> None:
    found = margins(mart, service="nexadesk")
    assert [one.margin.month for one in found] == [SEPTEMBER, AUGUST]


def test_an_amount_without_a_rate_is_unknown_and_not_zero(mart: Engine) -> None:
    with mart.begin() as connection:
        connection.execute(
            sa.text("update marts.fct_margin_monthly set usage_revenue = null where cogs = 3")
        )
    desk = margins(mart, month=SEPTEMBER, service="nexadesk")[0]
    assert (desk.margin.usage_revenue, desk.margin.revenue, desk.margin.margin) == (None,) * 3
    assert (desk.margin.margin_pct, desk.margin_change) == (None, None)
    assert desk.margin.cogs == D("12.25")


def test_a_cost_of_many_digits_has_a_margin_as_well(mart: Engine) -> None:
    """Stored before costs were bounded: 100 x (8 - 10^33) / 8 is 100 - 1.25 x 10^34."""
    with mart.begin() as connection:
        connection.execute(sa.text("update marts.fct_margin_monthly set cogs = 1e33"))
    (maps,) = margins(mart, month=SEPTEMBER, service="nexamaps")
    assert maps.margin.margin_pct == D("-12499999999999999999999999999999900.00")


def test_margins_that_are_not_built_name_the_command(mart: Engine) -> None:
    with mart.begin() as connection:
        connection.execute(sa.text("drop table marts.fct_margin_monthly"))
    with pytest.raises(MarginsError, match="`fusion-billing reconcile`"):
        margins(mart)
