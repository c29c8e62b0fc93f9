"""The double's JSON-2 API: `POST /json/2/<model>/<method>`, with a real Odoo 19's statuses, error
bodies and order of checks: route, media type, database, key, JSON, model, method, arguments."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sandbox.odoo import rpc
from sandbox.odoo.environment import Environment
from sandbox.odoo.errors import (
    AccessDenied,
    AccessError,
    Fault,
    MissingError,
    NoAttribute,
    UserError,
    ValidationError,
)

PREFIX = "/json/2"
VERSIONS = ("/json/version", "/web/version")
HTTP = "werkzeug.exceptions."
HTML = "text/html; charset=utf-8"
STATUSES: dict[type[Fault], int] = {
    UserError: 422,
    ValidationError: 422,
    AccessError: 403,
    AccessDenied: 403,
    MissingError: 404,
}
NO_DATABASE = """<!DOCTYPE html>
<title>404 Not Found</title>
<h1>Not Found</h1>
<p>No database is selected and the requested URL was not found in the server-wide controllers.</p>
<p>Please verify the hostname, <a href=/web/login>login</a> and try again.</p>

<!-- Alternatively, use the X-Odoo-Database header. -->
"""
UNSUPPORTED = """<!doctype html>
<html lang=en>
<title>415 Unsupported Media Type</title>
<h1>Unsupported Media Type</h1>
<p>Request inferred type is compatible with [&#39;http&#39;] but \
&#39;/json/2/&lt;__model__&gt;/&lt;__method__&gt;&#39; is type=&#39;json2&#39;.<br><br>Please \
verify the Content-Type request header and try again.</p>
"""


@dataclass(frozen=True)
class Answer:
    """`content` is an HTML page or what becomes JSON."""

    status: int
    content: Any
    headers: dict[str, str] = field(default_factory=dict)


class HttpFault(Fault):
    """werkzeug's exceptions, whose class the error names."""

    def __init__(self, status: int, name: str, message: str) -> None:
        super().__init__(message)
        self.name = HTTP + name
        self.status = status


def answer(
    env: Environment,
    account: rpc.Account,
    verb: str,
    path: str,
    headers: Mapping[str, str],
    body: bytes,
) -> Answer:
    """`headers` by their names in lower case. Raises what only a bug of the double raises."""
    if path in VERSIONS:
        version = {"version_info": rpc.VERSION["server_version_info"]}
        return Answer(200, {**version, "version": rpc.VERSION["server_version"]})
    route = re.fullmatch(rf"{PREFIX}/([^/]+)/([^/]+)", path)
    if route and verb == "POST" and body and _media_type(headers) != "application/json":
        return Answer(415, UNSUPPORTED, {"Content-Type": HTML, "Accept": "application/json"})
    if account.db not in (None, headers.get("x-odoo-database") or account.db):
        return Answer(404, NO_DATABASE, {"Content-Type": HTML})
    try:
        if not route or verb != "POST":
            raise HttpFault(404, "NotFound", "Did you mean POST /json/2/<model>/<method>?")
        _authenticate(account, headers.get("authorization", ""))
        return Answer(200, _called(env, route[1], route[2], _arguments(body)))
    except Fault as fault:
        return refusal(fault)


def refusal(fault: Fault, debug: str = "") -> Answer:
    if isinstance(fault, HttpFault):
        headers = {"WWW-Authenticate": "Bearer"} if fault.status == 401 else {}
        return Answer(fault.status, _body(fault, debug, fault.status), headers)
    return Answer(STATUSES.get(type(fault), 500), _body(fault, debug))


def _body(fault: Fault, debug: str, *more: int) -> dict[str, Any]:
    message = str(fault)
    return {
        "name": fault.name,
        "message": message,
        "arguments": [message, *more],
        "context": {},
        "debug": debug or f"Traceback (most recent call last):\n{fault.name}: {message}\n",
    }


def _media_type(headers: Mapping[str, str]) -> str:
    return headers.get("content-type", "").partition(";")[0].strip().lower()


def _authenticate(account: rpc.Account, header: str) -> None:
    """The double's one key serves as password over JSON-RPC and as API key here."""
    token = re.fullmatch(r"bearer\s+(.+)", header, re.IGNORECASE)
    if not token:
        raise HttpFault(
            401,
            "Unauthorized",
            "User not authenticated, use an API Key with a Bearer Authorization header.",
        )
    if token[1] != account.key:
        raise HttpFault(401, "Unauthorized", "Invalid apikey")


def _arguments(body: bytes) -> dict[str, Any]:
    """JSON that is no object counts as no arguments."""
    try:
        given = json.loads(body.decode(errors="replace")) if body else {}
    except ValueError as error:
        raise HttpFault(400, "BadRequest", f"could not parse the body as json: {error}") from None
    return given if isinstance(given, dict) else {}


def _called(env: Environment, model: str, name: str, given: dict[str, Any]) -> Any:
    named = dict(given)
    ids, context = rpc.ids_of(named.pop("ids", None) or []), named.pop("context", None) or {}
    if model not in env.models:
        raise HttpFault(404, "NotFound", f"the model {model!r} does not exist")
    try:
        method = rpc.public_method(env, model, name)
    except NoAttribute as fault:
        raise HttpFault(404, "NotFound", str(fault)) from None
    if method.of_model and ids:
        raise HttpFault(422, "UnprocessableEntity", f"cannot call {model}.{name} with ids")
    positional = [] if method.of_model else [ids]
    try:
        inspect.signature(method.function).bind(*positional, **named)
    except TypeError as error:
        raise HttpFault(422, "UnprocessableEntity", str(error)) from None
    result = rpc.call(env, model, name, positional, {**named, "context": context})
    return [result] if name == "create" and isinstance(result, int) else result
