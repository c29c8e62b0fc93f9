"""The two checks that hold everything up when they fail, and one that shows how far a service is
from its next phase. dbt's own tests are checks as well; these put the figure itself into the UI."""

from datetime import datetime
from typing import Any

import dagster as dg
import sqlalchemy as sa

from dagster_project.resources import Warehouse
from exports.cutover.moving import status
from exports.cutover.phases import Phase


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


@dg.asset_check(
    asset=["marts", "rpt_parity"],
    description="What keeps a service in shadow or dual run from its next phase. Nothing waits for"
    " it: `fusion-billing cutover advance` asks the same.",
)
def cutover_gates_are_open(warehouse: Warehouse) -> dg.AssetCheckResult:
    settings = warehouse.settings
    with warehouse.engine() as engine:
        gates = status(engine, settings, today=datetime.now(settings.zone).date())
    moving = [each for each in gates if each.phase in (Phase.SHADOW, Phase.DUAL_RUN)]
    return dg.AssetCheckResult(
        passed=all(each.holds for each in moving),
        severity=dg.AssetCheckSeverity.WARN,
        metadata={
            each.service_code: f"{each.phase}: " + ("; ".join(each.reasons) or "open")
            for each in gates
        },
    )
