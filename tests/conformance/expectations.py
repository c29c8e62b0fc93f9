"""Expectations that several kinds of vectors state."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from readings import Reading, as_group
from trials import Trial, as_stated, same, to_places, within
from vectors import Vector, VectorError, number

_FIGURES = {
    "units": "usage.units",
    "prorated": "usage.units",
    "full_units": "usage.full_units",
    "events_count": "usage.events_count",
    "amount_cents": "lines.amount",
}


def expect_amounts(
    vector: Vector,
    trial: Trial,
    count: Callable[[Reading], Any] = Reading.events_count,
) -> None:
    """What a fee comes to in cents, and how many units and events it is for."""
    for name, observe in (
        ("expected_amount_cents", Reading.cents),
        ("expected_fee_amount_cents", Reading.cents),
        ("expected_units_string", Reading.units),
        ("expected_events_count", count),
    ):
        if name in vector:
            trial.check(name, vector.number(name), observe)
    if "expected_precise_amount_cents" in vector:
        precise = vector.number("expected_precise_amount_cents")
        trial.check(
            "expected_precise_amount_cents", precise, Reading.precise_cents, as_stated(precise)
        )


def compare_groups(
    trial: Trial,
    expected: list[tuple[dict[str, Any], dict[str, Any]]],
    *,
    prorated: bool,
    tolerance: Decimal | None = None,
    places: int | None = None,
    variant: str | None = None,
) -> None:
    """The groups are these and no others, each with its figures. A figure is units, prorated,
    events_count or amount_cents; beside `prorated`, `units` are those without proration."""
    figures = list(dict.fromkeys(name for _, stated in expected for name in stated))
    unknown = [name for name in figures if name not in _FIGURES]
    if unknown:
        raise VectorError(f"unknown key in a group: {', '.join(unknown)}")
    wanted = {
        as_group(group): {name: number(value, name) for name, value in stated.items()}
        for group, stated in expected
    }
    sources = {name: _FIGURES[name] for name in figures}
    if prorated and "prorated" in figures and "units" in figures:
        sources["units"] = _FIGURES["full_units"]

    def observe(reading: Reading) -> Any:
        found = reading.groups(sources, variant)
        for stated in found.values():
            if "amount_cents" in stated:
                stated["amount_cents"] *= 100
        return found

    def agrees(expected: Any, got: Any) -> bool:
        close = same if places is None else to_places(places)
        close = close if tolerance is None else within(tolerance)
        return expected.keys() == got.keys() and all(
            close(value, got[group].get(name, Decimal(0)))
            for group, stated in expected.items()
            for name, value in stated.items()
        )

    trial.check("expected_groups", wanted, observe, agrees)
