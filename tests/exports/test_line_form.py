"""How a ledger line looks in Odoo: whatever its precision, the amount is the ledger's."""

from __future__ import annotations

import datetime as dt
from decimal import ROUND_HALF_UP, Decimal, localcontext

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from exports.line_form import Precision, describe, line_form, period_text

D = Decimal
CENT = D("0.01")
TWO = Precision(quantity=2, price=2)


def cents(number: Decimal) -> Decimal:
    """Half-up to cents, exactly, however many digits."""
    with localcontext(prec=200):
        return number.quantize(CENT, ROUND_HALF_UP)


def times(one: Decimal, other: Decimal) -> Decimal:
    with localcontext(prec=200):
        return one * other


def digits(number: Decimal) -> int:
    return len(f"{number:f}".rstrip("0").partition(".")[2]) if "." in f"{number:f}" else 0


def through_odoo(number: Decimal) -> Decimal:
    """A number as it comes back: Odoo computes in binary doubles, and JSON shows the shortest."""
    return D(repr(float(number)))


quantities = (
    st.decimals("-1e18", "1e18", places=6)
    | st.decimals("-2000", "2000", places=4)
    | st.integers(-5000, 10**9).map(Decimal)
)
prices = (
    st.decimals("0", "0.01", places=8)
    | st.decimals("0", "5000", places=4)
    | st.decimals("0", "50", places=2)
)
precisions = st.builds(Precision, quantity=st.integers(0, 6), price=st.integers(0, 6))
# Beyond 13 digits before the point a double has no room for the cents: no form could hold them.
representable = D("1e13")


@given(quantity=quantities, price=prices, precision=precisions)
@example(quantity=D("240"), price=D("0.0023"), precision=TWO)
@example(quantity=D("1e29"), price=D("1"), precision=TWO)
@example(quantity=D("12345678901234567.89"), price=D("0.00001"), precision=Precision(6, 6))
@example(quantity=D("15624999999999843.75"), price=D("0.000064"), precision=Precision(6, 6))
@example(quantity=D("99999999.5"), price=D("0.01"), precision=TWO)
def test_quantity_times_price_is_the_amount(
    quantity: Decimal, price: Decimal, precision: Precision
) -> None:
    """Exactly, nothing left to round: neither on our side nor among Odoo's doubles."""
    amount = cents(times(quantity, price))
    form = line_form(quantity, price, amount, precision)
    assert times(form.quantity, form.price) == amount
    if abs(amount) < representable:
        assert times(through_odoo(form.quantity), through_odoo(form.price)) == amount
    if (form.quantity, form.price) != (1, amount):
        assert (form.quantity, form.price) == (quantity, price)
        assert digits(form.quantity) <= precision.quantity
        assert digits(form.price) <= precision.price


@given(quantity=quantities, price=prices, cent=st.integers(-3, 3), precision=precisions)
def test_an_adjustment_that_is_off_by_a_rounding_keeps_its_amount(
    quantity: Decimal, price: Decimal, cent: int, precision: Precision
) -> None:
    amount = cents(times(quantity, price)) + cent * CENT
    form = line_form(quantity, price, amount, precision)
    assert times(form.quantity, form.price) == amount
    if cent:
        assert (form.quantity, form.price) == (1, amount)


@pytest.mark.parametrize(
    ("quantity", "price", "amount", "precision", "form"),
    [
        ("30.5", "0.12", "3.66", TWO, ("30.5", "0.12")),
        ("30.5", "0.085", "2.59", TWO, ("1", "2.59")),  # 0.085 would be stored as 0.09
        ("30.5", "0.085", "2.59", Precision(2, 3), ("1", "2.59")),  # 2.5925: a rounding is left
        ("30.4", "0.125", "3.80", Precision(2, 3), ("30.4", "0.125")),
        ("0.004", "10", "0.04", TWO, ("1", "0.04")),  # 0.004 would be stored as 0
        ("30.50", "0.120", "3.66", TWO, ("30.50", "0.120")),  # trailing zeros are no digits
        (
            "-30.5",
            "0.12",
            "-3.66",
            TWO,
            ("1", "-3.66"),
        ),  # what goes back is a price, not a quantity
        ("0", "0.09", "0.16", TWO, ("1", "0.16")),  # a corrected price
        ("1", "0.08", "0.09", TWO, ("1", "0.09")),
        ("3", "5", "15.00", Precision(0, 0), ("3", "5")),
        ("3", "5.5", "16.50", Precision(0, 0), ("1", "16.50")),
    ],
)
def test_forms_by_hand(
    quantity: str, price: str, amount: str, precision: Precision, form: tuple[str, str]
) -> None:
    found = line_form(D(quantity), D(price), D(amount), precision)
    assert (found.quantity, found.price) == (D(form[0]), D(form[1]))


LINE = {
    "charge_name": "API calls",
    "unit": None,
    "reason": "period",
    "period_start": dt.date(2026, 10, 1),
    "period_end": dt.date(2026, 11, 1),
    "quantity_used": D("1240"),
    "quantity_included": D("1000"),
    "quantity_billed": D("240"),
    "unit_price": D("0.0023"),
    "currency": "CAD",
}


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({}, "API calls, Oct 2026: 1,240 used, 1,000 included, 240 × $0.0023"),
        (
            {"unit": "calls"},
            "API calls, Oct 2026: 1,240 calls used, 1,000 included, 240 × $0.0023",
        ),
        (
            {"quantity_included": D(0), "quantity_billed": D("1240"), "currency": "USD"},
            "API calls, Oct 2026: 1,240 used, 1,240 × US$0.0023",
        ),
        (
            {"currency": "GBP", "unit_price": D("0.10")},
            "API calls, Oct 2026: 1,240 used, 1,000 included, 240 × GBP 0.10",
        ),
        (
            {
                "reason": "late_usage",
                "quantity_used": D("12345.25"),
                "quantity_included": D(0),
                "quantity_billed": D("12345.25"),
            },
            "Late usage: API calls, Oct 2026: 12,345.25 used, 12,345.25 × $0.0023",
        ),
        (
            {
                "reason": "correction",
                "quantity_used": D("-1500"),
                "quantity_included": D("-1000"),
                "quantity_billed": D("-500.50"),
            },
            "Correction: API calls, Oct 2026: −1,500 used, −1,000 included, −500.5 × $0.0023",
        ),
        (
            {"period_start": dt.date(2026, 10, 15), "period_end": dt.date(2026, 11, 15)},
            "API calls, 15 Oct – 14 Nov 2026: 1,240 used, 1,000 included, 240 × $0.0023",
        ),
        (
            {
                "charge_model": "graduated",
                "tier": 2,
                "unit": "calls",
                "quantity_used": D(30),
                "quantity_included": D(0),
                "quantity_billed": D(30),
                "unit_price": D("0.05"),
                "flat_amount": D("1.00"),
                "amount": D("2.50"),
            },
            "API calls, tier 2, Oct 2026: 30 calls used, 30 × $0.05 + $1.00",
        ),
        (
            {
                "charge_model": "graduated",
                "tier": 2,
                "reason": "void",
                "quantity_used": D(-30),
                "quantity_included": D(0),
                "quantity_billed": D(-30),
                "unit_price": D("0.05"),
                "flat_amount": D("-1.00"),
                "amount": D("-2.50"),
            },
            "Cancelled: API calls, tier 2, Oct 2026: −30 used, −30 × $0.05 − $1.00",
        ),
        (
            {"charge_model": "package", "unit_price": D(5), "package_size": D(100)},
            "API calls, Oct 2026: 1,240 used, 1,000 included, 240 in packages of 100 at $5.00",
        ),
        (
            {"charge_model": "percentage", "unit_price": D("0.025"), "flat_amount": D("0.3")},
            "API calls, Oct 2026: 1,240 used, 1,000 included, 240 × 2.5 % + $0.30",
        ),
        (
            {"charge_model": "dynamic", "unit_price": D("0.064"), "amount": D("15.50")},
            "API calls, Oct 2026: 1,240 used, 1,000 included, $15.50",
        ),
        (
            {"group_key": '{"region":"east","size":"xl"}'},
            "API calls (region east, size xl), Oct 2026: 1,240 used, 1,000 included, 240 × $0.0023",
        ),
        (
            {"tier": 0, "unit_price": None, "amount": D("7.41"), "currency": "USD"},
            "API calls, Oct 2026: up to the minimum, US$7.41",
        ),
        (
            {"tier": 0, "unit_price": None, "amount": D("-1.70"), "reason": "late_usage"},
            "Late usage: API calls, Oct 2026: up to the minimum, −$1.70",
        ),
    ],
)
def test_what_the_customer_reads(changes: dict[str, object], text: str) -> None:
    assert describe({**LINE, **changes}) == text


def test_a_corrected_price_is_called_so() -> None:
    """Nothing was used: "0 used, 0 × $0.09" beside 0.16 would explain nothing."""
    zero = dict.fromkeys(("quantity_used", "quantity_included", "quantity_billed"), D(0))
    line = {**LINE, **zero, "reason": "correction", "unit_price": D("0.09")}
    assert describe(line) == "Correction: API calls, Oct 2026: corrected price $0.09"


def test_an_amount_without_a_unit_price_is_one_unit() -> None:
    assert line_form(D(240), None, D("15.50"), TWO) == line_form(D(1), D("15.50"), D("15.50"), TWO)


@pytest.mark.parametrize(
    ("start", "end", "text"),
    [
        ("2026-10-01", "2026-11-01", "Oct 2026"),
        ("2026-02-01", "2026-03-01", "Feb 2026"),
        ("2026-12-01", "2027-01-01", "Dec 2026"),
        ("2026-10-01", "2027-01-01", "1 Oct – 31 Dec 2026"),
        ("2026-12-15", "2027-01-15", "15 Dec 2026 – 14 Jan 2027"),
        ("2026-10-10", "2026-11-01", "10 Oct – 31 Oct 2026"),
        ("2026-10-01", "2026-10-08", "1 Oct – 7 Oct 2026"),
    ],
)
def test_a_period_in_words(start: str, end: str, text: str) -> None:
    assert period_text(dt.date.fromisoformat(start), dt.date.fromisoformat(end)) == text
