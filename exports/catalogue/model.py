"""A metric and a charge as a catalogue file says them, and as an Odoo record holds them.

Both become a form: Odoo's field names with one plain text per value, None where unset. Two forms
are equal when they price alike, however the numbers are written.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from exports.canonical import decimal_text
from odoo_gateway.client import Record
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
    """The catalogue that Odoo, or its mirror, holds: metrics and charges with their ids."""

    metrics: Mapping[str, tuple[int, Form]]
    versions: Sequence[Version]
    products: Mapping[str, int] = field(default_factory=dict)


def form(values: Mapping[str, Any]) -> Form:
    """One plain text per value: 0.10 and 0.1 are the same, so are unset and ''."""
    return {name: _plain(name, value) for name, value in values.items()}


def charge_key(plan_code: str, code: str, variant: str) -> str:
    return f"{plan_code}/{code}/{variant}" if variant else f"{plan_code}/{code}"


def day_of(value: Any) -> date | None:
    return date.fromisoformat(value) if value else None


def current_of(
    metrics: Sequence[Record],
    charges: Sequence[Record],
    tiers: Sequence[Record],
    products: Sequence[Record],
) -> Current:
    """From records as RPC gives them and the mirror keeps them; fields an old record lacks are
    unset."""
    metric_codes = {row["id"]: str(row["x_code"]) for row in metrics}
    product_codes = {row["id"]: str(row["default_code"] or "") for row in products}
    return Current(
        metrics={row["x_code"]: (row["id"], _record_form(METRIC.fields, row)) for row in metrics},
        versions=[
            Version(
                number=row["id"],
                plan_code=row["x_plan_code"],
                code=row["x_code"],
                variant=row.get("x_variant") or "",
                metric_code=metric_codes.get(row["x_metric_id"]),
                product_code=product_codes.get(row["x_product_id"]),
                valid_from=day_of(row.get("x_valid_from")),
                valid_to=day_of(row.get("x_valid_to")),
                form=_priced_form(row),
                tiers=_tiers([tier for tier in tiers if tier["x_charge_id"] == row["id"]]),
            )
            for row in charges
        ],
        products={code: number for number, code in product_codes.items() if code},
    )


# What a version is known by, or what its own attributes hold.
_APART = frozenset({"x_metric_id", "x_product_id", "x_valid_from", "x_valid_to"})
CHARGE_FIELDS = tuple(
    each.name for each in CHARGE.fields if each.type != "one2many" and each.name not in _APART
)


def _record_form(fields: Sequence[Any], row: Record) -> Form:
    return form({each.name: row.get(each.name) for each in fields})


def _priced_form(row: Record) -> Form:
    return form({name: row.get(name) for name in CHARGE_FIELDS})


def _tiers(rows: Sequence[Record]) -> Tiers:
    forms = [form({name: row.get(name) for name in TIER_FIELDS}) for row in rows]
    return ordered_tiers(forms)


def ordered_tiers(forms: Sequence[Form]) -> Tiers:
    rows = [tuple(_text(each[name]) for name in TIER_FIELDS) for each in forms]
    return tuple(sorted(rows, key=lambda row: _number(row[0])))


def _number(text: str | None) -> Decimal:
    try:
        return Decimal(text or 0)
    except InvalidOperation:
        return Decimal(0)


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
    """What somebody typed into Odoo stays as it is where it is no number."""
    try:
        text = decimal_text(Decimal(str(value)))
    except (InvalidOperation, ValueError):
        return str(value)
    return None if text == "0" and name in ZERO_IS_UNSET else text


def _filter(value: Any) -> str | None:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return str(value)
    if not isinstance(value, Mapping):
        return json.dumps(value)
    lists = {key: list(each) for key, each in value.items()}
    return json.dumps(lists, sort_keys=True, ensure_ascii=False) if lists else None
