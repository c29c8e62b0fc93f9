"""What lands in raw: counters over HTTP, and the files of the drop folder."""

from collections.abc import Iterator
from typing import Any

import dagster as dg
import sqlalchemy as sa

from dagster_project.resources import Warehouse
from ingest.drop_folder import load_drop_folder

_COUNTER_TABLES = ("ingest_batch", "usage_counter", "event_conflict")


@dg.multi_asset(
    specs=[
        dg.AssetSpec(
            ["raw", table],
            group_name="landing",
            kinds={"postgres"},
            description="Written by the ingestion endpoint; materialising it counts what is there.",
        )
        for table in _COUNTER_TABLES
    ],
    can_subset=True,
)
def landed_counters(
    context: dg.AssetExecutionContext, warehouse: Warehouse
) -> Iterator[dg.MaterializeResult[None]]:
    with warehouse.engine() as engine, engine.connect() as connection:
        for key in sorted(context.selected_asset_keys):
            table = sa.table(key.path[-1], sa.column("received_at"), schema="raw")
            found: Any = connection.execute(
                sa.select(sa.func.count(), sa.func.max(table.c.received_at)).select_from(table)
            ).one()
            rows, newest = found
            yield dg.MaterializeResult(
                asset_key=key,
                metadata={"dagster/row_count": rows, "newest": str(newest)},
            )


@dg.multi_asset(
    specs=[
        dg.AssetSpec(
            ["raw", "provider_cost"],
            group_name="landing",
            kinds={"postgres"},
            description="Daily provider cost: the drop folder's costs/*.csv and *.parquet, beside"
            " what Odoo's model of fusion_api shows and what apps posted.",
            deps=[["odoo", "provider_costs"]],
        ),
        dg.AssetSpec(
            ["raw", "app_invoice"],
            group_name="landing",
            kinds={"postgres"},
            description="What the apps billed: lago/<service>/*.json and stripe/<service>/*.json.",
        ),
        dg.AssetSpec(
            ["raw", "app_billing_line"],
            group_name="landing",
            kinds={"postgres"},
            description="The lines of what the apps billed.",
        ),
    ],
)
def dropped_files(warehouse: Warehouse) -> Iterator[dg.MaterializeResult[None]]:
    with warehouse.engine() as engine:
        report = load_drop_folder(engine, warehouse.settings.drop_folder)
    yield dg.MaterializeResult(asset_key=["raw", "provider_cost"], metadata=report.costs)
    yield dg.MaterializeResult(asset_key=["raw", "app_invoice"], metadata=report.app_billing)
    yield dg.MaterializeResult(
        asset_key=["raw", "app_billing_line"], metadata={"written": report.app_billing["lines"]}
    )


service_spec = dg.AssetSpec(
    ["ops", "service"], group_name="landing", description="`fusion-billing service add`."
)
cutover_spec = dg.AssetSpec(
    ["ops", "cutover"],
    group_name="landing",
    description="Who bills a service: `fusion-billing cutover advance`.",
)
mirror_progress_spec = dg.AssetSpec(
    ["ops", "odoo_mirror"],
    deps=[["raw", "odoo_order_line"]],
    group_name="landing",
    description="How far each Odoo model has been mirrored, written by the mirror.",
)
earlier_runs_spec = dg.AssetSpec(
    ["ops", "earlier_billing_runs"],
    group_name="landing",
    description="ops.billing_run as it stood before this run: what decides which usage is late.",
)
earlier_progress_spec = dg.AssetSpec(
    ["ops", "earlier_rollup_progress"],
    group_name="landing",
    description="What each roll-up had taken before this build: from there the next one goes on.",
)
earlier_rating_spec = dg.AssetSpec(
    ["ops", "earlier_rating_progress"],
    group_name="landing",
    description="How far the last build that ended had rated, and by which catalogue and code.",
)
earlier_terms_spec = dg.AssetSpec(
    ["ops", "earlier_rated_subscription"],
    group_name="landing",
    description="The terms by which it had rated each subscription: who has others is rated anew.",
)
