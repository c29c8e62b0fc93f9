"""All definitions. They need the environment of `dagster_project.instance.enter`, which
`fusion-billing up` and `demo` set."""

from __future__ import annotations

import dagster as dg
from dagster_dbt import DbtCliResource

from dagster_project.defs import (
    billing,
    checks,
    commands,
    costs,
    dbt_models,
    finance,
    landing,
    odoo,
    schedules,
    webhooks,
)
from dagster_project.resources import Odoo, Warehouse
from warehouse.dbt_project import dbt_executable

defs = dg.Definitions(
    assets=[
        landing.landed_counters,
        costs.odoo_provider_costs,
        landing.dropped_files,
        landing.service_spec,
        costs.cost_driver_spec,
        landing.cutover_spec,
        landing.mirror_progress_spec,
        landing.earlier_runs_spec,
        landing.earlier_progress_spec,
        landing.earlier_rating_spec,
        landing.earlier_terms_spec,
        commands.command_spec,
        commands.commands,
        odoo.odoo_master_data,
        dbt_models.rating_models,
        billing.billing_run,
        billing.usage_lines,
        odoo.odoo_billing_state,
        webhooks.webhooks,
        dbt_models.finance_models,
        finance.finance_months,
        finance.month_close,
    ],
    asset_checks=[
        checks.usage_is_conserved,
        checks.differences_are_explained,
        checks.cutover_gates_are_open,
    ],
    jobs=[
        schedules.hourly_build,
        schedules.daily_billing,
        schedules.monthly_close,
        schedules.webhooks,
    ],
    schedules=schedules.schedules,
    # A process of its own for each step would spend most of a run importing.
    executor=dg.in_process_executor,
    resources={
        "warehouse": Warehouse(database_url=dg.EnvVar("DATABASE_URL")),
        "odoo": Odoo(),
        "dbt": DbtCliResource(project_dir=dbt_models.project, dbt_executable=dbt_executable()),
    },
)
