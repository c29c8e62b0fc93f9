"""Digits after the point: dbt's list, which Python reads."""

from __future__ import annotations

import pytest

from warehouse.currencies import minor_digits
from warehouse.dbt_project import DBT_PROJECT


@pytest.mark.parametrize(
    ("currency", "digits"),
    [("CAD", 2), ("USD", 2), ("EUR", 2), ("MGA", 2), ("JPY", 0), ("ISK", 0), ("XPF", 0),
     ("KWD", 3), ("TND", 3)],
)  # fmt: skip
def test_minor_digits_are_those_of_iso_4217(currency: str, digits: int) -> None:
    assert minor_digits(currency) == digits


def test_dbt_rounds_by_the_same_list() -> None:
    """No macro names a currency of its own: a second list once missed ISK, UGX and UYI."""
    macros = (DBT_PROJECT / "macros" / "company.sql").read_text()
    assert "currency_digits(currency)" in macros.partition("macro round_money")[2]
    assert "currencies_without_minor_unit" in macros
    assert "currencies_with_three_digits" in macros
    assert "JPY" not in macros
