"""Steps: billing runs, builds that fail, parts that are built alone, changes that are taken back,
a server that is restored."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from unittest import mock

import builds_accounts
import builds_metrics
import builds_minimums
import builds_prices
import builds_terms
import builds_usage
import psycopg
from builds_compared import physical
from builds_usage import some
from builds_world import STEPS, ZONE, World, step

from exports.billing_run import BillingRunError, bill
from warehouse.engine import make_engine
from warehouse.settings import Settings

OF_ODOO = (builds_accounts, builds_metrics, builds_minimums, builds_prices, builds_terms)
CHANGES = (*OF_ODOO, builds_usage)
LOCK_TIMEOUT = "-c lock_timeout=50ms"


@step
def nothing_happens(world: World) -> str:
    return "a build with nothing new changes no row"


# --- billing runs ------------------------------------------------------------------------------


def _bill(world: World, service: str | None) -> str | None:
    """The real run, from the last build, which it refuses where that did not finish. It writes to
    the ledger; what the rating sees of it is that a period is closed."""
    settings = Settings(_env_file=None, company_timezone=ZONE.key, fusion_home=Path(os.devnull))
    engine = make_engine(world.database_url)
    try:
        run_date = world.today - timedelta(days=world.chance.randrange(20))
        result = bill(
            engine, settings, run_date=run_date, service_code=service, accept_corrections=True
        )
    except BillingRunError:
        return None
    finally:
        engine.dispose()
    if result.run_id is None:
        return None
    return f"run {result.run_id} of {run_date} for {service or 'all'}: {result.lines} lines"


@step
def a_billing_run_closes_periods(world: World) -> str | None:
    return _bill(world, None)


@step
def a_billing_run_closes_periods_of_a_service(world: World) -> str | None:
    return _bill(world, world.chance.choice(("nexadesk", "nexamaps")))


@step
def a_run_closes_periods_and_late_usage_follows(world: World) -> str:
    run = _bill(world, None) or "no run"
    late = some(world, range(-70, -20))
    world.land(late)
    return f"{run}; {len(late)} late counters"


@step
def a_run_is_recorded_behind_a_build(world: World) -> str:
    """It billed from one build while the next one already rolled up: what that one was the first to
    take is late, and was not told so."""
    (seen,) = world.row("select high_water_xid from staging.stg_usage__snapshot")
    late = some(world, range(-70, -20))
    world.land(late)
    world.built()
    (run,) = world.row(
        "insert into ops.billing_run (run_date, build_id, high_water_xid, catalog_sha256,"
        " code_version, lines, adjustments, amount, lines_sha256)"
        " values (%s, '', %s::text::xid8, '', '', 0, 0, 0, '') returning run_id",
        (world.today, str(seen)),
    )
    return f"run {run} below {seen}, {len(late)} counters above it"


# --- builds ------------------------------------------------------------------------------------


def _any_step(world: World, modules: tuple[ModuleType, ...] = CHANGES) -> str:
    """Another step, of those that do not build themselves."""
    names = sorted(
        name
        for name, function in STEPS.items()
        if function.__module__ in {module.__name__ for module in modules}
        and name != "a_transaction_commits_late"
    )
    while True:
        name = world.chance.choice(names)
        said = STEPS[name](world)
        if said is not None:
            return f"{name} ({said})"


def fail_at_a_lock(world: World, model: str) -> str:
    """Somebody holds a table that the build writes: it may be read, and what came before stays."""
    with psycopg.connect(world.database_url) as other:
        # Reads go on; and unlike a stronger one this lock takes no transaction id, so that the
        # build does see what has landed.
        other.execute(f"lock table {model} in exclusive mode")
        with mock.patch.dict(os.environ, {"PGOPTIONS": LOCK_TIMEOUT}):
            said = world.build()
        other.rollback()
    return f"{'a build failed at' if said else 'a build went past'} {model}"


def _fail_at_a_lock(world: World) -> str:
    manifest = world.dbt.manifest(world.database_url)
    models = sorted(f"{node.schema}.{node.name}" for node in physical(manifest).values())
    return fail_at_a_lock(world, world.chance.choice(models))


def _fail_on_a_record(world: World) -> str:
    """A number that is none: whatever reads it fails, the rest is built."""
    table, name = world.chance.choice(
        (("charge", "x_unit_price"), ("charge", "x_included"), ("charge_tier", "x_unit_price"))
    )
    record = world.a_record(table)
    assert record is not None
    world.save(table, record | {name: "1,50"})
    said = world.build()
    world.save(table, record)
    return f"{'a build failed on' if said else 'a build went past'} {table} {record['id']}"


@step
def a_build_fails_at_a_lock(world: World) -> str:
    return f"{_any_step(world)}; {_fail_at_a_lock(world)}"


@step
def a_build_fails_on_a_record(world: World) -> str:
    return f"{_any_step(world)}; {_fail_on_a_record(world)}"


@step
def a_build_fails_and_more_follows(world: World) -> str:
    fail = world.chance.choice((_fail_at_a_lock, _fail_on_a_record))
    return f"{_any_step(world)}; {fail(world)}; {_any_step(world)}; {_any_step(world)}"


@step
def a_change_is_taken_back_after_a_failed_build(world: World) -> str:
    """Some models saw it, some did not."""
    told = [_any_step(world, OF_ODOO), _any_step(world, OF_ODOO)]
    late = some(world, range(-40, 1))
    world.land(late)
    told += [f"{len(late)} counters", _fail_at_a_lock(world)]
    world.restore(world.past[-1])
    return "; ".join([*told, "Odoo taken back"])


@step
def the_last_changes_are_taken_back(world: World) -> str | None:
    """Odoo is as it was some builds ago."""
    for records in reversed(world.past):
        if world.restore(records):
            return "as of an earlier build"
    return None


@step
def the_rollups_are_built_alone(world: World) -> str:
    """By hand: the next build finds nothing new in them."""
    told = _any_step(world)
    late = some(world, range(-40, 1))
    world.land(late)
    said = world.dbt.run(world.database_url, "--select", "+int_usage_daily", "+int_usage_events")
    assert said is None, said
    return f"{told}; {len(late)} counters"


@step
def the_progress_is_lost(world: World) -> str:
    """The roll-ups are made anew, and say of no day that it was touched."""
    late = some(world, range(-40, 1))
    world.land(late)
    world.connection.execute("delete from ops.rollup_progress")
    return f"{len(late)} counters"


@step
def a_server_is_restored(world: World) -> str:
    """Transaction ids start again: a batch that no build took lies below the line."""
    late = some(world, range(-40, 1))
    world.land(late)
    world.connection.execute("update raw.ingest_batch set xid = '3'")
    return f"{len(late)} counters"
