"""Makes the x_fc_* fields and models of `odoo_gateway.schema` in Odoo, by RPC and without an addon.

Needs an administrator (Settings, and Sales and Invoicing for the rights it hands out). Everything
is looked up before it is made, so a second run makes nothing, and what an earlier version of the
platform made gains what is new: fields, choices of a selection, screens.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from odoo_gateway import schema
from odoo_gateway.client import OdooClient, Record
from odoo_gateway.errors import OdooRefusedError
from odoo_gateway.screens import screens
from odoo_gateway.steps import Step
from odoo_gateway.uniqueness import unique_indexes

# A copied order or line is another one: its keys and its history must not travel along.
NOT_COPIED = frozenset(
    {
        "x_fc_account_key",
        "x_fc_command_key",
        "x_fc_dual_run",
        "x_fc_dual_run_key",
        "x_fc_external_id",
        "x_fc_line_key",
        "x_fc_pauses",
        "x_fc_period_end",
        "x_fc_period_start",
        "x_fc_trial_end",
    }
)
FIELDS, CHOICES = "ir.model.fields", "ir.model.fields.selection"


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
    # The indexes before what may be refused for other reasons: exactly-once rests on them.
    return (_native_fields, _models, unique_indexes, _one2manys, _rights, screens)


def _native_fields(client: OdooClient, apply: bool) -> list[Step]:
    steps = []
    for model, fields in schema.NATIVE_FIELDS.items():
        steps += _fields(client, apply, model, fields)
    return steps


def _fields(
    client: OdooClient, apply: bool, model: str, fields: Sequence[schema.Field]
) -> list[Step]:
    """One create per model: Odoo reloads its registry once for all of them."""
    rows = client.search_read(
        FIELDS, [("model", "=", model)], ["name", "ttype", "required", "selection_ids"]
    )
    present = {row["name"]: row for row in rows}
    for field in fields:
        found = present.get(field.name, {"ttype": field.type})["ttype"]
        if found != field.type:
            raise OdooRefusedError(
                f"{model}.{field.name} is there as {found}, the platform needs {field.type}:"
                " rename or delete it in Odoo (Settings, Technical, Fields), then run"
                " `fusion-billing odoo bootstrap` again"
            )
    missing = [field for field in fields if field.name not in present]
    if apply and missing:
        (owner,) = client.search_read("ir.model", [("model", "=", model)], ["id"])
        client.create(FIELDS, [{"model_id": owner["id"], **_values(each)} for each in missing])
    old = [(field, present[field.name]) for field in fields if field.name in present]
    return [
        *(Step("field", f"{model}.{field.name}") for field in missing),
        *_no_longer_required(client, apply, model, old),
        *_new_choices(client, apply, model, old),
    ]


Known = Sequence[tuple[schema.Field, Record]]


def _no_longer_required(client: OdooClient, apply: bool, model: str, known: Known) -> list[Step]:
    """Fields that an earlier version needed. The other way round, rows may lack a value: left."""
    freed = [(field, row) for field, row in known if row["required"] and not field.required]
    for field, row in freed if apply else ():
        values = {"required": False}
        client.write(FIELDS, [row["id"]], {**values, **_deletion(field)})
    return [Step("optional field", f"{model}.{field.name}") for field, _row in freed]


def _new_choices(client: OdooClient, apply: bool, model: str, known: Known) -> list[Step]:
    numbers = [number for _field, row in known for number in row["selection_ids"]]
    if not numbers:
        return []
    present = {
        (row["field_id"], row["value"])
        for row in client.search_read(CHOICES, [("id", "in", numbers)], ["field_id", "value"])
    }
    missing = [
        (f"{model}.{field.name}: {value}", {"field_id": row["id"], **choice})
        for field, row in known
        for value, choice in _choices(field).items()
        if (row["id"], value) not in present
    ]
    if apply and missing:
        client.create(CHOICES, [values for _name, values in missing])
    return [Step("choice", name) for name, _values in missing]


def _choices(field: schema.Field) -> dict[str, dict[str, Any]]:
    return {
        value: {"value": value, "name": label, "sequence": position}
        for position, (value, label) in enumerate(field.selection)
    }


def _deletion(field: schema.Field) -> dict[str, str]:
    if field.type != "many2one":
        return {}
    return {"on_delete": field.on_delete or ("restrict" if field.required else "set null")}


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
        **_deletion(field),
    }
    if field.relation:
        values["relation"] = field.relation
    if field.relation_field:
        values["relation_field"] = field.relation_field
    if field.selection:
        values["selection_ids"] = [(0, 0, choice) for choice in _choices(field).values()]
    return values


def _models(client: OdooClient, apply: bool) -> list[Step]:
    """Models with their fields, but for the one2manys: those need the model at the other end."""
    names = [model.name for model in schema.CUSTOM_MODELS]
    rows = client.search_read("ir.model", [("model", "in", names)], ["model"])
    present = {row["model"] for row in rows}
    steps = []
    for model in schema.CUSTOM_MODELS:
        fields = [field for field in model.fields if field.type != "one2many"]
        if model.name in present:
            steps += _fields(client, apply, model.name, fields)
            continue
        if apply:
            commands = [(0, 0, _values(field)) for field in fields]
            values = {"name": model.label, "model": model.name, "state": "manual"}
            client.create("ir.model", [{**values, "field_id": commands}])
        steps.append(Step("model", model.name))
        steps += [Step("field", f"{model.name}.{field.name}") for field in fields]
    return steps


def _one2manys(client: OdooClient, apply: bool) -> list[Step]:
    steps = []
    for model in schema.CUSTOM_MODELS:
        fields = [field for field in model.fields if field.type == "one2many"]
        if fields:
            steps += _fields(client, apply, model.name, fields)
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
        # Who edits a charge takes tiers out of it.
        "perm_unlink": right.unlink or (right.write and name in schema.INNER_MODELS),
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
