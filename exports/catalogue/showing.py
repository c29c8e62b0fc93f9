"""What applies on a day, from the mirror of Odoo: as the file that would apply it again."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
import yaml
from sqlalchemy.engine import Engine

from exports.catalogue.model import Current, Form, Version, charge_key
from exports.catalogue.reading import OPTIONAL, REQUIRED
from exports.catalogue.records import current_of
from odoo_gateway.schema import MINIMUM_COMMITMENT
from warehouse.tables import ODOO_TABLES


def read_mirror(engine: Engine) -> Current:
    """The catalogue as `odoo mirror` last read it. Raises UnreadableCatalogueError."""
    with engine.connect() as connection:

        def records(name: str) -> list[dict[str, Any]]:
            table = ODOO_TABLES[name]
            rows = connection.execute(
                sa.select(table.c.record).where(table.c.deleted_at.is_(None)).order_by(table.c.id)
            )
            return [row.record for row in rows]

        return current_of(
            metrics=records("metric"),
            charges=records("charge"),
            tiers=records("charge_tier"),
            products=records("product"),
        )


def in_force(current: Current, day: date, plan_code: str | None = None) -> list[Version]:
    """The versions that price a period beginning on `day`, by plan, charge and variant."""
    found = [
        version
        for version in current.versions
        if (version.valid_from or day) <= day <= (version.valid_to or day)
        and plan_code in (None, version.plan_code)
    ]
    return sorted(found, key=lambda version: version.key)


def rows_of(versions: Sequence[Version]) -> list[dict[str, Any]]:
    """For a table: a row a variant, its prices in words."""
    return [
        {
            "charge": charge_key(version.plan_code, version.code, version.variant),
            "metric": version.metric_code,
            "model": version.form["x_charge_model"],
            "price": _price(version),
            "included": version.form["x_included"],
            "valid_from": version.valid_from,
            "valid_to": version.valid_to,
            "currency": version.form["x_currency"],
        }
        for version in versions
    ]


def as_file(current: Current, versions: Sequence[Version]) -> dict[str, Any]:
    """The catalogue file of these versions and their metrics; numbers are Decimal."""
    codes = {version.metric_code for version in versions}
    return {
        "metrics": [
            _metric(form)
            for code, (_number, form) in sorted(current.metrics.items())
            if code in codes
        ],
        "charges": [_charge(group) for group in _groups(versions)],
    }


def to_yaml(catalogue: Mapping[str, Any]) -> str:
    return yaml.dump(catalogue, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)


class _Dumper(yaml.SafeDumper):
    """Decimals as they are: 0.10 and not '0.10'."""


def _number(dumper: yaml.SafeDumper, value: Decimal) -> yaml.ScalarNode:
    text = format(value, "f")
    kind = "float" if "." in text else "int"
    return dumper.represent_scalar(f"tag:yaml.org,2002:{kind}", text)


_Dumper.add_representer(Decimal, _number)


def _metric(form: Form) -> dict[str, Any]:
    filters = json.loads(str(form["x_metric_filters"] or "{}"))
    return _without_unset(
        {
            "code": form["x_code"],
            "name": form["x_name"],
            "aggregation_type": form["x_aggregation"],
            "field_name": form["x_field_name"],
            "unit": form["x_unit"],
            "recurring": form["x_recurring"] or None,
            "rounding_function": form["x_rounding_function"],
            "rounding_precision": _decimal(form["x_rounding_precision"]),
            "filters": [{"key": key, "values": each} for key, each in filters.items()],
        }
    )


def _groups(versions: Sequence[Version]) -> list[list[Version]]:
    """The variants of a charge that stand in one entry of the file: what they share is equal."""
    groups: dict[tuple[Any, ...], list[Version]] = {}
    for version in versions:
        form = version.form
        shared = (form["x_charge_model"], form["x_pricing_group_keys"], form["x_prorated"])
        known = (version.plan_code, version.code, version.metric_code)
        days = (version.valid_from, version.valid_to)
        groups.setdefault((known, days, shared), []).append(version)
    return list(groups.values())


def _charge(group: Sequence[Version]) -> dict[str, Any]:
    first = group[0]  # '' sorts first: the default bucket, where there is one
    is_commitment = first.form["x_charge_model"] == MINIMUM_COMMITMENT
    variants = [version for version in group if version.variant]
    entry = {
        "plan": first.plan_code,
        "code": first.code,
        "metric": first.metric_code,
        "name": first.form["x_name"],
        "product": first.product_code,
        "charge_model": first.form["x_charge_model"],
        "included": _decimal(first.form["x_included"]),
        "min_amount": _decimal(first.form["x_min_amount"]),
        "pricing_group_keys": _codes(first.form["x_pricing_group_keys"]),
        "prorated": first.form["x_prorated"] or None,
        "valid_from": first.valid_from,
        "valid_to": first.valid_to,
        "properties": None if first.variant or is_commitment else _properties(first),
        "filters": [
            {
                "variant": version.variant,
                "name": version.form["x_name"],
                "product": version.product_code,
                "values": json.loads(str(version.form["x_filter"] or "{}")),
                "included": _decimal(version.form["x_included"] or "0"),
                "properties": _properties(version),
            }
            for version in variants
        ],
    }
    return _without_unset(entry)


def _properties(version: Version) -> dict[str, Any]:
    model = str(version.form["x_charge_model"])
    names = {**REQUIRED.get(model, {}), **OPTIONAL.get(model, {})}
    values: dict[str, Any] = {key: _decimal(version.form[name]) for key, name in names.items()}
    if version.tiers:
        values["tiers"] = [_tier(model, tier) for tier in version.tiers]
    return {key: value for key, value in values.items() if value is not None}


def _tier(model: str, tier: Sequence[str | None]) -> dict[str, Any]:
    start, end, unit_price, flat_amount, rate = map(_decimal, tier)
    price = {"rate": rate} if model == "graduated_percentage" else {"per_unit_amount": unit_price}
    priced = {key: value or Decimal(0) for key, value in price.items()}
    return _without_unset(
        {"from_value": start, "to_value": end, **priced, "flat_amount": flat_amount}
    )


def _price(version: Version) -> str:
    minimum = version.form["x_min_amount"]
    parts = []
    for key, value in _properties(version).items():
        if key != "tiers":
            parts.append(f"{key} {value:f}")
            continue
        for tier in value:
            upper = f"to {tier['to_value']:f}" if "to_value" in tier else "above"
            prices = [
                f"{name} {each:f}" for name, each in tier.items() if not name.endswith("value")
            ]
            parts.append(f"{upper}: {' + '.join(prices)}")
    return ", ".join([*parts, *([f"at least {minimum}"] if minimum else [])]) or "-"


def _codes(text: str | bool | None) -> list[str]:
    return text.split(",") if isinstance(text, str) else []


def _decimal(text: str | bool | None) -> Decimal | None:
    return Decimal(text) if isinstance(text, str) else None


def _without_unset(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None and value != []}
