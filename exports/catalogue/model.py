"""A metric and a charge as a catalogue file says them, and as an Odoo record holds them.

Both become a form: Odoo's field names with one plain text per value, None where unset. Two forms
are equal when they price alike, however the numbers are written.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from exports.canonical import decimal_text
from odoo_gateway.schema import CHARGE, CHARGE_TIER, METRIC

Form = dict[str, str | bool | None]
NUMBERS = frozenset(
    {
        "x_fixed_amount",
        "x_flat_amount",
        "x_free_amount",
        "x_free_events",
        "x_free_units",
        "x_from",
        "x_included",
        "x_min_amount",
        "x_package_size",
        "x_rate",
        "x_rounding_precision",
        "x_to",
        "x_transaction_max",
        "x_transaction_min",
        "x_unit_price",
    }
)
# Unset and zero are the same for these: the rating reads an unset one as 0.
ZERO_IS_UNSET = frozenset(
    {
        "x_fixed_amount",
        "x_flat_amount",
        "x_free_units",
        "x_included",
        "x_min_amount",
        "x_rounding_precision",
    }
)
FILTERS = frozenset({"x_filter", "x_metric_filters"})
TIER_FIELDS = ("x_from", "x_to", "x_unit_price", "x_flat_amount", "x_rate")
Tiers = tuple[tuple[str | None, ...], ...]


@dataclass(frozen=True)
class Metric:
    """`line` and `path` say where in the file, for problems found later."""

    line: int
    path: str
    code: str
    aggregation: str
    recurring: bool
    filters: Mapping[str, tuple[str, ...]]
    form: Form


@dataclass(frozen=True)
class Charge:
    """One version of one variant; `variant` '' is the default bucket. Days are inclusive.

    `line` and `path` are those of the entry in the file, `places` those of the keys in it.
    """

    line: int
    path: str
    places: Mapping[str, tuple[int, str]]
    plan_code: str
    code: str
    variant: str
    metric_code: str | None
    product_code: str
    valid_from: date | None
    valid_to: date | None
    filter: Mapping[str, tuple[str, ...]]
    form: Form
    tiers: Tiers = ()

    @property
    def key(self) -> tuple[str, str, str]:
        return self.plan_code, self.code, self.variant


@dataclass(frozen=True)
class Catalogue:
    file: str
    metrics: tuple[Metric, ...]
    charges: tuple[Charge, ...]


@dataclass(frozen=True)
class Version:
    """A charge as an Odoo holds it, or is about to (`number` None)."""

    number: int | None
    plan_code: str
    code: str
    variant: str
    metric_code: str | None
    product_code: str | None
    valid_from: date | None
    valid_to: date | None
    form: Form
    tiers: Tiers

    @property
    def key(self) -> tuple[str, str, str]:
        return self.plan_code, self.code, self.variant


@dataclass(frozen=True)
class Current:
    """The catalogue that Odoo, or its mirror, holds: metrics and charges with their ids. `products`
    are the active ones by internal reference, `twins` those that share one."""

    metrics: Mapping[str, tuple[int, Form]]
    versions: Sequence[Version]
    products: Mapping[str, int] = field(default_factory=dict)
    twins: Mapping[str, Sequence[int]] = field(default_factory=dict)


def form(values: Mapping[str, Any]) -> Form:
    """One plain text per value: 0.10 and 0.1 are the same, so are unset and ''. Numbers and filters
    must be readable, as reading a file and `records.current_of` see to."""
    return {name: _plain(name, value) for name, value in values.items()}


def charge_key(plan_code: str, code: str, variant: str) -> str:
    return f"{plan_code}/{code}/{variant}" if variant else f"{plan_code}/{code}"


def day_of(value: Any) -> date | None:
    return date.fromisoformat(value) if value else None


# What a version is known by, or what its own attributes hold.
_APART = frozenset({"x_metric_id", "x_product_id", "x_valid_from", "x_valid_to"})
CHARGE_FIELDS = tuple(
    each.name for each in CHARGE.fields if each.type != "one2many" and each.name not in _APART
)


def ordered_tiers(forms: Sequence[Form]) -> Tiers:
    rows = [tuple(_text(each[name]) for name in TIER_FIELDS) for each in forms]
    return tuple(sorted(rows, key=lambda row: Decimal(row[0] or 0)))


def _text(value: str | bool | None) -> str | None:
    return value if isinstance(value, str) else None


def _plain(name: str, value: Any) -> str | bool | None:
    kind = _KINDS.get(name, "char")
    if kind == "boolean":
        return bool(value)
    if value is None or value is False or value == "":
        return None
    if name in FILTERS:
        return _filter(value)
    if name in NUMBERS:
        return _decimal(name, value)
    if name == "x_pricing_group_keys":
        return ",".join(sorted(filter(None, map(str.strip, str(value).split(","))))) or None
    return value.isoformat() if isinstance(value, date) else str(value)


_KINDS = {each.name: each.type for model in (METRIC, CHARGE, CHARGE_TIER) for each in model.fields}


def _decimal(name: str, value: Any) -> str | None:
    text = decimal_text(Decimal(str(value)))
    return None if text == "0" and name in ZERO_IS_UNSET else text


def _filter(value: Any) -> str | None:
    accepted: Mapping[str, Sequence[str]] = json.loads(value) if isinstance(value, str) else value
    lists = {key: list(each) for key, each in accepted.items()}
    return json.dumps(lists, sort_keys=True, ensure_ascii=False) if lists else None
