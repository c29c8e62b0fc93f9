"""Minor units of currencies, from the list that dbt rounds by: one source for both."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import yaml

from warehouse.dbt_project import DBT_PROJECT


def minor_digits(currency: str) -> int:
    """Digits of the currency's minor unit (ISO 4217): CAD 2, JPY 0, KWD 3."""
    return _digits().get(currency, 2)


@cache
def _digits() -> Mapping[str, int]:
    variables = yaml.safe_load((DBT_PROJECT / "dbt_project.yml").read_text())["vars"]
    return {
        **dict.fromkeys(variables["currencies_without_minor_unit"], 0),
        **dict.fromkeys(variables["currencies_with_three_digits"], 3),
    }
