"""The usage and the catalogue that mutants are tried on: those of the property tests, with
something of everything the rating tells apart."""

from __future__ import annotations

import builds_accidents  # noqa: F401 - with all that it imports it fills STEPS
from builds_start import begin, priced
from builds_world import STEPS, World

# Before the first build, that a billing run bills from.
HISTORY = (
    "an_order_with_another_plan_follows",
    "an_order_is_renewed",
    "a_new_version_begins",
    "a_revision_goes_up",
    "a_revision_comes_too_late",
    "usage_before_the_subscription",
    "values_that_cannot_be_read",
    "properties_that_were_never_seen",
    "a_minimum_commitment_is_added",
    "a_variant_is_added",
)
# Since the billing run: what is late, what is revised, and what touches single subscriptions.
SINCE = (
    "a_run_closes_periods_and_late_usage_follows",
    "a_revision_goes_up",
    "a_reading_comes_before_others",
    "new_counters_in_the_open_period",
    "a_reading_follows",
)


def begin_rich(world: World) -> None:
    begin(world)
    (tokens,) = world.records("metric", lambda one: one["x_code"] == "tokens")
    charge = world.records("charge", lambda one: one.get("x_metric_id") == tokens["id"])[0]
    world.save("charge", charge | priced(world, "dynamic"))
    for kind in HISTORY:
        take(world, kind)
    world.built()


def change(world: World) -> None:
    for kind in SINCE:
        take(world, kind)


def take(world: World, kind: str) -> None:
    said = STEPS[kind](world)
    assert said is not None, f"{kind} found nothing to do"
