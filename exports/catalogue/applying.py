"""Odoo's catalogue read, and a proposal written into it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from exports.catalogue.changes import Proposal
from exports.catalogue.model import CHARGE_FIELDS, TIER_FIELDS, Current, Form, Version
from exports.catalogue.records import current_of
from odoo_gateway.client import OdooClient
from odoo_gateway.schema import CHARGE, CHARGE_TIER, METRIC


def read_odoo(client: OdooClient) -> Current:
    """What stands in Odoo now. OdooTransientError, OdooRefusedError (bootstrap is missing),
    UnreadableCatalogueError."""

    def names(model: Any) -> list[str]:
        return [field.name for field in model.fields if field.type != "one2many"]

    return current_of(
        metrics=client.search_read("x_fc_metric", [], names(METRIC)),
        charges=client.search_read("x_fc_charge", [], names(CHARGE)),
        tiers=client.search_read("x_fc_charge_tier", [], names(CHARGE_TIER)),
        products=client.search_read(
            "product.product", [("default_code", "!=", False)], ["default_code", "active"]
        ),
    )


def apply(client: OdooClient, proposal: Proposal) -> None:
    """Writes metrics, then new versions, then what changes or ends.

    Broken off anywhere, applying the file again finishes it: until then an old version may overlap
    the new one, which stops the next build, but no day is ever left without a price.
    """
    metrics = {
        row["x_code"]: row["id"] for row in client.search_read("x_fc_metric", [], ["x_code"])
    }
    for number, values in proposal.metrics:
        if number is None:
            metrics[values["x_code"]] = client.create("x_fc_metric", [odoo_values(values)])[0]
        else:
            client.write("x_fc_metric", [number], odoo_values(values))
    products = read_odoo(client).products
    new = [after for before, after in proposal.written if before is None]
    if new:
        client.create("x_fc_charge", [_values(each, metrics, products) for each in new])
    for before, after in proposal.written:
        if before is not None and before.number is not None:
            old, values = (_values(each, metrics, products) for each in (before, after))
            changed = {name: each for name, each in values.items() if each != old[name]}
            client.write("x_fc_charge", [before.number], changed)


def _values(
    version: Version, metrics: Mapping[Any, int], products: Mapping[str, int]
) -> dict[str, Any]:
    tiers = [
        (0, 0, {name: each or False for name, each in zip(TIER_FIELDS, tier, strict=True)})
        for tier in version.tiers
    ]
    return {
        **odoo_values({name: version.form[name] for name in CHARGE_FIELDS}),
        "x_metric_id": metrics[version.metric_code] if version.metric_code else False,
        "x_product_id": products.get(version.product_code or ""),
        "x_valid_from": version.valid_from.isoformat() if version.valid_from else False,
        "x_valid_to": version.valid_to.isoformat() if version.valid_to else False,
        "x_tier_ids": [(5, 0, 0), *tiers],
    }


def odoo_values(values: Form) -> dict[str, Any]:
    """As RPC takes and gives it: false where unset."""
    return {name: False if value is None else value for name, value in values.items()}
