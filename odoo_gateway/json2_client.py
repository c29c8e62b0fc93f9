"""OdooClient over Odoo's JSON-2 API: `POST /json/2/<model>/<method>`, Odoo 19 and later.

Arguments travel by name, with `ids` and `context` beside them; errors are
`{name, message, arguments, context, debug}` with an HTTP status.
https://www.odoo.com/documentation/19.0/developer/reference/external_api.html
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import httpx

from odoo_gateway import faults
from odoo_gateway.client import DESCRIBED, EVERYTHING, QUIET, Domain, OdooVersion, Record
from odoo_gateway.errors import OdooError, OdooRefusedError, OdooTransientError
from odoo_gateway.retries import PAUSES, repeated

NO_DATABASE = "No database is selected"
UNAUTHORIZED = "werkzeug.exceptions.Unauthorized"
NEW_KEY = "make a new key in Odoo (Preferences, Account security, New API key) and put it into .env"


class NoDatabaseError(OdooTransientError):
    """Odoo shows the same page for a database that it does not have and for one whose PostgreSQL
    is away. Where a session worked before, only the second makes sense."""


class Json2Client:
    """One keep-alive connection pool. May be shared by threads, but for `timeout`."""

    def __init__(self, http: httpx.Client) -> None:
        self._http = http
        self.pauses: Sequence[float] = PAUSES

    @property
    def timeout(self) -> float:
        """Seconds that a call may keep silent; may be set between calls."""
        return self._http.timeout.read or 0.0

    @timeout.setter
    def timeout(self, seconds: float) -> None:
        self._http.timeout = seconds

    def version(self) -> OdooVersion:
        result = self._read(lambda: self._answer("GET", "/json/version"))
        major, minor, *rest = result["version_info"]
        return OdooVersion(series=f"{major}.{minor}", enterprise="e" in rest)

    def search_read(
        self,
        model: str,
        domain: Domain,
        fields: Sequence[str],
        *,
        order: str = "id",
        limit: int | None = None,
    ) -> list[Record]:
        arguments: dict[str, Any] = {
            "domain": list(domain),
            "fields": list(fields),
            "order": order,
            "load": False,
            "context": EVERYTHING,
        }
        if limit is not None:
            arguments["limit"] = limit
        records: list[Record] = self._read(lambda: self._post(model, "search_read", arguments))
        return records

    def search_count(self, model: str, domain: Domain) -> int:
        arguments = {"domain": list(domain), "context": EVERYTHING}
        return int(self._read(lambda: self._post(model, "search_count", arguments)))

    def create(
        self,
        model: str,
        values: Sequence[Mapping[str, Any]],
        *,
        context: Mapping[str, Any] | None = None,
    ) -> list[int]:
        if not values:
            return []
        ids: list[int] = self._post(
            model,
            "create",
            {
                "vals_list": [dict(each) for each in values],
                "context": {**QUIET, **(context or {})},
            },
        )
        return ids

    def write(self, model: str, ids: Sequence[int], values: Mapping[str, Any]) -> None:
        if ids:
            arguments = {"ids": list(ids), "vals": dict(values), "context": QUIET}
            self._post(model, "write", arguments)

    def call(self, model: str, method: str, ids: Sequence[int], **kwargs: Any) -> Any:
        return self._post(model, method, {**kwargs, "ids": list(ids)})

    def fields_get(self, model: str) -> dict[str, Record]:
        arguments = {"attributes": DESCRIBED}
        fields: dict[str, Record] = self._read(lambda: self._post(model, "fields_get", arguments))
        return fields

    def whoami(self) -> str:
        """The login of the user to whom the key belongs."""
        number = self._read(lambda: self._post("res.users", "context_get", {}))["uid"]
        (user,) = self.search_read("res.users", [("id", "=", number)], ["login"])
        return str(user["login"])

    def _read(self, read: Callable[[], Any]) -> Any:
        return repeated(read, within=self.timeout, pauses=self.pauses)

    def _post(self, model: str, method: str, arguments: Mapping[str, Any]) -> Any:
        return self._answer("POST", f"/json/2/{model}/{method}", arguments)

    def _answer(self, verb: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """What Odoo answers. Faults are raised after httpx's exceptions are forgotten: the request
        in a chained one holds the key."""
        try:
            response = self._http.request(verb, path, json=body)
            if response.is_success:
                return response.json()
            fault = _refusal(response)
        except httpx.ConnectError as error:
            fault = faults.unreachable(_reason(error))
        except httpx.TimeoutException:
            fault = faults.timed_out()
        except httpx.RequestError as error:
            fault = faults.lost(error)
        except (json.JSONDecodeError, UnicodeDecodeError):
            fault = faults.not_json()
        raise fault


def _refusal(response: httpx.Response) -> OdooError:
    """An answer of 300 and more, as a fault."""
    said = _error_body(response)
    if said is None:
        if response.status_code == httpx.codes.NOT_FOUND and NO_DATABASE in response.text:
            return NoDatabaseError("Odoo has no such database, or its PostgreSQL is away")
        if response.has_redirect_location:
            return OdooRefusedError(f"Odoo redirects to {response.headers['Location']}")
        return faults.from_http(response.status_code, response.reason_phrase)
    name, message = said
    if name == UNAUTHORIZED:
        return OdooRefusedError(
            f"ODOO_API_KEY: Odoo refused it ({message}); it is wrong or has expired: {NEW_KEY}",
            name="odoo.exceptions.AccessDenied",
        )
    return faults.from_odoo(name, message)


def _error_body(response: httpx.Response) -> tuple[str, str] | None:
    """Class and message of Odoo's own error; `debug`, a traceback, is left behind."""
    try:
        body = response.json()
        return str(body["name"]), str(body["message"])
    except (ValueError, KeyError, TypeError):
        return None


def _reason(error: BaseException) -> BaseException:
    """The operating system's own exception below httpx's and httpcore's."""
    while below := error.__cause__ or error.__context__:
        error = below
    return error
