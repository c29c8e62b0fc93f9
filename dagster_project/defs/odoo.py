"""Odoo's mirror, in two halves: what rating needs, and what stands there after the push."""

from collections.abc import Iterator, Sequence

import dagster as dg

from dagster_project.resources import Odoo, Warehouse
from exports.push_record import settle_invoiced
from ingest.odoo_mirror import BILLING, MASTER, Mirrored, mirror


def _specs(
    models: Sequence[Mirrored], group: str, deps: Sequence[dg.AssetKey] = ()
) -> list[dg.AssetSpec]:
    return [
        dg.AssetSpec(
            ["raw", f"odoo_{model.table}"],
            group_name=group,
            kinds={"odoo", "postgres"},
            description=f"Odoo's {model.model}, as RPC returned it.",
            deps=deps,
        )
        for model in models
    ]


def _materialized(
    warehouse: Warehouse, odoo: Odoo, models: Sequence[Mirrored]
) -> Iterator[dg.MaterializeResult[None]]:
    with warehouse.engine() as engine, odoo.client() as client:
        counts = mirror(engine, client, models, odoo=odoo.database)
        if models is BILLING:
            settle_invoiced(engine)
    for table, count in counts.items():
        yield dg.MaterializeResult(
            asset_key=["raw", f"odoo_{table}"],
            metadata={
                "dagster/row_count": count.live,
                "read": count.read,
                "changed": count.changed,
                "deleted": count.deleted,
            },
        )


# Read after what apps asked for is there, so that a new customer's usage is rated in the same run.
@dg.multi_asset(specs=_specs(MASTER, "odoo_master_data", [dg.AssetKey(["ops", "command_state"])]))
def odoo_master_data(warehouse: Warehouse, odoo: Odoo) -> Iterator[dg.MaterializeResult[None]]:
    yield from _materialized(warehouse, odoo, MASTER)


# Read after the push, so that the reconciliation sees what the push left in Odoo.
@dg.multi_asset(specs=_specs(BILLING, "odoo_billing_state", [dg.AssetKey(["odoo", "usage_lines"])]))
def odoo_billing_state(warehouse: Warehouse, odoo: Odoo) -> Iterator[dg.MaterializeResult[None]]:
    yield from _materialized(warehouse, odoo, BILLING)
