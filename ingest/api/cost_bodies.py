"""The bodies of POST /costs, and the cost that each item means."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Annotated, Any

from litestar.openapi.spec import Schema
from msgspec import Meta, Struct

from ingest.api.asked import Asked
from ingest.api.exact import number
from ingest.api.payloads import OptionalIdentifier
from ingest.api.problems import EXISTS, FORMAT, INVALID, MANDATORY, Details, invalid
from ingest.costs.rows import (
    DECIMALS,
    EARLIEST_DAY,
    LONGEST_KEY,
    WHOLE_DIGITS,
    CostRow,
    fitting,
    is_iso_currency,
    latest_day,
)

_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


def _of(description: str, *kinds: str) -> Meta:
    extra = {"any_of": [Schema(type=kind) for kind in kinds]}  # type: ignore[arg-type]
    return Meta(extra_json_schema={"description": description, "extra": extra})


def _text(description: str) -> Meta:
    return _of(description, "string")


_Number = Annotated[
    Any,
    _of(
        f"A number or numeric string, exact: at most {WHOLE_DIGITS} digits before the point and"
        f" {DECIMALS} after it.",
        "string",
        "number",
    ),
]


class Cost(Struct):
    """What a provider charged for one SKU on one local day; of one account, or of the service."""

    provider: Annotated[Any, _text("Who charges it, 1 to 255 characters.")] = None
    sku: Annotated[Any, _text("What for, 1 to 255 characters.")] = None
    day: Annotated[Any, _text("A local day such as 2026-09-30, at most a day ahead.")] = None
    service_code: Annotated[
        Any, _of("The key's service or none: a key tells its own costs.", "string", "null")
    ] = None
    external_account_id: OptionalIdentifier = None
    quantity: _Number = None
    amount: _Number = None
    currency: Annotated[Any, _text("ISO 4217; `amount` is in its major units.")] = None


class CostsRequest(Struct):
    """1 to 10,000 costs, stored all or none."""

    costs: list[Cost] | None = None


REQUIRED = {
    "Cost": ["provider", "sku", "day", "quantity", "amount", "currency"],
    "CostsRequest": ["costs"],
}


class CostsReceipt(Struct):
    """`accepted` were new, `changed` replaced what was told before, `duplicates` said the same."""

    accepted: int
    changed: int
    duplicates: int


class CostsAnswer(Struct):
    costs: CostsReceipt


def costs_of(items: Sequence[Cost], service_code: str) -> dict[str, CostRow]:
    """The service's costs by key; one that is told twice in the same words is one.

    Raises ProblemError 422 with every error of every index: an item that contradicts an earlier one
    is `value_already_exist` in the fields that differ.
    """
    latest = latest_day()
    costs: dict[str, CostRow] = {}
    details: Details = {}
    for index, item in enumerate(items):
        cost = _cost(item, service_code, latest)
        if isinstance(cost, CostRow):
            errors = _contradictions(costs.setdefault(cost.cost_key, cost), cost)
        else:
            errors = cost
        if errors:
            details[str(index)] = errors
    if details:
        raise invalid(details)
    return costs


def _contradictions(known: CostRow, cost: CostRow) -> Details:
    fields = ("quantity", "amount", "currency")
    return {name: [EXISTS] for name in fields if getattr(known, name) != getattr(cost, name)}


def _cost(item: Cost, service_code: str, latest: date) -> CostRow | Details:
    asked = Asked()
    asked.code("provider", item.provider)
    asked.code("sku", item.sku)
    if item.service_code not in (None, "", service_code):
        asked.errors["service_code"] = [INVALID]
    if item.external_account_id not in (None, ""):
        asked.identifier("external_account_id", item.external_account_id)
    for field, value, meant, otherwise in (
        ("day", item.day, _day(item.day), FORMAT),
        ("quantity", item.quantity, _number(item.quantity), INVALID),
        ("amount", item.amount, _number(item.amount), INVALID),
        ("currency", item.currency, _currency(item.currency), INVALID),
    ):
        if meant is None:
            asked.errors[field] = [MANDATORY if value in (None, "") else otherwise]
        else:
            asked.values[field] = meant
    if "day" in asked.values and not EARLIEST_DAY <= asked.values["day"] <= latest:
        asked.errors["day"] = [INVALID]
    if asked.errors:
        return asked.errors
    asked.values.setdefault("external_account_id", None)
    cost = CostRow(service_code=service_code, **asked.values)
    return cost if len(cost.cost_key) <= LONGEST_KEY else {"sku": [INVALID]}


def _number(value: object) -> Decimal | None:
    read = number(value)
    return None if read is None else fitting(read)


def _day(value: object) -> date | None:
    if not isinstance(value, str) or not _DAY.fullmatch(value):
        return None
    try:
        return date.fromisoformat(value)
    except ValueError:
        return None


def _currency(value: object) -> str | None:
    return value if isinstance(value, str) and is_iso_currency(value) else None
