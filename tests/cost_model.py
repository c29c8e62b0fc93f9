"""A model of provider costs in Odoo, made by RPC as an administrator makes one."""

from __future__ import annotations

from typing import Any

from odoo_gateway.client import OdooClient

_TEXTS = ("x_provider", "x_sku", "x_service_code", "x_external_account_id", "x_currency")
# The fields that the settings expect where they name none.
OWN_FIELDS: dict[str, Any] = {
    **{name: {"ttype": "char"} for name in _TEXTS},
    "x_day": {"ttype": "date"},
    "x_quantity": {"ttype": "float"},
    "x_amount": {"ttype": "float"},
}


def make_model(client: OdooClient, name: str, fields: dict[str, Any]) -> None:
    commands = [
        (0, 0, {"name": field, "field_description": field, "state": "manual", **values})
        for field, values in fields.items()
    ]
    values = {"name": name, "model": name, "state": "manual", "field_id": commands}
    (model,) = client.create("ir.model", [values])
    rights = {f"perm_{right}": True for right in ("read", "write", "create", "unlink")}
    client.create("ir.model.access", [{"name": name, "model_id": model, **rights}])
