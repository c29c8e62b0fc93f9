"""Four jobs on their clocks, in company time."""

from __future__ import annotations

import dagster as dg

from warehouse.settings import FusionEnv, load_settings

_SETTINGS = load_settings()
_ZONE = _SETTINGS.company_timezone
# In production they run from the start; on a laptop somebody switches them on in the UI.
_STATUS = (
    dg.DefaultScheduleStatus.RUNNING
    if _SETTINGS.fusion_env is FusionEnv.PRODUCTION
    else dg.DefaultScheduleStatus.STOPPED
)

_CLOSE = dg.AssetSelection.assets(["exports", "month_close"])

hourly_build = dg.define_asset_job(
    "hourly_build",
    selection=(
        dg.AssetSelection.assets(["marts", "rpt_rating_build"], ["marts", "fct_usage_daily"])
        .upstream()
        .required_multi_asset_neighbors()
        # Payments and invoices, of which apps are told: between two pushes as well.
        | dg.AssetSelection.assets(["raw", "odoo_invoice"]).required_multi_asset_neighbors()
    ),
    description="Mirror Odoo, rate all usage, check that nothing was lost.",
)

daily_billing = dg.define_asset_job(
    "daily_billing",
    selection=dg.AssetSelection.all() - _CLOSE,
    description="The whole house: mirror, rate, bill, push, reconcile, export.",
)

monthly_close = dg.define_asset_job(
    "monthly_close",
    # Finance's marts first: what the hours before the close mirrored and rated stands in no mart
    # of the night, and a close refuses marts that are older than what they are made of.
    selection=dg.AssetSelection.groups("finance")
    | dg.AssetSelection.assets(["exports", "finance_months"])
    | _CLOSE,
    description="Close last month: finance's marts, checks, files, hash.",
)

webhooks = dg.define_asset_job(
    "webhooks",
    selection=dg.AssetSelection.assets(["ops", "webhook_delivery"]),
    description="Tell the apps what happened; attempt again what failed.",
)

_CLOCKS = (
    # More often than the mirror: what failed is due again after a minute, then five, then fifteen.
    (webhooks, "*/10 * * * *"),
    (hourly_build, "20 * * * *"),
    # Odoo's own invoicing runs from 06:00: the lines of the night stand on the orders by then.
    (daily_billing, "30 4 * * *"),
    (monthly_close, "0 9 4 * *"),
)

schedules = [
    dg.ScheduleDefinition(
        job=job, cron_schedule=cron, execution_timezone=_ZONE, default_status=_STATUS
    )
    for job, cron in _CLOCKS
]
