"""The catalogue as Odoo's records hold it. What people type into Odoo is text, so a value that
prices nothing is found here, and named, before anything is compared, shown or rated with it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from exports.catalogue.model import (
    CHARGE_FIELDS,
    FILTERS,
    NUMBERS,
    TIER_FIELDS,
    Current,
    Form,
    Tiers,
    Version,
    charge_key,
    day_of,
    form,
    ordered_tiers,
)
from odoo_gateway.client import Record
from odoo_gateway.schema import CHARGE, CHARGE_TIER, METRIC, Model

# dbt/macros/odoo.sql has the same three: what is refused here is null and a failed test there.
NUMBER = re.compile(r" *[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,2})? *")
DIGITS = re.compile(r" *[+-]?[0-9]{1,3}(\.0*)? *")
_TEXT = (
    r'"([^"\\\u0001-\u001f]|\\["\\/bfnrt]|\\u(?!0000|[dD][89a-fA-F])[0-9a-fA-F]{4})*"'
)  # fmt: skip
_BLANK = r"[ \t\n\r]*"
_TEXTS = rf"\[{_BLANK}{_TEXT}{_BLANK}(,{_BLANK}{_TEXT}{_BLANK})*\]"
_PAIR = rf"{_TEXT}{_BLANK}:{_BLANK}{_TEXTS}{_BLANK}"
FILTER = re.compile(rf"{_BLANK}\{{{_BLANK}({_PAIR}(,{_BLANK}{_PAIR})*)?\}}{_BLANK}")


@dataclass(frozen=True, order=True)
class RecordProblem:
    """`record` is the model's label in Odoo, the id and the code; `field` the label on screen and
    Odoo's name."""

    record: str
    field: str
    message: str

    def __str__(self) -> str:
        return f"{self.record}: {self.field}: {self.message}"


class UnreadableCatalogueError(Exception):
    """Odoo holds values that price nothing. Its text has a line for every problem, and one for the
    next step."""

    def __init__(self, problems: Sequence[RecordProblem]) -> None:
        self.problems = sorted(problems)
        next_step = "Mend it in Odoo (Usage billing), then run `fusion-billing odoo mirror`."
        super().__init__("\n".join([*map(str, self.problems), next_step]))


def current_of(
    metrics: Sequence[Record],
    charges: Sequence[Record],
    tiers: Sequence[Record],
    products: Sequence[Record],
) -> Current:
    """From records as RPC gives them and the mirror keeps them; fields an old record lacks are
    unset.

    Raises UnreadableCatalogueError with every number and filter that cannot be read.
    """
    problems = [
        *(problem for row in metrics for problem in _problems(METRIC, row, row["x_code"])),
        *(problem for row in charges for problem in _problems(CHARGE, row, _key(row))),
        *_tier_problems(tiers, {row["id"]: _key(row) for row in charges}),
    ]
    if problems:
        raise UnreadableCatalogueError(problems)
    metric_codes = {row["id"]: str(row["x_code"]) for row in metrics}
    product_codes = {row["id"]: _product_code(row) for row in products}
    active = _active(products)
    return Current(
        metrics={row["x_code"]: (row["id"], _form(METRIC, row)) for row in metrics},
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
                form=form({name: row.get(name) for name in CHARGE_FIELDS}),
                tiers=_tiers([tier for tier in tiers if tier["x_charge_id"] == row["id"]]),
            )
            for row in charges
        ],
        products={code: numbers[0] for code, numbers in active.items() if len(numbers) == 1},
        twins={code: numbers for code, numbers in active.items() if len(numbers) > 1},
    )


def _key(charge: Record) -> str:
    return charge_key(charge["x_plan_code"], charge["x_code"], charge.get("x_variant") or "")


def _form(model: Model, row: Record) -> Form:
    return form({each.name: row.get(each.name) for each in model.fields})


def _tiers(rows: Sequence[Record]) -> Tiers:
    return ordered_tiers([form({name: row.get(name) for name in TIER_FIELDS}) for row in rows])


# --- products


def _product_code(row: Record) -> str:
    """An archived product takes no lines, so no code names it: a charge on one differs from the
    file that names its active twin, and applying the file puts that right."""
    code = str(row["default_code"] or "")
    return code if row.get("active", True) or not code else f"{code} (archived)"


def _active(products: Sequence[Record]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for row in products:
        if row["default_code"] and row.get("active", True):
            found.setdefault(str(row["default_code"]), []).append(row["id"])
    return found


# --- what cannot be read


def _tier_problems(tiers: Sequence[Record], keys: Mapping[int, str]) -> list[RecordProblem]:
    return [
        problem
        for row in tiers
        if row["x_charge_id"] in keys
        for problem in _problems(CHARGE_TIER, row, f"of {keys[row['x_charge_id']]}")
    ]


def _problems(model: Model, row: Record, known_as: str) -> list[RecordProblem]:
    record = f"{model.label} {row['id']} ({known_as})"
    found = ((field, _wrong(field.name, row.get(field.name))) for field in model.fields)
    return [
        RecordProblem(record, f"{field.label} ({field.name})", f"{row[field.name]!r} {wrong}")
        for field, wrong in found
        if wrong
    ]


def _wrong(name: str, value: object) -> str | None:
    text = "" if value is None or value is False else str(value)
    if not text:
        return None
    if name == "x_rounding_precision":
        return None if DIGITS.fullmatch(text) else "is not a whole number such as 2 or -2"
    if name in NUMBERS:
        return None if NUMBER.fullmatch(text) else "is not a decimal number such as 0.0023"
    if name in FILTERS and not FILTER.fullmatch(text):
        return 'is not JSON such as {"region": ["ca", "us"]}: property to a list of texts'
    return None
