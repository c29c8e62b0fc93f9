"""Vectors with one expectation changed a little: a harness that lets one pass compares nothing."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from typing import Any

from vectors import Vector, plain

# How the others are compared; a change here is no other expectation.
_HOW = ("expected_rounded_to", "expected_unit_amount_rounded_to", "expected_amount_rounding")
Path = tuple[Any, ...]


def mutants(vectors: list[Vector], left_out: dict[str, set[str]], first: int) -> list[Vector]:
    """For every vector a copy per expectation, numbered from `first`. `left_out` are the
    expectations, by vector, that are said not to be compared."""
    made: list[Vector] = []
    for vector in vectors:
        for path in _expectations(vector.record):
            name = " ".join(str(part + 1 if part_is_place else part) for part, part_is_place in
                            ((one, isinstance(one, int)) for one in path))  # fmt: skip
            label = name.replace("steps ", "step ")
            if any(label.startswith(one) for one in left_out.get(vector.id, set())):
                continue
            record = copy.deepcopy(vector.record)
            *way, last = path
            holder = record
            for part in way:
                holder = holder[part]
            holder[last] = changed(holder[last], _least_step(record))
            made.append(Vector(record | {"id": f"{vector.id} {label}"}, first + len(made)))
    return made


def _expectations(record: dict[str, Any]) -> Iterator[Path]:
    for name in record:
        if name.startswith("expected_") and name not in _HOW:
            yield (name,)
    for place, step in enumerate(record.get("steps", [])):
        for name in step:
            if name.startswith("expected_") or "units" in name:
                yield ("steps", place, name)


def _least_step(record: dict[str, Any]) -> Decimal:
    if "tolerance" in record:
        return 10 * Decimal(str(record["tolerance"]))
    # Of a stored negative LatestService makes 0, and so it would of the next one.
    return Decimal(1000) if "store_level" in record else Decimal("1e-6")


def changed(value: Any, least: Decimal) -> Any:
    """Another value of the same kind: the next number by its last digit, at least a step off."""
    if isinstance(value, bool) or value is None:
        return "another"
    if isinstance(value, int | Decimal):
        return value + _step(Decimal(value), least)
    if isinstance(value, str):
        try:
            number = Decimal(value)
        except InvalidOperation:
            return value + "x"
        return plain(number + _step(number, least))
    if isinstance(value, list):
        if not value:
            return [{"size": ["512"]}]
        if isinstance(value[-1], dict) and not any(map(_is_figure, value[-1].values())):
            return []  # filters: each of them is one that may be implied by another
        return [*value[:-1], changed(value[-1], least)]
    # The figures of a group or an answer stand last; a filter has nothing but properties.
    last = list(value)[-1]
    return value | {last: changed(value[last], least)}


def _is_figure(value: Any) -> bool:
    return not isinstance(value, list | dict)


def _step(value: Decimal, least: Decimal) -> Any:
    step = max(Decimal(1).scaleb(int(value.as_tuple().exponent)), least)
    return int(step) if step == int(step) else step
