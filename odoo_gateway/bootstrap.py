"""Makes the x_fc_* fields and models of `odoo_gateway.schema` in Odoo, by RPC and without an addon.

Needs an administrator (Settings, and Sales and Invoicing for the rights it hands out). Everything
is looked up before it is made, so a second run makes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from odoo_gateway import schema
from odoo_gateway.client import OdooClient
from odoo_gateway.errors import OdooRefusedError
from odoo_gateway.screens import screens
from odoo_gateway.steps import Step
from odoo_gateway.uniqueness import unique_indexes

# A copied order or line is another one: its keys must not travel along.
NOT_COPIED = frozenset(
    {"x_fc_external_id", "x_fc_line_key", "x_fc_period_start", "x_fc_period_end"}
)


@dataclass(frozen=True)
class Right:
    """What a group of Odoo users may do with our models."""

    module: str
    group: str
    label: str
    write: bool
    unlink: bool


# Sales reads the catalogue; billing edits it; only administrators delete.
RIGHTS = (
    Right("sales_team", "group_sale_salesman", "sales user", write=False, unlink=False),
    Right("sales_team", "group_sale_manager", "sales administrator", write=True, unlink=True),
    Right("account", "group_account_invoice", "billing user", write=True, unlink=False),
    Right("account", "group_account_manager", "billing administrator", write=True, unlink=True),
    Right("base", "group_system", "administrator", write=True, unlink=True),
)

Phase = Callable[[OdooClient, bool], list[Step]]


def plan(client: OdooClient) -> list[Step]:
    """What `bootstrap` would make, changing nothing. Empty when all is there."""
    return [step for phase in _phases() for step in phase(client, False)]


def bootstrap(client: OdooClient) -> list[Step]:
    """Makes what is missing and returns it. OdooRefusedError when a field is there with another
    type, when rows already break a unique index, or without the rights."""
    return [step for phase in _phases() for step in phase(client, True)]


def _phases() -> Sequence[Phase]:
    return (_native_fields, _models, _rights, unique_indexes, screens)


def _native_fields(client: OdooClient, apply: bool) -> list[Step]:
    steps = []
    for model, fields in schema.NATIVE_FIELDS.items():
        steps += _fields(client, apply, model, fields)
    return steps


def _fields(
    client: OdooClient, apply: bool, model: str, fields: Sequence[schema.Field]
) -> list[Step]:
    """One create per model: Odoo reloads its registry once for all of them."""
    present = {
        row["name"]: row["ttype"]
        for row in client.search_read("ir.model.fields", [("model", "=", model)], ["name", "ttype"])
    }
    for field in fields:
        found = present.get(field.name, field.type)
        if found != field.type:
            raise OdooRefusedError(
                f"{model}.{field.name} is there as {found}, the platform needs {field.type}:"
                " rename or delete it in Odoo (Settings, Technical, Fields), then run"
                " `fusion-billing odoo bootstrap` again"
            )
    missing = [field for field in fields if field.name not in present]
    if apply and missing:
        (owner,) = client.search_read("ir.model", [("model", "=", model)], ["id"])
        client.create(
            "ir.model.fields", [{"model_id": owner["id"], **_values(each)} for each in missing]
        )
    return [Step("field", f"{model}.{field.name}") for field in missing]


def _values(field: schema.Field) -> dict[str, Any]:
    values: dict[str, Any] = {
        "name": field.name,
        "field_description": field.label,
        "ttype": field.type,
        "state": "manual",
        "required": field.required,
        "index": field.index,
        "copied": field.name not in NOT_COPIED,
        "help": field.help or False,
    }
    if field.relation:
        values["relation"] = field.relation
        values["on_delete"] = "restrict" if field.required else "set null"
    if field.selection:
        values["selection_ids"] = [
            (0, 0, {"value": value, "name": label, "sequence": position})
            for position, (value, label) in enumerate(field.selection)
        ]
    return values


def _models(client: OdooClient, apply: bool) -> list[Step]:
    names = [model.name for model in schema.CUSTOM_MODELS]
    rows = client.search_read("ir.model", [("model", "in", names)], ["model"])
    present = {row["model"] for row in rows}
    steps = []
    for model in schema.CUSTOM_MODELS:
        if model.name in present:
            steps += _fields(client, apply, model.name, model.fields)
            continue
        if apply:
            fields = [(0, 0, _values(field)) for field in model.fields]
            values = {"name": model.label, "model": model.name, "state": "manual"}
            client.create("ir.model", [{**values, "field_id": fields}])
        steps.append(Step("model", model.name))
        steps += [Step("field", f"{model.name}.{field.name}") for field in model.fields]
    return steps


def _rights(client: OdooClient, apply: bool) -> list[Step]:
    groups = _groups(client)
    names = [model.name for model in schema.CUSTOM_MODELS]
    owners = {
        row["model"]: row["id"]
        for row in client.search_read("ir.model", [("model", "in", names)], ["model"])
    }
    present = {
        (row["model_id"], row["group_id"])
        for row in client.search_read(
            "ir.model.access",
            [("model_id", "in", list(owners.values()))],
            ["model_id", "group_id"],
        )
    }
    steps, values = [], []
    for name in names:
        for right in RIGHTS:
            group = groups[right.module, right.group]
            if (owners.get(name), group) not in present:
                steps.append(Step("access right", f"{name} for {right.label}"))
                values.append(_right_values(name, owners.get(name), group, right))
    if apply:
        client.create("ir.model.access", values)
    return steps


def _right_values(name: str, owner: int | None, group: int, right: Right) -> dict[str, Any]:
    return {
        "name": f"{name} {right.label}",
        "model_id": owner,
        "group_id": group,
        "perm_read": True,
        "perm_write": right.write,
        "perm_create": right.write,
        "perm_unlink": right.unlink,
    }


def _groups(client: OdooClient) -> dict[tuple[str, str], int]:
    rows = client.search_read(
        "ir.model.data",
        [("model", "=", "res.groups"), ("name", "in", [right.group for right in RIGHTS])],
        ["module", "name", "res_id"],
    )
    groups = {(row["module"], row["name"]): int(row["res_id"]) for row in rows}
    for right in RIGHTS:
        if (right.module, right.group) not in groups:
            raise OdooRefusedError(
                f"Odoo has no group {right.module}.{right.group}: install the apps Sales and"
                " Invoicing there, then run `fusion-billing odoo bootstrap` again"
            )
    return groups
