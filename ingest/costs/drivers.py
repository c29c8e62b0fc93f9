"""What shared costs follow: by provider and SKU, the metric whose usage of the day shares them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from warehouse.reviewed_files import Record, ReviewedFileError, open_file
from warehouse.tables import cost_driver

EVERY_SKU = "*"

# A level that is carried on is not what was used that day.
_METRICS = """
select record ->> 'x_code' as metric_code
from raw.odoo_metric
where deleted_at is null
    and record ->> 'x_aggregation' <> 'weighted_sum'
    and record -> 'x_recurring' is distinct from 'true'
order by 1
"""
_SHOWN = """
with shared as (
    select provider, sku, count(*) as costs, max(day) as last_day
    from raw.provider_cost
    where external_account_id is null
    group by 1, 2
),

followed as (
    select
        shared.provider,
        coalesce(own.sku, every_sku.sku, shared.sku) as sku,
        coalesce(own.metric_code, every_sku.metric_code) as metric_code,
        shared.costs,
        shared.last_day
    from shared
    left join ops.cost_driver as own
        on shared.provider = own.provider and shared.sku = own.sku
    left join ops.cost_driver as every_sku
        on shared.provider = every_sku.provider and every_sku.sku = '*'
    union all
    select provider, sku, metric_code, 0, null from ops.cost_driver
)

select provider, sku, metric_code, sum(costs)::bigint, max(last_day)
from followed
group by 1, 2, 3
order by metric_code is null desc, 1, 2
"""


class NoMetricsError(Exception):
    """Nothing could be driven by anything. The message says what to run."""


@dataclass(frozen=True, order=True)
class Driver:
    """`sku` is one, or `*` for every SKU of the provider that has none of its own."""

    provider: str
    sku: str
    metric_code: str


@dataclass(frozen=True)
class DriverChange:
    """`change` is add, change or remove; `before` the metric that it followed."""

    change: str
    provider: str
    sku: str
    metric_code: str | None
    before: str | None


@dataclass(frozen=True)
class ShownDriver:
    """A driver with how many shared costs follow it and the last one's day; without a metric: a SKU
    whose costs stay unallocated."""

    provider: str
    sku: str
    metric_code: str | None
    costs: int
    last_day: date | None


def metrics(engine: Engine) -> list[str]:
    """The metrics that can drive a cost, as last mirrored. Raises NoMetricsError without any."""
    with engine.connect() as connection:
        found: list[str] = list(connection.execute(sa.text(_METRICS)).scalars())
    if not found:
        raise NoMetricsError(
            "No metric is mirrored that could drive a cost: run `fusion-billing odoo mirror`, after"
            " `fusion-billing catalog apply` where Odoo has none."
        )
    return found


def read_drivers(path: Path, allowed: Collection[str]) -> tuple[Driver, ...]:
    """The file's drivers: a list under `drivers` of provider, sku (or "*") and metric.

    Raises ReviewedFileError with every problem, OSError where the file cannot be read.
    """
    top = open_file(path, holds="`drivers`")
    choices = {code: code for code in allowed}
    if not top.has("drivers"):
        top.missing("drivers", "is missing: a list of provider, sku and metric, or [] for none")
    drivers: dict[tuple[str, str], Driver] = {}
    for each in top.records("drivers"):
        driver = _driver(each, choices)
        if (driver.provider, driver.sku) in drivers:
            each.problem("sku", f"{driver.provider} {driver.sku!r} comes twice")
        drivers[driver.provider, driver.sku] = driver
    top.finish()
    if top.file.problems:
        raise ReviewedFileError(top.file.problems)
    return tuple(drivers.values())


def _driver(record: Record, choices: Mapping[str, str]) -> Driver:
    driver = Driver(
        record.required("provider"), record.required("sku"), record.choice("metric", choices)
    )
    for key, value in (("provider", driver.provider), ("sku", driver.sku)):
        if not value.strip():
            record.missing(key, "is empty")
    record.finish()
    return driver


def apply_drivers(
    engine: Engine, drivers: Sequence[Driver], *, dry_run: bool = False
) -> list[DriverChange]:
    """Makes these the drivers, and no others; what that changes. The next build goes by them."""
    with engine.begin() as connection:
        # Two that apply at the same time: the second sees what the first one left.
        connection.execute(sa.text("lock table ops.cost_driver in share row exclusive mode"))
        changes = _changes(connection, drivers)
        for change in () if dry_run else changes:
            _make(connection, change)
    return changes


def _changes(connection: Connection, drivers: Sequence[Driver]) -> list[DriverChange]:
    columns = (cost_driver.c.provider, cost_driver.c.sku, cost_driver.c.metric_code)
    present = {(row[0], row[1]): row[2] for row in connection.execute(sa.select(*columns))}
    wanted = {(driver.provider, driver.sku): driver.metric_code for driver in drivers}
    changes = []
    for key in sorted(present.keys() | wanted.keys()):
        before, after = present.get(key), wanted.get(key)
        if before != after:
            change = "add" if before is None else "remove" if after is None else "change"
            changes.append(DriverChange(change, key[0], key[1], after, before))
    return changes


def _make(connection: Connection, change: DriverChange) -> None:
    here = (cost_driver.c.provider == change.provider) & (cost_driver.c.sku == change.sku)
    connection.execute(sa.delete(cost_driver).where(here))
    if change.metric_code is not None:
        connection.execute(
            sa.insert(cost_driver).values(
                provider=change.provider, sku=change.sku, metric_code=change.metric_code
            )
        )


def show_drivers(engine: Engine) -> list[ShownDriver]:
    """What drives shared costs, undriven SKUs first."""
    with engine.connect() as connection:
        found = connection.execute(sa.text(_SHOWN))
        return [ShownDriver(row[0], row[1], row[2], row[3], row[4]) for row in found]
