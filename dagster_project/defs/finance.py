"""Finance's files: the open months after every reconciliation, and the monthly close."""

from datetime import date, datetime

import dagster as dg

from dagster_project.resources import Warehouse
from exports.finance.close import close_month
from exports.finance.marts import months_before
from exports.finance.month import export_open_month, open_months
from warehouse.dbt_project import dbt_target
from warehouse.version import code_version


@dg.asset(
    key=["exports", "finance_months"],
    group_name="exports",
    kinds={"xlsx", "html", "parquet"},
    deps=[
        ["marts", "fct_billed_lines"],
        ["marts", "fct_cogs_daily"],
        ["marts", "fct_cogs_monthly"],
        ["marts", "fct_margin_monthly"],
        ["marts", "fct_rated_lines"],
        ["marts", "fct_reconciliation"],
        ["marts", "fct_usage_conservation"],
        ["marts", "rpt_margin_by_account"],
        ["marts", "rpt_margin_by_service"],
        ["marts", "rpt_margin_exceptions"],
    ],
    description="Workbook, page and Parquet of every open month that has billed lines.",
)
def finance_months(warehouse: Warehouse) -> dg.MaterializeResult[None]:
    settings = warehouse.settings
    with warehouse.engine() as engine:
        drafts = [
            export_open_month(
                engine,
                month,
                settings.exports_folder,
                manifest=dbt_target(settings) / "manifest.json",
                settings=settings,
                code_version=code_version(),
            )
            for month in open_months(engine)
        ]
    exported = [draft for draft in drafts if draft is not None]
    return dg.MaterializeResult(
        metadata={
            "files": [str(file) for month in exported for file in month.files],
            "lines": sum(month.lines for month in exported),
            "amount": str(sum(month.amount for month in exported)),
        }
    )


class CloseConfig(dg.Config):
    """`month` as YYYY-MM; empty is the month before the current one, in company time."""

    month: str = ""


@dg.asset(
    key=["exports", "month_close"],
    group_name="exports",
    kinds={"xlsx", "parquet", "postgres"},
    deps=[["exports", "finance_months"]],
    description="Checks, files and hash of one month; refused with reasons where a check fails.",
)
def month_close(config: CloseConfig, warehouse: Warehouse) -> dg.MaterializeResult[None]:
    settings = warehouse.settings
    month = (
        date.fromisoformat(f"{config.month}-01")
        if config.month
        else months_before(datetime.now(settings.zone).date(), 1)
    )
    with warehouse.engine() as engine:
        closed = close_month(
            engine,
            month,
            settings.exports_folder,
            manifest=dbt_target(settings) / "manifest.json",
            settings=settings,
            code_version=code_version(),
        )
    return dg.MaterializeResult(
        metadata={
            "month": f"{month:%Y-%m}",
            "version": closed.version,
            "sha256": closed.lines_sha256,
        }
    )
