"""What a client may call: services `common`, `object` and `db`, and the ORM's methods."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from sandbox.odoo import manual
from sandbox.odoo.environment import USER, Environment
from sandbox.odoo.errors import (
    AccessDenied,
    AccessError,
    Fault,
    NoAttribute,
    OperationalError,
    WrongArguments,
)
from sandbox.odoo.fields import Row
from sandbox.odoo.storage import UniqueViolation

VERSION = {
    "server_version": "19.0",
    "server_version_info": [19, 0, 0, "final", 0, ""],
    "server_serie": "19.0",
    "protocol_version": 1,
}
DESCRIPTION = ("type", "string", "relation", "required", "store", "readonly", "selection", "manual")


@dataclass(frozen=True)
class Account:
    """Who may log in; `db` None accepts any database name."""

    user: str = "admin"
    key: str = "admin"
    db: str | None = None


def dispatch(env: Environment, account: Account, service: str, method: str, args: list[Any]) -> Any:
    """Raises Fault for every error that Odoo would answer with."""
    if service == "db" and method == "list":
        return [account.db or "odoo"]
    if service == "common":
        return _common(account, method, args)
    if service != "object" or method not in ("execute", "execute_kw"):
        raise NoAttribute(f"Method not available {service}.{method}")
    db, uid, key, model, name, *rest = args
    _check_database(account, db)
    if int(uid) != USER or key != account.key:
        raise AccessDenied("Access Denied")
    if method == "execute":
        return call(env, model, name, rest, {})
    arguments, keywords = [*rest, [], {}][:2] if rest else ([], {})
    return call(env, model, name, arguments, keywords or {})


def _common(account: Account, method: str, args: list[Any]) -> Any:
    if method == "version":
        return VERSION
    if method not in ("login", "authenticate"):
        raise Fault(f"Method not found: {method}")
    db, user, key = args[:3]
    _check_database(account, db)
    return USER if (user, key) == (account.user, account.key) else False


def _check_database(account: Account, db: str) -> None:
    if account.db is not None and db != account.db:
        raise OperationalError(
            f'connection to server failed: FATAL:  database "{db}" does not exist\n'
        )


@dataclass(frozen=True)
class Method:
    """`function` takes the arguments a client gives: for a method of records, ids first. `access`
    is the right it needs, if any."""

    function: Callable[..., Any]
    of_model: bool
    access: str


def public_method(env: Environment, model: str, name: str) -> Method:
    """AccessError where it is private, NoAttribute where there is none."""
    if name.startswith("_"):
        raise AccessError(f"Private methods (such as '{model}.{name}') cannot be called remotely.")
    if name in ORM:
        access, function = ORM[name]
        return Method(partial(function, env, model), name not in OF_RECORDS, access)
    methods = env.behaviour(model).methods
    if name not in methods:
        raise NoAttribute(f"The method '{model}.{name}' does not exist")
    return Method(partial(methods[name], env), of_model=False, access="")


def call(
    env: Environment, model: str, name: str, args: list[Any], keywords: Mapping[str, Any]
) -> Any:
    """One method of one model, in one transaction."""
    named = dict(keywords)
    env.begin(named.pop("context", None) or {})
    env.model(model)
    method = public_method(env, model, name)
    if method.access:
        manual.check_access(env, model, method.access)
    if not method.of_model:
        args = [ids_of(args[0] if args else []), *args[1:]]
    try:
        return _transacted(env, lambda: method.function(*args, **named))
    except Fault:
        if model in (manual.MODEL, manual.FIELD):
            manual.reload(env)
        raise


def _transacted(env: Environment, work: Callable[[], Any]) -> Any:
    try:
        with env.store.transaction():
            return work()
    except UniqueViolation as clash:
        raise manual.duplicate(clash) from None
    except TypeError as error:
        raise WrongArguments(str(error)) from error


def ids_of(value: Any) -> list[int]:
    return [value] if isinstance(value, int) else list(value)


def _search(env: Environment, model: str, domain: Any, **window: Any) -> list[int]:
    return env.search(model, domain, **window)


def _search_count(env: Environment, model: str, domain: Any, limit: int | None = None) -> int:
    return len(env.search(model, domain, limit=limit))


def _search_read(
    env: Environment,
    model: str,
    domain: Any = (),
    fields: Any = None,
    offset: int = 0,
    limit: int | None = None,
    order: str | None = None,
    load: str | None = "_classic_read",
    **unknown: Any,
) -> list[Row]:
    for name in unknown:
        raise WrongArguments(
            f"BaseModel._read_format() got an unexpected keyword argument {name!r}"
        )
    return env.read(model, env.search(model, domain, offset, limit, order), fields, load)


def _read(
    env: Environment,
    model: str,
    ids: Any,
    fields: Any = None,
    load: str | None = "_classic_read",
) -> list[Row]:
    return env.read(model, ids_of(ids), fields, load)


def _create(env: Environment, model: str, vals_list: Any) -> int | list[int]:
    if isinstance(vals_list, Mapping):
        return env.create(model, [vals_list])[0]
    return env.create(model, vals_list)


def _write(env: Environment, model: str, ids: Any, vals: Mapping[str, Any]) -> bool:
    env.write(model, ids_of(ids), vals)
    return True


def _unlink(env: Environment, model: str, ids: Any) -> bool:
    env.unlink(model, ids_of(ids))
    return True


def _fields_get(
    env: Environment, model: str, allfields: Any = None, attributes: Any = None
) -> dict[str, Row]:
    wanted = attributes or DESCRIPTION
    described = {}
    for name, field in env.model(model).items():
        if allfields and name not in allfields:
            continue
        row: Row = {
            "name": name,
            "type": field.type,
            "string": field.label or name,
            "required": field.required,
            # Odoo calls a one2many with an inverse stored too.
            "store": field.stored or field.inverse is not None,
            "readonly": not field.stored and not field.related and not field.inverse,
            "manual": name.startswith("x_"),
        }
        if field.type == "float":
            digits = env.precision(field.digits)
            row["digits"] = False if digits is None else [16, digits]
            if field.shown_digits:
                row["min_display_digits"] = env.precision(field.shown_digits)
        if field.relation:
            row["relation"] = field.relation
        if field.selection:
            row["selection"] = [list(pair) for pair in field.selection]
        described[name] = {key: row[key] for key in wanted if key in row}
    return described


def _context_get(env: Environment, model: str) -> Row:
    return {"lang": "en_US", "tz": "America/Toronto", "uid": USER}


def _check_object_reference(
    env: Environment, model: str, module: str, name: str, *rest: Any
) -> list[Any]:
    for row in env.store.rows("ir.model.data").values():
        if (row["module"], row["name"]) == (module, name):
            return [row["model"], row["res_id"]]
    raise Fault(f"External ID not found in the system: {module}.{name}")


def _has_access(env: Environment, model: str, ids: Any, operation: str) -> bool:
    try:
        manual.check_access(env, model, operation)
    except AccessError:
        return False
    return True


# The operation whose access right a method needs (fields_get: none), and the method.
ORM: dict[str, tuple[str, Callable[..., Any]]] = {
    "search": ("read", _search),
    "search_count": ("read", _search_count),
    "search_read": ("read", _search_read),
    "read": ("read", _read),
    "create": ("create", _create),
    "write": ("write", _write),
    "unlink": ("unlink", _unlink),
    "fields_get": ("", _fields_get),
    "has_access": ("", _has_access),
    "context_get": ("read", _context_get),
    "check_object_reference": ("read", _check_object_reference),
}
OF_RECORDS = frozenset({"read", "write", "unlink", "has_access"})
