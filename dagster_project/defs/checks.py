"""The two checks that hold everything up when they fail. dbt's own tests are checks as well; these
put the figure itself into the UI."""

from typing import Any

import dagster as dg
import sqlalchemy as sa

from dagster_project.resources import Warehouse


@dg.asset_check(
    asset=["marts", "fct_usage_conservation"],
    blocking=True,
    description="Every counter stands in exactly one bucket, and the buckets sum to raw.",
)
def usage_is_conserved(warehouse: Warehouse) -> dg.AssetCheckResult:
    query = sa.text("""
        select
            coalesce(sum(counters), 0)::bigint,
            coalesce(sum(abs(counters_difference)), 0)::bigint,
            coalesce(sum(abs(quantity_difference)), 0)
        from marts.fct_usage_conservation
    """)
    with warehouse.engine() as engine, engine.connect() as connection:
        found: Any = connection.execute(query).one()
    counters, lost, lost_quantity = found
    return dg.AssetCheckResult(
        passed=lost == 0 and lost_quantity == 0,
        metadata={
            "counters": counters,
            "counters difference": lost,
            "quantity difference": str(lost_quantity),
        },
    )


@dg.asset_check(
    asset=["marts", "fct_reconciliation"],
    blocking=True,
    description="Every difference between app, platform and Odoo has a named reason.",
)
def differences_are_explained(warehouse: Warehouse) -> dg.AssetCheckResult:
    query = sa.text("""
        select coalesce(reason, status) as outcome, count(*)
        from marts.fct_reconciliation group by 1 order by 1
    """)
    with warehouse.engine() as engine, engine.connect() as connection:
        outcomes = {str(row[0]): int(row[1]) for row in connection.execute(query)}
    return dg.AssetCheckResult(
        passed="unexplained" not in outcomes and "difference" not in outcomes,
        metadata=dict(outcomes),
    )
