"""What apps asked for: customers and subscriptions, from raw.command into Odoo."""

from collections.abc import Iterator

import dagster as dg

from dagster_project.resources import Odoo, Warehouse
from exports.commands.applying import apply_commands
from exports.commands.outcomes import ApplyBusyError

_GROUP = "commands"
_MOST_SHOWN = 50

command_spec = dg.AssetSpec(
    ["raw", "command"],
    group_name=_GROUP,
    kinds={"postgres"},
    description="What apps ask of Odoo over HTTP: written by the endpoint, in the order it came.",
)


class ApplyConfig(dg.Config):
    """`refused`: also what Odoo refused, after it was mended there."""

    refused: bool = False


@dg.multi_asset(
    specs=[
        dg.AssetSpec(
            ["odoo", "commands"],
            group_name=_GROUP,
            kinds={"odoo"},
            description="Partners, account links and orders that apps asked for, in Odoo.",
            deps=[["raw", "command"]],
        ),
        dg.AssetSpec(
            ["ops", "command_state"],
            group_name=_GROUP,
            kinds={"postgres"},
            description="What became of each command, and why where it is not applied.",
            deps=[["odoo", "commands"]],
        ),
    ],
)
def commands(
    config: ApplyConfig, warehouse: Warehouse, odoo: Odoo
) -> Iterator[dg.MaterializeResult[None]]:
    with warehouse.engine() as engine, odoo.client() as client:
        try:
            result = apply_commands(
                engine,
                client,
                database=odoo.database,
                zone=warehouse.settings.zone,
                refused=config.refused,
            )
        except ApplyBusyError as error:
            raise dg.RetryRequested(max_retries=3, seconds_to_wait=20) from error
    yield dg.MaterializeResult(
        asset_key=["odoo", "commands"],
        metadata={"applied": result.applied, "postponed": result.postponed},
    )
    unsettled = [fate for fate in result.fates if fate.state != "applied"]
    yield dg.MaterializeResult(
        asset_key=["ops", "command_state"],
        metadata={
            **result.counts(),
            "reasons": {str(fate.command_id): fate.reason for fate in unsettled[:_MOST_SHOWN]},
        },
    )
