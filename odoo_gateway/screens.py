"""List, form, action and menu for each custom model: finance edits the catalogue in Odoo."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape

from odoo_gateway import schema
from odoo_gateway.client import OdooClient, Record
from odoo_gateway.steps import Step

MENU = "Usage billing"
# Of a record with many fields a list shows these many; the rest can be switched on.
LISTED = 11
OPTIONAL = ' optional="hide"'


def screens(client: OdooClient, apply: bool) -> list[Step]:
    """Steps for every view, action and menu that is missing, and for views of ours that lack a
    field. With `apply`, makes them."""
    return [*_views(client, apply), *_actions(client, apply), *_menus(client, apply)]


def _outer_models() -> list[schema.Model]:
    return [model for model in schema.CUSTOM_MODELS if model.name not in schema.INNER_MODELS]


def list_arch(model: schema.Model) -> str:
    """Edited in place, unless records hold others: those are edited in their form."""
    plain = [field for field in model.fields if field.type != "one2many"]
    fields = "".join(
        f'<field name="{escape(field.name)}"{"" if position < LISTED else OPTIONAL}/>'
        for position, field in enumerate(plain)
    )
    editable = ' editable="bottom"' if len(plain) == len(model.fields) else ""
    return f"<list{editable}>{fields}</list>"


def form_arch(model: schema.Model) -> str:
    plain = "".join(_field(each) for each in model.fields if each.type != "one2many")
    inner = "".join(_inner(each) for each in model.fields if each.type == "one2many")
    return f"<form><sheet><group>{plain}</group>{inner}</sheet></form>"


def _field(field: schema.Field) -> str:
    return f'<field name="{escape(field.name)}"{_condition(field)}/>'


def _inner(field: schema.Field) -> str:
    """The records of a one2many, edited within the form of the one they belong to."""
    (relation,) = (model for model in schema.CUSTOM_MODELS if model.name == field.relation)
    columns = "".join(
        f'<field name="{escape(each.name)}"/>'
        for each in relation.fields
        if each.name != field.relation_field
    )
    return (
        f'<field name="{escape(field.name)}"{_condition(field)}>'
        f'<list editable="bottom">{columns}</list></field>'
    )


def _condition(field: schema.Field) -> str:
    if not field.only_for:
        return ""
    shown = ", ".join(f"'{value}'" for value in field.only_for)
    return f' invisible="x_charge_model not in [{shown}]"'


def _views(client: OdooClient, apply: bool) -> list[Step]:
    names = [model.name for model in _outer_models()]
    rows = client.search_read(
        "ir.ui.view",
        [("model", "in", names), ("inherit_id", "=", False)],
        ["name", "model", "type", "arch"],
    )
    steps, values = [], []
    for name, model, kind, arch in _wanted_views():
        present = [row for row in rows if (row["model"], row["type"]) == (model, kind)]
        ours = next((row for row in present if row["name"] == name), None)
        if not present:
            steps.append(Step("view", name))
            values.append({"name": name, "model": model, "type": kind, "arch": arch})
        elif ours and _lacks_a_field(ours, arch):
            steps.append(Step("view", name))
            if apply:
                client.write("ir.ui.view", [ours["id"]], {"arch": arch})
    if apply:
        client.create("ir.ui.view", values)
    return steps


def _wanted_views() -> Iterator[tuple[str, str, str, str]]:
    for model in _outer_models():
        for kind, arch in (("list", list_arch(model)), ("form", form_arch(model))):
            yield f"{model.name} {kind}", model.name, kind, arch


def _lacks_a_field(view: Record, arch: str) -> bool:
    """Whether a view of an earlier version knows less; one that people rearranged is left."""
    return not _names(arch) <= _names(str(view["arch"]))


def _names(arch: str) -> set[str]:
    return set(re.findall(r'<field\b[^>]*?\bname="(\w+)"', arch))


def _window_actions(client: OdooClient) -> dict[str, int]:
    names = [model.name for model in _outer_models()]
    rows = client.search_read("ir.actions.act_window", [("res_model", "in", names)], ["res_model"])
    return {row["res_model"]: row["id"] for row in rows}


def _actions(client: OdooClient, apply: bool) -> list[Step]:
    present = _window_actions(client)
    missing = [model for model in _outer_models() if model.name not in present]
    if apply:
        client.create(
            "ir.actions.act_window",
            [
                {"name": f"{model.label}s", "res_model": model.name, "view_mode": "list,form"}
                for model in missing
            ],
        )
    return [Step("action", model.name) for model in missing]


def _menus(client: OdooClient, apply: bool) -> list[Step]:
    rows = client.search_read(
        "ir.ui.menu", [("name", "=", MENU), ("parent_id", "=", False)], ["id"]
    )
    root = rows[0]["id"] if rows else None
    steps = [] if root else [Step("menu", MENU)]
    if apply and root is None:
        (root,) = client.create("ir.ui.menu", [{"name": MENU, "sequence": 45}])
    children = (
        client.search_read("ir.ui.menu", [("parent_id", "=", root)], ["action"]) if root else []
    )
    present = {row["action"] for row in children}
    actions = _window_actions(client)
    values = []
    for position, model in enumerate(_outer_models()):
        target = f"ir.actions.act_window,{actions.get(model.name)}"
        if target not in present:
            steps.append(Step("menu", f"{MENU} / {model.label}s"))
            values.append(
                {
                    "name": f"{model.label}s",
                    "parent_id": root,
                    "action": target,
                    "sequence": 10 * (position + 1),
                }
            )
    if apply:
        client.create("ir.ui.menu", values)
    return steps
