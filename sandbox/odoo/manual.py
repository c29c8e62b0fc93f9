"""Odoo describing and extending itself: manual models and fields, access rights, server actions."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree

from sandbox.odoo.environment import LOG_FIELDS, USER, Behaviour, Environment
from sandbox.odoo.errors import AccessError, Fault, ValidationError, WrongValue
from sandbox.odoo.fields import Field, Row
from sandbox.odoo.storage import UniqueIndex, UniqueViolation

MODEL, FIELD, ACCESS = "ir.model", "ir.model.fields", "ir.model.access"
CHOICE = "ir.model.fields.selection"
OPERATIONS = {
    "read": "You are not allowed to access '{label}' ({model}) records.",
    "write": "You are not allowed to modify '{label}' ({model}) records.",
    "create": "You are not allowed to create '{label}' ({model}) records.",
    "unlink": "You are not allowed to delete '{label}' ({model}) records.",
}
CREATE_INDEX = re.compile(
    r"create unique index if not exists (\w+) on (\w+) \(((?:[\w, ]|\([^()]*\))+)\)"
    r"(?: where [\w\s]+)?",
    re.IGNORECASE,
)
DROP_INDEX = re.compile(r"drop index if exists (\w+)", re.IGNORECASE)
# A column, or one that counts as a literal where it is unset.
INDEXED = re.compile(r"coalesce\((\w+), '([^']*)'\)|(\w+)", re.IGNORECASE)
LIST_INDEXES = re.compile(r"select indexname from pg_indexes", re.IGNORECASE)


def describe(env: Environment) -> None:
    """Rows of ir.model and ir.model.fields for the models the double has by itself."""
    for model, fields in env.models.items():
        (number,) = env.create(
            MODEL, [{"name": env.labels[model], "model": model, "state": "base"}]
        )
        _describe_fields(env, number, fields)


def _describe_fields(env: Environment, model: int, fields: dict[str, Field]) -> None:
    env.create(
        FIELD,
        [
            {
                "name": name,
                "model_id": model,
                "field_description": each.label,
                "ttype": each.type,
                "relation": each.relation or False,
                "required": each.required,
                "store": each.stored,
                "state": "base",
            }
            for name, each in fields.items()
        ],
    )


def load(env: Environment) -> None:
    """Puts the manual models and fields of the state file back into the registry."""
    for row in env.store.rows(MODEL).values():
        if row["state"] == "manual":
            env.models.setdefault(row["model"], dict(LOG_FIELDS))
            env.labels[row["model"]] = row["name"]
    for row in env.store.rows(FIELD).values():
        if row["state"] == "manual":
            _register(env, row)
    for model in env.models:
        env.index(model)


def reload(env: Environment) -> None:
    """The registry as the store has it: after a delete, or after a create that was undone."""
    for model in [each for each in env.models if each.startswith("x_")]:
        del env.models[model]
    for fields in env.models.values():
        for name in [each for each in fields if each.startswith("x_")]:
            del fields[name]
    load(env)


def _register(env: Environment, row: Row) -> None:
    options = tuple(
        (option["value"], option["name"])
        for option in (
            env.row("ir.model.fields.selection", number)
            for number in env.referring(CHOICE, "field_id", row["id"])
        )
    )
    described = Field(
        row["ttype"],
        row.get("field_description") or row["name"],
        relation=row.get("relation") or None,
        required=bool(row.get("required")),
        selection=options,
        inverse=row.get("relation_field") or None,
        on_delete=row.get("on_delete") or None if row["ttype"] == "many2one" else None,
    )
    if row.get("related"):
        link, _, target = str(row["related"]).partition(".")
        described = replace(described, related=(link, target), required=False)
    env.models[env.row(MODEL, row["model_id"])["model"]][row["name"]] = described


def _prepare_model(env: Environment, row: Row) -> None:
    if row["state"] != "manual":
        return
    if not str(row.get("model", "")).startswith("x_"):
        raise ValidationError("The model name must start with 'x_'.")
    if row["model"] in env.models:
        raise ValidationError(
            "The operation cannot be completed: Each model must have a unique name."
        )
    env.models[row["model"]] = dict(LOG_FIELDS)
    env.labels[row["model"]] = row["name"]


def _models_created(env: Environment, ids: list[int]) -> None:
    for number in ids:
        if env.row(MODEL, number)["state"] == "manual":
            _describe_fields(env, number, LOG_FIELDS)


def _models_deleting(env: Environment, ids: list[int]) -> None:
    for number in ids:
        for model in (FIELD, ACCESS):
            for each in env.store.referring(model, "model_id", number):
                env.store.put(model, each, None)


def _reloaded(env: Environment, rows: list[Row]) -> None:
    reload(env)


def _prepare_field(env: Environment, row: Row) -> None:
    if row["state"] != "manual":
        return
    model = env.row(MODEL, row["model_id"])["model"]
    if not str(row.get("name", "")).startswith("x_"):
        raise ValidationError(
            "The operation cannot be completed: Custom fields must have a name that starts with"
            " 'x_'!"
        )
    if row["name"] in env.models[model]:
        raise ValidationError(
            "The operation cannot be completed: Field names must be unique per model."
        )
    if row["ttype"] == "one2many":
        _check_one2many(env, row)


def _check_one2many(env: Environment, row: Row) -> None:
    relation, inverse = row.get("relation"), row.get("relation_field")
    if not inverse:
        raise ValidationError(
            "The operation cannot be completed:"
            f" One2Many relation_field for {row['name']} is not set."
        )
    if inverse not in env.models.get(str(relation), {}):
        raise ValidationError(f"Unknown field {inverse!r} in {relation!r}")


def _fields_created(env: Environment, ids: list[int]) -> None:
    for number in ids:
        row = env.row(FIELD, number)
        if row["state"] == "manual":
            _register(env, row)
            env.index(env.row(MODEL, row["model_id"])["model"])


def _field_written(env: Environment, ids: list[int], row: Row) -> None:
    for number in ids:
        field = env.row(FIELD, number)
        if field["state"] == "manual":
            _register(env, field)


def _choice_changed(env: Environment, ids: list[int]) -> None:
    _field_written(env, [env.row(CHOICE, number)["field_id"] for number in ids], {})


def check_access(env: Environment, model: str, operation: str) -> None:
    """AccessError on a manual model to which no right gives the user's groups this operation."""
    if not model.startswith("x_") or model not in env.models:
        return
    (number,) = [each["id"] for each in env.store.rows(MODEL).values() if each["model"] == model]
    rights = [env.row(ACCESS, each) for each in env.store.referring(ACCESS, "model_id", number)]
    granting = [each for each in rights if each.get(f"perm_{operation}") and each["active"]]
    mine = set(env.row("res.users", USER)["group_ids"])
    if any(not each.get("group_id") or each["group_id"] in mine for each in granting):
        return
    groups = "".join(
        f"\n\t- {env.row('res.groups', each['group_id'])['name']}" for each in granting
    )
    allowed = "This operation is allowed for the following groups:" + groups
    words = OPERATIONS[operation].format(label=env.labels[model], model=model)
    raise AccessError(
        f"{words}\n\n{allowed if groups else 'No group currently allows this operation.'}"
        "\n\nContact your administrator to request access if necessary."
    )


# --- server actions


def _run(env: Environment, ids: list[int]) -> Any:
    result: Any = False
    for number in ids:
        result = _run_code(env, str(env.row("ir.actions.server", number).get("code") or ""))
    return result


def _run_code(env: Environment, code: str) -> Any:
    """Understands just what bootstrap sends: unique indexes, and asking for their names."""
    dropped = list(DROP_INDEX.finditer(code))
    for found in dropped:
        env.store.drop_unique(found[1])
    statements = list(CREATE_INDEX.finditer(code))
    for found in statements:
        parts = INDEXED.finditer(found[3])
        columns = {part[1] or part[3]: part[2] for part in parts}
        _create_index(env, code, found[1], found[2], columns)
    if LIST_INDEXES.search(code):
        names = sorted(index.name for index in env.store.unique_indexes())
        return {"type": "ir.actions.act_window_close", "infos": {"names": names}}
    if not statements and not dropped:
        raise WrongValue(f"the double does not understand this server action:\n{code}")
    return False


def _create_index(
    env: Environment, code: str, name: str, table: str, columns: dict[str, str | None]
) -> None:
    """`columns` with the literal that an unset one counts as; None keeps such rows out."""
    if any(index.name == name for index in env.store.unique_indexes()):
        return
    model = next((each for each in env.models if each.replace(".", "_") == table), None)
    if model is None:
        raise WrongValue(
            f"UndefinedTable('relation \"{table}\" does not exist\\n') while evaluating\n{code!r}"
        )
    for column in columns:
        if column not in env.models[model]:
            raise WrongValue(
                f"UndefinedColumn('column \"{column}\" does not exist\\n') while evaluating\n"
                f"{code!r}"
            )
    try:
        shown_columns = tuple(
            f"COALESCE({each}, '{unset}'::{_sql_type(env, model, each)})"
            if unset is not None
            else each
            for each, unset in columns.items()
        )
        index = UniqueIndex(
            name, model, tuple(columns), code, tuple(columns.values()), shown_columns
        )
        env.store.add_unique(index)
    except UniqueViolation as clash:
        shown = f"Key {clash} is duplicated."
        raise WrongValue(
            f"UniqueViolation('could not create unique index \"{name}\"\\nDETAIL:  {shown}\\n')"
            f" while evaluating\n{code!r}"
        ) from None


def _sql_type(env: Environment, model: str, name: str) -> str:
    kind = env.models[model][name].type
    return {"char": "character varying", "date": "date"}.get(kind, "text")


def duplicate(clash: UniqueViolation) -> Fault:
    """PostgreSQL's words in Odoo's ValidationError."""
    return ValidationError(
        "The operation cannot be completed: duplicate key value violates unique constraint"
        f' "{clash.index.name}"\nDETAIL:  Key {clash} already exists.\n'
    )


def _view_written(env: Environment, ids: list[int], row: Row) -> None:
    if "arch" in row:
        _view_created(env, ids)


def _view_created(env: Environment, ids: list[int]) -> None:
    for number in ids:
        row = env.row("ir.ui.view", number)
        if row.get("inherit_id"):
            continue
        _check_arch(env, str(row.get("model")), str(row.get("arch") or ""))


def _check_arch(env: Environment, model: str, arch: str) -> None:
    try:
        root = ElementTree.fromstring(arch)  # noqa: S314 -- our own views, on loopback
    except ElementTree.ParseError as error:
        raise ValidationError(f"Error while validating view:\n\n{error}") from None
    _check_fields(env, model, root, arch)


def _check_fields(env: Environment, model: str, node: ElementTree.Element, arch: str) -> None:
    """Fields within a field are those of the model it points at."""
    for child in node:
        inner = model
        if child.tag == "field" and model in env.models:
            name = child.get("name", "")
            if name not in env.models[model]:
                raise ValidationError(
                    f"Error while validating view near:\n\n{arch}\n"
                    f'Field "{name}" does not exist in model "{model}"'
                )
            inner = env.models[model][name].relation or model
        _check_fields(env, inner, child, arch)


BEHAVIOURS = {
    MODEL: Behaviour(
        order="model",
        prepare=_prepare_model,
        created=_models_created,
        deleting=_models_deleting,
        deleted=_reloaded,
    ),
    FIELD: Behaviour(
        order="model, name",
        prepare=_prepare_field,
        created=_fields_created,
        written=_field_written,
        deleted=_reloaded,
        display_name=lambda env, number: env.value(FIELD, number, "field_description"),
    ),
    CHOICE: Behaviour(order="sequence, id", created=_choice_changed),
    "ir.ui.view": Behaviour(created=_view_created, written=_view_written),
    "ir.ui.menu": Behaviour(order="sequence, id"),
    "ir.actions.server": Behaviour(methods={"run": _run}),
}
