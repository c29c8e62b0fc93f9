from __future__ import annotations

import datetime as dt
import hashlib
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exports.canonical import FIELDS, canonical, decimal_text, lines_sha256

LINE: dict[str, object] = {
    "line_key": "nexacloud:a:cloud_s/compute_hours:2026-02-01:1",
    "rated_line_key": "nexacloud:a:cloud_s/compute_hours:2026-02-01:1",
    "adjustment_no": 0,
    "reason": "period",
    "service_code": "nexacloud",
    "account_key": "nexacloud:Éric",
    "subscription_key": "nexacloud:a",
    "plan_code": "cloud_s",
    "metric_code": "compute_hours",
    "charge_key": "cloud_s/compute_hours",
    "period_start": dt.date(2026, 2, 1),
    "period_end": dt.date(2026, 3, 1),
    "tier": 1,
    "quantity_used": Decimal("130.50"),
    "quantity_included": Decimal("1E+2"),
    "quantity_billed": Decimal("30.5"),
    "unit_price": Decimal("0.0850"),
    "amount": Decimal("2.59"),
    "amount_precise": Decimal("2.59250"),
    "currency": "CAD",
}
TEXT = (
    '["nexacloud:a:cloud_s/compute_hours:2026-02-01:1",'
    '"nexacloud:a:cloud_s/compute_hours:2026-02-01:1","0","period","nexacloud",'
    '"nexacloud:Éric","nexacloud:a","cloud_s","compute_hours","cloud_s/compute_hours",'
    '"2026-02-01","2026-03-01","1","130.5","100","30.5","0.085","2.59","2.5925","CAD"]\n'
)


def test_the_text_of_a_line_is_what_the_documentation_says() -> None:
    assert canonical(LINE).decode() == TEXT


def test_the_hash_is_sha256_over_the_texts_in_order_of_line_key() -> None:
    second = {**LINE, "line_key": "nexacloud:b"}
    texts = TEXT + TEXT.replace(
        '["nexacloud:a:cloud_s/compute_hours:2026-02-01:1"', '["nexacloud:b"'
    )
    expected = hashlib.sha256(texts.encode()).hexdigest()
    assert lines_sha256([LINE, second]) == lines_sha256([second, LINE]) == expected


def test_no_lines_hash_like_nothing() -> None:
    assert lines_sha256([]) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Decimal("1.50"), "1.5"),
        (Decimal("15E-1"), "1.5"),
        (Decimal("1E+3"), "1000"),
        (Decimal("1000"), "1000"),
        (Decimal("-0.00"), "0"),
        (Decimal("0E-10"), "0"),
        (Decimal("-0.0023"), "-0.0023"),
        (Decimal("123456789012345678901234567890.8901"), "123456789012345678901234567890.8901"),
        (7, "7"),
    ],
)  # fmt: skip
def test_a_number_has_one_text(value: Decimal | int, text: str) -> None:
    assert decimal_text(value) == text


@given(st.decimals(allow_nan=False, allow_infinity=False, places=9), st.integers(0, 12))
def test_the_text_keeps_the_value_and_forgets_the_scale(value: Decimal, zeros: int) -> None:
    sign, digits, exponent = value.as_tuple()
    assert isinstance(exponent, int)
    padded = Decimal((sign, digits + (0,) * zeros, exponent - zeros))
    assert decimal_text(padded) == decimal_text(value)
    assert Decimal(decimal_text(value)) == value
    assert "E" not in decimal_text(value)


@pytest.mark.parametrize("field", FIELDS)
def test_every_field_counts(field: str) -> None:
    old = LINE[field]
    new: object = f"{old}x"
    if isinstance(old, Decimal):
        new = old + Decimal("0.01")
    elif isinstance(old, int):
        new = old + 1
    elif isinstance(old, dt.date):
        new = old + dt.timedelta(days=1)
    assert lines_sha256([{**LINE, field: new}]) != lines_sha256([LINE])
    with pytest.raises(KeyError):
        canonical({name: value for name, value in LINE.items() if name != field})


def test_what_became_of_a_line_does_not_count() -> None:
    invoiced = {**LINE, "run_id": 9, "odoo_invoice_state": "posted", "billed_at": None}
    assert lines_sha256([invoiced]) == lines_sha256([LINE])


def test_no_text_can_pretend_to_be_two_fields() -> None:
    joined = {**LINE, "plan_code": 'cloud_s","compute_hours', "metric_code": ""}
    assert canonical(joined) != canonical(LINE)
    assert canonical({**LINE, "plan_code": "a\nb"}).count(b"\n") == 1


@pytest.mark.parametrize(
    ("value", "error"),
    [
        (2.59, TypeError),
        (True, TypeError),
        (dt.datetime(2026, 2, 1, tzinfo=dt.UTC), TypeError),
        (Decimal("NaN"), ValueError),
        (Decimal("Infinity"), ValueError),
    ],
)
def test_what_cannot_be_exact_is_refused(value: object, error: type[Exception]) -> None:
    with pytest.raises(error):
        canonical({**LINE, "amount": value})


def test_a_line_that_comes_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="comes twice"):
        lines_sha256([LINE, dict(LINE)])
