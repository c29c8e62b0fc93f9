"""Odoo's exceptions, as they travel in a JSON-RPC error."""

from __future__ import annotations


class Fault(Exception):
    """An answer that is an error. `name` is the Python class that Odoo would have raised."""

    name = "builtins.Exception"


class UserError(Fault):
    name = "odoo.exceptions.UserError"


class ValidationError(Fault):
    name = "odoo.exceptions.ValidationError"


class AccessError(Fault):
    name = "odoo.exceptions.AccessError"


class MissingError(Fault):
    name = "odoo.exceptions.MissingError"


class AccessDenied(Fault):
    name = "odoo.exceptions.AccessDenied"


class WrongValue(Fault):
    name = "builtins.ValueError"


class NoAttribute(Fault):
    name = "builtins.AttributeError"


class WrongArguments(Fault):
    name = "builtins.TypeError"


class OperationalError(Fault):
    name = "psycopg2.OperationalError"


def missing(model: str, record: int) -> MissingError:
    return MissingError(
        f"Record does not exist or has been deleted.\n(Record: {model}({record},), User: 2)"
    )
