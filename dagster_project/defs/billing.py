"""The billing run and the push."""

from collections.abc import Iterator
from datetime import date, datetime

import dagster as dg

from dagster_project.resources import Odoo, Warehouse
from exports.billing_run import bill
from exports.usage_lines import push


class RunConfig(dg.Config):
    """`run_date` as YYYY-MM-DD; empty is today in company time."""

    run_date: str = ""


@dg.multi_asset(
    specs=[
        dg.AssetSpec(
            ["ops", "billed_line"],
            group_name="billing",
            kinds={"postgres"},
            description="The ledger: += desired − ledger, for every period that has ended.",
            deps=[
                ["marts", "fct_rated_lines"],
                ["marts", "dim_subscription"],
                ["marts", "dim_charge_version"],
                ["marts", "fct_usage_conservation"],
                ["marts", "rpt_rating_build"],
            ],
        ),
        dg.AssetSpec(
            ["ops", "billing_run"],
            group_name="billing",
            kinds={"postgres"},
            description="One row per run: snapshot, catalogue, code version, totals, hash.",
            deps=[["ops", "billed_line"]],
        ),
    ],
)
def billing_run(config: RunConfig, warehouse: Warehouse) -> Iterator[dg.MaterializeResult[None]]:
    settings = warehouse.settings
    run_date = (
        date.fromisoformat(config.run_date)
        if config.run_date
        else datetime.now(settings.zone).date()
    )
    with warehouse.engine() as engine:
        result = bill(engine, settings, run_date=run_date)
    yield dg.MaterializeResult(
        asset_key=["ops", "billed_line"],
        metadata={
            "lines": result.lines,
            "adjustments": result.adjustments,
            "amount": str(result.amount),
            "by service": result.by_service,
        },
    )
    yield dg.MaterializeResult(
        asset_key=["ops", "billing_run"],
        metadata={
            "run_id": result.run_id or 0,
            "run_date": str(result.run_date),
            "lines_sha256": result.lines_sha256,
        },
    )


@dg.multi_asset(
    specs=[
        dg.AssetSpec(
            ["odoo", "usage_lines"],
            group_name="billing",
            kinds={"odoo"},
            description="Ledger lines on their subscriptions in Odoo, by line_key.",
            deps=[["ops", "billed_line"]],
        ),
        dg.AssetSpec(
            ["ops", "odoo_push"],
            group_name="billing",
            kinds={"postgres"},
            description="The state of each ledger line in Odoo, as read back.",
            deps=[["odoo", "usage_lines"]],
        ),
    ],
)
def usage_lines(warehouse: Warehouse, odoo: Odoo) -> Iterator[dg.MaterializeResult[None]]:
    with warehouse.engine() as engine, odoo.client() as client:
        result = push(engine, client, database=odoo.database)
    yield dg.MaterializeResult(
        asset_key=["odoo", "usage_lines"],
        metadata={"pending": result.pending, "found": result.found, "created": result.created},
    )
    yield dg.MaterializeResult(
        asset_key=["ops", "odoo_push"],
        metadata={
            "verified": result.verified,
            "drafted": result.drafted,
            "differs": result.differs,
            "refused": result.refused,
            "reasons": result.reasons,
        },
    )
