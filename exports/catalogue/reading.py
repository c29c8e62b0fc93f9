"""A catalogue file into metrics and charges, with every problem that the file alone shows."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from exports.catalogue.model import Catalogue, Charge, Form, Metric, Tiers, form, ordered_tiers
from odoo_gateway.schema import AGGREGATIONS, CHARGE_MODELS, MINIMUM_COMMITMENT, ROUNDINGS, TIERED
from warehouse.reviewed_files import Record, ReviewedFileError, open_file

# Lago's words beside ours (lago.md, section 2).
LAGO_AGGREGATIONS = {
    "sum_agg": "sum",
    "count_agg": "count",
    "max_agg": "max",
    "latest_agg": "last",
    "unique_count_agg": "unique",
    "weighted_sum_agg": "weighted_sum",
}
ALLOWED_AGGREGATIONS = {value: value for value, _label in AGGREGATIONS} | LAGO_AGGREGATIONS
ALLOWED_MODELS = {value: value for value, _label in CHARGE_MODELS}
ALLOWED_ROUNDINGS = {value: value for value, _label in ROUNDINGS}
# A sum, a unique count or a weighted sum can be carried on; a maximum begins anew.
RECURRING = frozenset({"sum", "unique", "weighted_sum"})

# Property of a model → Odoo's field. The first ones must be there.
REQUIRED = {
    "standard": {"amount": "x_unit_price"},
    "package": {"amount": "x_unit_price", "package_size": "x_package_size"},
    "percentage": {"rate": "x_rate"},
}
OPTIONAL = {
    "package": {"free_units": "x_free_units"},
    "percentage": {
        "fixed_amount": "x_fixed_amount",
        "free_units_per_events": "x_free_events",
        "free_units_per_total_aggregation": "x_free_amount",
        "per_transaction_min_amount": "x_transaction_min",
        "per_transaction_max_amount": "x_transaction_max",
    },
}

_TRUE_UP = "true_up"  # <plan>/<charge>/true_up is what a charge's minimum asks for


def read_catalogue(path: Path, *, currency: str) -> Catalogue:
    """What the file says; charges are in `currency`, and a file that says another is wrong.

    Raises ReviewedFileError with every problem, OSError where the file cannot be read.
    """
    top = open_file(path, holds="`metrics` and `charges`")
    metrics = tuple(_metric(each) for each in top.records("metrics"))
    charges = tuple(
        charge for each in top.records("charges") for charge in _charges(each, currency)
    )
    top.finish()
    for metric in metrics:
        if sum(other.code == metric.code for other in metrics) > 1:
            top.file.problem(metric.line, f"{metric.path}.code", f"{metric.code!r} comes twice")
    if top.file.problems:
        raise ReviewedFileError(top.file.problems)
    return Catalogue(top.file.name, metrics, charges)


def _metric(record: Record) -> Metric:
    aggregation = record.choice("aggregation_type", ALLOWED_AGGREGATIONS)
    recurring = record.flag("recurring")
    if recurring and aggregation and aggregation not in RECURRING:
        allowed = ", ".join(sorted(RECURRING))
        record.problem("recurring", f"{aggregation} cannot recur; these can: {allowed}")
    rounding = record.text("rounding_function")
    if rounding is not None:
        record.choice("rounding_function", ALLOWED_ROUNDINGS)
    filters = _metric_filters(record)
    code = record.code("code")
    precision = record.integer("rounding_precision")
    metric_form = form(
        {
            "x_name": record.required("name"),
            "x_code": code,
            "x_aggregation": aggregation,
            "x_field_name": record.text("field_name"),
            "x_unit": record.text("unit"),
            "x_recurring": recurring,
            "x_rounding_function": rounding,
            "x_rounding_precision": precision,
            "x_metric_filters": filters,
        }
    )
    record.finish()
    return Metric(record.line, record.path, code, aggregation, recurring, filters, metric_form)


def _metric_filters(record: Record) -> dict[str, tuple[str, ...]]:
    filters = {}
    for each in record.records("filters"):
        key, values = each.required("key"), each.texts("values")
        if not values:
            each.problem("values", "needs at least one value")
        if key in filters:
            each.problem("key", f"{key!r} comes twice")
        filters[key] = values
        each.finish()
    return filters


def _charges(record: Record, currency: str) -> list[Charge]:
    """A charge's default bucket, if it has properties, and a variant per filter."""
    model = record.choice("charge_model", ALLOWED_MODELS)
    shared = _shared(record, model, currency)
    properties = record.record("properties")
    variants = record.records("filters")
    charges = []
    minimum = record.number("min_amount")
    if model == MINIMUM_COMMITMENT:
        _only_a_minimum(record, minimum, properties, variants)
        charges.append(_charge(record, shared, model, None, "", {"x_min_amount": minimum}))
    elif properties is not None or not variants:
        if properties is None and model in REQUIRED | dict.fromkeys(TIERED):
            record.problem("properties", "is missing")
        charges.append(_charge(record, shared, model, properties, "", {"x_min_amount": minimum}))
    elif minimum is not None:
        record.problem("min_amount", "needs a default bucket: give `properties` beside `filters`")
    charges += [_variant(each, shared, model) for each in variants]
    record.finish()
    codes = [charge.variant for charge in charges]
    if len(set(codes)) < len(codes):
        record.problem("filters", "two filters have the same `variant`")
    return charges


def _shared(record: Record, model: str, currency: str) -> dict[str, Any]:
    """What the variants of a charge have in common."""
    metric = None
    if model == MINIMUM_COMMITMENT:
        code = record.code("code", MINIMUM_COMMITMENT)
        if code != MINIMUM_COMMITMENT:
            record.problem("code", f"of a minimum commitment is {MINIMUM_COMMITMENT}")
        if record.has("metric"):
            record.problem("metric", "a minimum commitment counts no metric")
    else:
        metric = record.code("metric")
        code = record.code("code", metric)
        if code == MINIMUM_COMMITMENT:
            record.problem("code", f"{code} is the name of a plan's minimum commitment")
    given = record.text("currency")
    if given not in (None, currency):
        record.problem("currency", f"{given!r} is not the company's {currency}")
    valid_from, valid_to = record.day("valid_from"), record.day("valid_to")
    if valid_from and valid_to and valid_to < valid_from:
        record.problem("valid_to", f"{valid_to} lies before valid_from {valid_from}")
    plan = record.code("plan")
    return {
        "entry": record,
        "name": record.required("name"),
        "plan": plan,
        "code": code,
        "metric": metric,
        "product": record.text("product") or f"{plan}/{code}",
        "currency": currency,
        "included": record.number("included"),
        "pricing_group_keys": record.texts("pricing_group_keys"),
        "prorated": record.flag("prorated"),
        "valid_from": valid_from,
        "valid_to": valid_to,
    }


def _only_a_minimum(
    record: Record, minimum: Decimal | None, properties: Record | None, variants: list[Record]
) -> None:
    if not minimum:
        record.problem("min_amount", "is missing: the amount of a full period")
    for key in ("properties", "included", "pricing_group_keys", "prorated", "filters"):
        if record.has(key):
            record.problem(key, "has no meaning in a minimum commitment")


def _variant(record: Record, shared: Mapping[str, Any], model: str) -> Charge:
    code = record.code("variant")
    if code == _TRUE_UP:
        record.problem("variant", f"{code} is the name of a charge's minimum")
    values = record.record("values")
    chosen = {key: values.texts(key) for key in values.keys} if values else {}
    for key in [key for key, accepted in chosen.items() if not accepted]:
        record.problem("values", f"{key} needs at least one value")
    if not chosen:
        record.missing("values", "is missing: property and the values it accepts")
    own = {
        "name": record.text("name") or shared["name"],
        "product": record.text("product") or shared["product"],
    }
    if record.has("included"):
        own["included"] = record.number("included")
    properties = record.record("properties")
    if properties is None and model in REQUIRED | dict.fromkeys(TIERED):
        record.problem("properties", "is missing")
    charge = _charge(record, {**shared, **own}, model, properties, code, {"x_filter": chosen})
    record.finish()
    return charge


def _charge(
    record: Record,
    shared: Mapping[str, Any],
    model: str,
    properties: Record | None,
    variant: str,
    own: Mapping[str, Any],
) -> Charge:
    # Of a model that is not known, no property is right or wrong.
    priced, tiers = _properties(properties, model) if properties and model else ({}, ())
    valid_from: date | None = shared["valid_from"]
    names = {**REQUIRED.get(model, {}), **OPTIONAL.get(model, {})}.values()
    unset: dict[str, Any] = dict.fromkeys([*_EVERY_PROPERTY, "x_min_amount", "x_filter"])
    charge_form: Form = form(
        {
            **unset,
            **{name: priced.get(name) for name in names},
            "x_name": shared["name"],
            "x_code": shared["code"],
            "x_plan_code": shared["plan"],
            "x_charge_model": model,
            "x_currency": shared["currency"],
            "x_included": shared["included"],
            "x_pricing_group_keys": ",".join(shared["pricing_group_keys"]),
            "x_prorated": shared["prorated"],
            "x_variant": variant,
            **own,
        }
    )
    entry: Record = shared["entry"]
    return Charge(
        line=entry.line,
        path=entry.path,
        places={**entry.places(), **record.places()},
        plan_code=shared["plan"],
        code=shared["code"],
        variant=variant,
        metric_code=shared["metric"],
        product_code=shared["product"],
        valid_from=valid_from,
        valid_to=shared["valid_to"],
        filter=own.get("x_filter") or {},
        form=charge_form,
        tiers=tiers,
    )


_EVERY_PROPERTY = sorted(
    {name for each in (REQUIRED, OPTIONAL) for names in each.values() for name in names.values()}
)


def _properties(record: Record, model: str) -> tuple[dict[str, Any], Tiers]:
    priced: dict[str, Any] = {}
    for key, name in REQUIRED.get(model, {}).items():
        priced[name] = record.required_number(key)
    for key, name in OPTIONAL.get(model, {}).items():
        priced[name] = record.number(key)
    if model == "package" and not priced["x_package_size"]:
        record.missing("package_size", "must be more than 0")
    least, most = priced.get("x_transaction_min"), priced.get("x_transaction_max")
    if least is not None and most is not None and most < least:
        record.problem("per_transaction_max_amount", f"{most} is below the minimum {least}")
    events = priced.get("x_free_events")
    if events is not None and events != int(events):
        record.problem("free_units_per_events", f"{events} is not a whole number")
    tiers = _tiers(record, model) if model in TIERED else ()
    record.finish()
    return priced, tiers


def _tiers(record: Record, model: str) -> Tiers:
    rows = record.records("tiers")
    if not rows:
        record.missing("tiers", "is missing: a list of from_value, to_value and prices")
    forms: list[Form] = []
    ends: list[tuple[Decimal, Decimal | None]] = []
    for row in rows:
        start, end = row.required_number("from_value"), row.number("to_value")
        values = {"x_from": start, "x_to": end, "x_flat_amount": row.number("flat_amount")}
        values |= dict.fromkeys(["x_unit_price", "x_rate"])
        if model == "graduated_percentage":
            values["x_rate"] = row.required_number("rate")
        else:
            values["x_unit_price"] = row.required_number("per_unit_amount")
        row.finish()
        if end is not None and end < start:
            row.problem("to_value", f"{end} lies below from_value {start}")
        forms.append(form(values))
        ends.append((start, end))
    for row, problem in _out_of_line(rows, ends):
        row.problem(*problem)
    return ordered_tiers(forms)


def _out_of_line(
    rows: list[Record], ends: list[tuple[Decimal, Decimal | None]]
) -> list[tuple[Record, tuple[str, str]]]:
    """Tiers begin at 0, each where the last ended or one above, and the last one is open."""
    found = []
    if ends and ends[0][0] != 0:
        found.append((rows[0], ("from_value", "the first tier begins at 0")))
    for position in range(1, len(ends)):
        last, start = ends[position - 1][1], ends[position][0]
        if last is None:
            text = "only the last tier is open: give the upper end, or put it last"
            found.append((rows[position - 1], ("to_value", text)))
        elif start < last:
            text = f"{start} overlaps the tier before, which ends at {last}"
            found.append((rows[position], ("from_value", text)))
        elif start > last + 1:
            text = f"{start} leaves a gap: the tier before ends at {last}; allowed: {last + 1}"
            found.append((rows[position], ("from_value", text)))
    if ends and ends[-1][1] is not None:
        text = f"{ends[-1][1]} leaves usage above it without a price: the last tier has none"
        found.append((rows[-1], ("to_value", text)))
    return found
