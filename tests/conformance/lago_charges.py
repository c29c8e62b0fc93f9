"""Lago's charge properties as the fields of x_fc_charge, and the usage that makes stated units."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from trials import Charge, Event, Metric, Tier
from vectors import Vector, VectorError, items, number, only, plain

AGGREGATIONS = {
    "sum_agg": "sum",
    "count_agg": "count",
    "max_agg": "max",
    "latest_agg": "last",
    "unique_count_agg": "unique",
    "weighted_sum_agg": "weighted_sum",
}
_TIERS = {
    "graduated": ("graduated_ranges", ("per_unit_amount", "flat_amount")),
    "volume": ("volume_ranges", ("per_unit_amount", "flat_amount")),
    "graduated_percentage": ("graduated_percentage_ranges", ("rate", "flat_amount")),
}
# Lago's name -> ours.
_TERMS = {
    "standard": {"amount": "x_unit_price"},
    "package": {
        "amount": "x_unit_price",
        "package_size": "x_package_size",
        "free_units": "x_free_units",
    },
    "percentage": {
        "rate": "x_rate",
        "fixed_amount": "x_fixed_amount",
        "free_units_per_events": "x_free_events",
        "free_units_per_total_aggregation": "x_free_amount",
        "per_transaction_min_amount": "x_transaction_min",
        "per_transaction_max_amount": "x_transaction_max",
    },
    "dynamic": {},
    "graduated": {},
    "volume": {},
    "graduated_percentage": {},
}
_NEEDED = {"standard": {"amount"}, "package": {"amount", "package_size"}, "percentage": {"rate"}}
_GROUPING = ("grouped_by", "pricing_group_keys")


def aggregation(name: object) -> str:
    """Our name of Lago's aggregation; VectorError where it is unknown."""
    if name not in AGGREGATIONS:
        raise VectorError(f"unknown aggregation: {name}")
    return AGGREGATIONS[str(name)]


def charge(model: str, properties: object, *, prorated: bool = False) -> Charge:
    """The charge that Lago's properties describe. VectorError where a name is unknown."""
    if model not in _TERMS:
        raise VectorError(f"unknown charge model: {model}")
    tiers_name, tier_fields = _TIERS.get(model, (None, ()))
    known = {*_TERMS[model], *_GROUPING, *([tiers_name] if tiers_name else [])}
    given = only(properties, known, "properties")
    missing = (_NEEDED.get(model, set()) | ({tiers_name} if tiers_name else set())) - given.keys()
    if missing:
        raise VectorError(f"missing in properties: {', '.join(sorted(map(str, missing)))}")
    groups = [name for key in _GROUPING for name in items(given.get(key) or [], key)]
    return Charge(
        model=model,
        terms={
            ours: number(given[theirs], theirs)
            for theirs, ours in _TERMS[model].items()
            if given.get(theirs) is not None
        },
        tiers=tuple(tier(one, tier_fields) for one in items(given[tiers_name], tiers_name))
        if tiers_name
        else (),
        group_keys=tuple(dict.fromkeys(groups)),
        prorated=prorated,
    )


def without_premium(terms: dict[str, Decimal]) -> dict[str, Decimal]:
    """What Lago applies of these without its premium licence: it takes a minimum and a maximum per
    transaction, and prices without them."""
    return {
        name: value
        for name, value in terms.items()
        if name not in ("x_transaction_min", "x_transaction_max")
    }


def model_of(properties: dict[str, Any]) -> str:
    """The charge model that a property belongs to, where a vector does not name it."""
    for model, (ranges, _) in _TIERS.items():
        if ranges in properties:
            return model
    if "rate" in properties:
        return "percentage"
    if "package_size" in properties:
        return "package"
    return "standard" if "amount" in properties else "dynamic"


def tier(record: object, fields: Sequence[str]) -> Tier:
    """One range of Lago's; `fields` are the price fields of its model."""
    given = only(record, ("from_value", "to_value", *fields), "a range")
    stated = {name: number(given.get(name) or "0", name) for name in fields}
    return Tier(
        from_value=number(given.get("from_value"), "from_value"),
        to_value=None if given.get("to_value") is None else number(given["to_value"], "to_value"),
        unit_price=stated.get("per_unit_amount", Decimal(0)),
        flat_amount=stated.get("flat_amount", Decimal(0)),
        rate=stated.get("rate", Decimal(0)),
    )


def metric(vector: Vector, kind: str, *, recurring: bool = False) -> Metric:
    """The metric with the rounding that a vector may state."""
    rounding = only(vector.take("rounding") or {}, ("function", "precision"), "rounding")
    return Metric(
        aggregation=kind,
        field_name=str(vector.take("field_name", "value")),
        recurring=recurring,
        rounding_function=rounding.get("function"),
        rounding_precision=rounding.get("precision"),
    )


def noon(day: date, number_of_event: int = 0) -> datetime:
    """Events of a day one after the other."""
    return datetime.combine(day, time(12), UTC) + timedelta(seconds=number_of_event)


def values_of(vector: Vector, units: Decimal) -> list[Decimal]:
    """The values of single events that come to the units: those stated one by one, else those of
    the running totals and an even share of the rest, else one event."""
    stated = [number(one, "event_values") for one in items(vector.take("event_values") or [],
                                                           "event_values")]  # fmt: skip
    totals = [number(one, "running_total") for one in items(vector.take("running_total") or [],
                                                            "running_total")]  # fmt: skip
    count = vector.take("events_count")
    if stated:
        if count is not None and count != len(stated):
            raise VectorError(f"{len(stated)} event_values, but events_count is {count}")
        return stated
    if count is None:
        count = len(totals) or (1 if units else 0)
    if not isinstance(count, int) or count < len(totals) or (count == 0 and units):
        raise VectorError(f"units {units} do not come from {count} events")
    values = [after - before for before, after in zip([Decimal(0), *totals], totals, strict=False)]
    rest, left = units - sum(values, Decimal(0)), count - len(values)
    if not left:
        if rest:
            raise VectorError(f"running_total does not come to units {units}")
        return values
    scale = min(int(rest.as_tuple().exponent), 0)
    share = (rest / left).quantize(Decimal(1).scaleb(scale))
    return [*values, rest - share * (left - 1), *[share] * (left - 1)]


def events_of(kind: str, values: Sequence[Decimal], first: date) -> list[Event]:
    """Events on the first day whose aggregation comes from these values."""
    if kind == "count":
        return [Event(noon(first, place), {}) for place in range(len(values))]
    return [
        Event(noon(first, place), {"value": plain(value)}) for place, value in enumerate(values)
    ]


def counted(kind: str, units: Decimal, vector: Vector) -> list[Decimal]:
    """As `values_of`, for aggregations whose units are a number of events or of members."""
    count = vector.take("events_count", None)
    if units != int(units) or units < 0 or (count not in (None, int(units)) and kind == "count"):
        raise VectorError(f"{kind} of {units} units is no number of events")
    return [Decimal(place) for place in range(int(units))]
