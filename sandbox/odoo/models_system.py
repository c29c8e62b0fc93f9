"""The records in which Odoo describes itself: models, fields, rights, views, menus, actions."""

from __future__ import annotations

from sandbox.odoo.fields import Field
from sandbox.odoo.models_base import ACTIVE, behind, many2many, many2one, selection

MODELS: dict[str, dict[str, Field]] = {
    "decimal.precision": {
        "name": Field(label="Usage", required=True),
        "digits": Field("integer", "Digits", default=2),
    },
    "ir.config_parameter": {
        "key": Field(label="Key", required=True),
        "value": Field("text", "Value", required=True),
    },
    "ir.model": {
        "name": Field(label="Model Description", required=True),
        "model": Field(label="Model", required=True),
        "order": Field(label="Order", default="id"),
        "info": Field("text", "Information"),
        "state": selection("Type", "manual", "base", default="manual"),
        "transient": Field("boolean", "Transient Model"),
        "field_id": Field("one2many", "Fields", relation="ir.model.fields", inverse="model_id"),
        "access_ids": Field("one2many", "Access", relation="ir.model.access", inverse="model_id"),
    },
    "ir.model.fields": {
        "name": Field(label="Field Name", required=True),
        "model": behind("model_id", "model", "char", "Model Name"),
        "model_id": many2one("ir.model", "Model", required=True),
        "field_description": Field(label="Field Label"),
        "help": Field("text", "Field Help"),
        "ttype": Field("selection", "Field Type", required=True),
        "relation": Field(label="Related Model Name"),
        "relation_field": Field(label="Relation Field"),
        "selection_ids": Field(
            "one2many",
            "Selection Options",
            relation="ir.model.fields.selection",
            inverse="field_id",
        ),
        "required": Field("boolean", "Required"),
        "on_delete": selection("On Delete", "cascade", "set null", "restrict"),
        "readonly": Field("boolean", "Readonly"),
        "index": Field("boolean", "Indexed"),
        "copied": Field("boolean", "Copied"),
        "store": Field("boolean", "Stored", default=True),
        "related": Field(label="Related Field Definition"),
        "state": selection("Type", "manual", "base", default="manual"),
    },
    "ir.model.fields.selection": {
        "field_id": many2one("ir.model.fields", "Field", required=True),
        "value": Field(label="Value", required=True),
        "name": Field(label="Name", required=True),
        "sequence": Field("integer", "Sequence", default=1000),
    },
    "ir.model.access": {
        "name": Field(label="Name", required=True),
        "model_id": many2one("ir.model", "Model", required=True),
        "group_id": many2one("res.groups", "Group"),
        "active": ACTIVE,
        "perm_read": Field("boolean", "Read Access"),
        "perm_write": Field("boolean", "Write Access"),
        "perm_create": Field("boolean", "Create Access"),
        "perm_unlink": Field("boolean", "Delete Access"),
    },
    "ir.model.data": {
        "name": Field(label="External Identifier", required=True),
        "module": Field(label="Module"),
        "model": Field(label="Model Name", required=True),
        "res_id": Field("many2one_reference", "Record ID"),
        "noupdate": Field("boolean", "Non Updatable"),
    },
    "ir.ui.view": {
        "name": Field(label="View Name", required=True),
        "model": Field(label="Model"),
        "type": selection("View Type", "list", "form", "search", "qweb"),
        "arch": Field("text", "View Architecture"),
        "priority": Field("integer", "Sequence", default=16),
        "inherit_id": many2one("ir.ui.view", "Inherited View"),
        "mode": selection("View inheritance mode", "primary", "extension", default="primary"),
        "active": ACTIVE,
    },
    "ir.ui.menu": {
        "name": Field(label="Menu", required=True),
        "parent_id": many2one("ir.ui.menu", "Parent Menu"),
        "action": Field("reference", "Action"),
        "sequence": Field("integer", "Sequence", default=10),
        "web_icon": Field(label="Web Icon File"),
        "group_ids": many2many("res.groups", "Groups"),
        "active": ACTIVE,
    },
    "ir.actions.act_window": {
        "name": Field(label="Action Name", required=True),
        "res_model": Field(label="Destination Model", required=True),
        "view_mode": Field(label="View Mode", default="list,form"),
        "domain": Field(label="Domain Value"),
        "context": Field(label="Context Value", default="{}"),
        "help": Field("html", "Action Description"),
    },
    "ir.actions.server": {
        "name": Field(label="Action Name", required=True),
        "model_id": many2one("ir.model", "Model", required=True),
        "state": selection(
            "Type", "code", "object_write", "object_create", "multi", default="object_write"
        ),
        "code": Field("text", "Python Code"),
    },
}
