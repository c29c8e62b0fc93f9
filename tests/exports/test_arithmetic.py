"""The sentence that explains an amount: each can be checked with a pocket calculator."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from exports.arithmetic import money, sentence

D = Decimal
LINE: dict[str, Any] = {
    "charge_model": "standard",
    "tier": 1,
    "quantity_used": D(1240),
    "quantity_included": D(1000),
    "quantity_billed": D(240),
    "unit_price": D("0.0023"),
    "flat_amount": D(0),
    "amount": D("0.55"),
    "amount_precise": D("0.5520"),
    "currency": "CAD",
}
TIER = {
    "charge_model": "graduated",
    "tier": 2,
    "quantity_used": D(30),
    "quantity_included": D(0),
    "quantity_billed": D(30),
    "unit_price": D("0.05"),
    "flat_amount": D("1.00"),
    "amount": D("2.50"),
    "amount_precise": D("2.50"),
}
MINIMUM = {"tier": 0, "unit_price": D(10), "amount": D("7.41"), "amount_precise": D("7.41")}


@pytest.mark.parametrize(
    ("changes", "price", "text"),
    [
        ({}, None, "1,240 used − 1,000 included = 240 × 0.0023 = 0.55 CAD"),
        (
            {"quantity_included": D(0), "quantity_billed": D(1240), "unit_price": D("0.1")}
            | {"amount": D("124.00"), "amount_precise": D("124.0")},
            None,
            "1,240 used × 0.10 = 124.00 CAD",
        ),
        (TIER, None, "tier 2: 30 used × 0.05 + 1 flat = 2.50 CAD"),
        (
            TIER | {"flat_amount": D(0), "amount": D("1.51"), "amount_precise": D("1.50")},
            None,
            "tier 2: 30 used × 0.05 = 1.5, rounded with the tiers before it: 1.51 CAD",
        ),
        (
            {"charge_model": "package", "unit_price": D(5), "package_size": D(100)}
            | {"amount": D("15.00"), "amount_precise": D(15)},
            None,
            "1,240 used − 1,000 included = 240, 3 packages of 100 × 5.00 = 15.00 CAD",
        ),
        (
            {"charge_model": "percentage", "unit_price": None}
            | {"amount": D("7.60"), "amount_precise": D("7.60")},
            {"rate": D("2.5"), "fixed_amount": D("0.10"), "free_events": D(3)},
            "1,240 used − 1,000 included = 240, percentage (rate in percent 2.5, fixed amount per"
            " event 0.1, free events 3): 7.60 CAD",
        ),
        (
            {"charge_model": "dynamic", "unit_price": None}
            | {"amount": D(3), "amount_precise": D("2.5"), "currency": "JPY"},
            None,
            "1,240 used − 1,000 included = 240, dynamic: 3.00 JPY",
        ),
        (
            MINIMUM | {"charge_model": "minimum_commitment", "unit_price": D(50)},
            {"min_amount": D(100)},
            "7.41 CAD up to the plan's minimum commitment of 50.00 CAD",
        ),
    ],
)
def test_a_line_in_one_sentence(
    changes: dict[str, Any], price: dict[str, Any] | None, text: str
) -> None:
    assert sentence({**LINE, **changes}, price=price) == text


def test_a_true_up_names_what_it_fills() -> None:
    assert sentence({**LINE, **MINIMUM}, beside=D("2.59")) == (
        "2.59 CAD of usage + 7.41 CAD = the minimum of 10.00 CAD"
    )


@pytest.mark.parametrize(
    ("reason", "because"), [("late_usage", "late usage"), ("correction", "correction")]
)
def test_an_adjustment_tells_what_was_billed_before(reason: str, because: str) -> None:
    adjustment = {"amount": D("0.25"), "reason": reason}
    assert sentence(LINE, adjustment=adjustment) == (
        "1,240 used − 1,000 included = 240 × 0.0023 = 0.55 CAD, of which 0.30 CAD was billed"
        f" before: 0.25 CAD ({because})"
    )


def test_a_void_takes_all_back() -> None:
    gone = {**LINE, **dict.fromkeys(("quantity_used", "amount", "amount_precise"), D(0))}
    assert sentence(gone, adjustment={"amount": D("-0.55"), "reason": "void"}) == (
        "nothing is rated for the period any more: 0.00 CAD, of which 0.55 CAD was billed before:"
        " −0.55 CAD"
    )


def test_every_digit_is_told() -> None:
    assert money(D("-1234567.891"), "CAD") == "−1,234,567.891 CAD"
    assert money(D("0.5"), "CAD") == "0.50 CAD"
