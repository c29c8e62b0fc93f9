"""Three jobs on their clocks, in company time."""

from __future__ import annotations

import dagster as dg

from warehouse.settings import load_settings

_ZONE = load_settings().company_timezone

_CLOSE = dg.AssetSelection.assets(["exports", "month_close"])

hourly_build = dg.define_asset_job(
    "hourly_build",
    selection=dg.AssetSelection.assets(["marts", "rpt_rating_build"], ["marts", "fct_usage_daily"])
    .upstream()
    .required_multi_asset_neighbors(),
    description="Mirror Odoo's master data, rate all usage, check that nothing was lost.",
)

daily_billing = dg.define_asset_job(
    "daily_billing",
    selection=dg.AssetSelection.all() - _CLOSE,
    description="The whole house: mirror, rate, bill, push, reconcile, export.",
)

monthly_close = dg.define_asset_job(
    "monthly_close",
    selection=_CLOSE,
    description="Close last month: checks, workbook, hash.",
)

schedules = [
    dg.ScheduleDefinition(job=hourly_build, cron_schedule="20 * * * *", execution_timezone=_ZONE),
    # Odoo's own invoicing runs from 06:00: the lines of the night stand on the orders by then.
    dg.ScheduleDefinition(job=daily_billing, cron_schedule="30 4 * * *", execution_timezone=_ZONE),
    dg.ScheduleDefinition(job=monthly_close, cron_schedule="0 9 4 * *", execution_timezone=_ZONE),
]
