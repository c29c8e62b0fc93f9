"""Provider costs from Odoo's model of fusion_api, and what shared ones follow."""

from dataclasses import asdict
from datetime import datetime

import dagster as dg

from dagster_project.resources import Odoo, Warehouse
from ingest.costs.odoo import has_landed, mirror_costs
from ingest.costs.odoo_model import CostModel, MissingCostModelError

cost_driver_spec = dg.AssetSpec(
    ["ops", "cost_driver"],
    group_name="landing",
    description="`fusion-billing costs drivers apply`: which metric a shared cost follows.",
)


@dg.asset(
    key=["odoo", "provider_costs"],
    group_name="landing",
    kinds={"odoo", "postgres"},
    description="fusion_api's daily cost in Odoo's FUSION_API_MODEL, into raw.provider_cost.",
)
def odoo_provider_costs(
    context: dg.AssetExecutionContext, warehouse: Warehouse, odoo: Odoo
) -> dg.MaterializeResult[None]:
    settings = warehouse.settings
    model = CostModel(settings.fusion_api_model, settings.cost_fields)
    with warehouse.engine() as engine, odoo.client() as client:
        try:
            report = mirror_costs(engine, client, model, today=datetime.now(settings.zone).date())
        except MissingCostModelError as error:
            if has_landed(engine):
                raise  # it was there: without it the costs would stand still, and nobody would know
            context.log.warning(str(error))
            return dg.MaterializeResult(metadata={"skipped": str(error)})
    return dg.MaterializeResult(
        metadata={name: value for name, value in asdict(report).items() if name != "since"}
        | {"since": str(report.since or "the beginning")}
    )
