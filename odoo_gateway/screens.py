"""List, form, action and menu for each custom model: finance edits the catalogue in Odoo."""

from __future__ import annotations

from html import escape

from odoo_gateway import schema
from odoo_gateway.client import OdooClient
from odoo_gateway.steps import Step

MENU = "Usage billing"


def screens(client: OdooClient, apply: bool) -> list[Step]:
    """Steps for every view, action and menu that is missing. With `apply`, makes them."""
    return [*_views(client, apply), *_actions(client, apply), *_menus(client, apply)]


def list_arch(model: schema.Model) -> str:
    fields = "".join(_field(field) for field in model.fields)
    return f'<list editable="bottom">{fields}</list>'


def form_arch(model: schema.Model) -> str:
    fields = "".join(_field(field) for field in model.fields)
    return f"<form><sheet><group>{fields}</group></sheet></form>"


def _field(field: schema.Field) -> str:
    return f'<field name="{escape(field.name)}"/>'


def _views(client: OdooClient, apply: bool) -> list[Step]:
    names = [model.name for model in schema.CUSTOM_MODELS]
    rows = client.search_read("ir.ui.view", [("model", "in", names)], ["model", "type"])
    present = {(row["model"], row["type"]) for row in rows}
    steps, values = [], []
    for model in schema.CUSTOM_MODELS:
        for kind, arch in (("list", list_arch(model)), ("form", form_arch(model))):
            if (model.name, kind) not in present:
                name = f"{model.name} {kind}"
                steps.append(Step("view", name))
                values.append({"name": name, "model": model.name, "type": kind, "arch": arch})
    if apply:
        client.create("ir.ui.view", values)
    return steps


def _window_actions(client: OdooClient) -> dict[str, int]:
    names = [model.name for model in schema.CUSTOM_MODELS]
    rows = client.search_read("ir.actions.act_window", [("res_model", "in", names)], ["res_model"])
    return {row["res_model"]: row["id"] for row in rows}


def _actions(client: OdooClient, apply: bool) -> list[Step]:
    present = _window_actions(client)
    missing = [model for model in schema.CUSTOM_MODELS if model.name not in present]
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
    for position, model in enumerate(schema.CUSTOM_MODELS):
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
