"""OdooClient over JSON-RPC with odoorpc. Odoo announces the end of this endpoint for 22."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar
from urllib.error import HTTPError, URLError

import odoorpc
import odoorpc.error

from odoo_gateway import faults
from odoo_gateway.client import DESCRIBED, EVERYTHING, QUIET, Domain, OdooVersion, Record
from odoo_gateway.errors import OdooError
from odoo_gateway.retries import PAUSES, repeated

T = TypeVar("T")


class OdooRpcClient:
    """One logged-in session. Not for several threads at once: open one client per thread."""

    def __init__(self, odoo: odoorpc.ODOO) -> None:
        self._odoo = odoo
        self.pauses: Sequence[float] = PAUSES

    @property
    def timeout(self) -> float:
        """Seconds that a call may keep silent; may be set between calls."""
        return float(self._odoo.config["timeout"])

    @timeout.setter
    def timeout(self, seconds: float) -> None:
        self._odoo.config["timeout"] = seconds

    def version(self) -> OdooVersion:
        result = self._read(lambda: self._odoo.json("/web/webclient/version_info", {})["result"])
        return OdooVersion(
            series=str(result["server_serie"]), enterprise="e" in result["server_version_info"]
        )

    def search_read(
        self,
        model: str,
        domain: Domain,
        fields: Sequence[str],
        *,
        order: str = "id",
        limit: int | None = None,
    ) -> list[Record]:
        kwargs: dict[str, Any] = {
            "fields": list(fields),
            "order": order,
            "load": False,
            "context": EVERYTHING,
        }
        if limit is not None:
            kwargs["limit"] = limit
        records: list[Record] = self._read(
            lambda: self._odoo.execute_kw(model, "search_read", [list(domain)], kwargs)
        )
        return records

    def search_count(self, model: str, domain: Domain) -> int:
        kwargs = {"context": EVERYTHING}
        return int(
            self._read(lambda: self._odoo.execute_kw(model, "search_count", [list(domain)], kwargs))
        )

    def create(
        self,
        model: str,
        values: Sequence[Mapping[str, Any]],
        *,
        context: Mapping[str, Any] | None = None,
    ) -> list[int]:
        if not values:
            return []
        ids: list[int] = self._execute(
            model,
            "create",
            [[dict(each) for each in values]],
            {"context": {**QUIET, **(context or {})}},
        )
        return ids

    def write(self, model: str, ids: Sequence[int], values: Mapping[str, Any]) -> None:
        if ids:
            self._execute(model, "write", [list(ids), dict(values)], {"context": dict(QUIET)})

    def call(self, model: str, method: str, ids: Sequence[int], **kwargs: Any) -> Any:
        return self._execute(model, method, [list(ids)], kwargs)

    def fields_get(self, model: str) -> dict[str, Record]:
        fields: dict[str, Record] = self._read(
            lambda: self._odoo.execute_kw(model, "fields_get", [], {"attributes": DESCRIBED})
        )
        return fields

    def _read(self, read: Callable[[], Any]) -> Any:
        return repeated(lambda: translated(read), within=self.timeout, pauses=self.pauses)

    def _execute(self, model: str, method: str, args: list[Any], kwargs: dict[str, Any]) -> Any:
        return translated(lambda: self._odoo.execute_kw(model, method, args, kwargs))


def translated(work: Callable[[], T]) -> T:
    """What `work` returns; odoorpc's and urllib's exceptions as the gateway's two. These are
    raised after the others are forgotten: the frames of a chained one hold the key."""
    try:
        return work()
    except odoorpc.error.RPCError as error:
        fault = _from_rpc(error)
    except HTTPError as error:
        fault = faults.from_http(error.code, error.reason)
    except URLError as error:
        fault = faults.unreachable(error.reason)
    except TimeoutError:
        fault = faults.timed_out()
    # urllib wraps what breaks while it sends; a route or a TLS record lost later comes as it is.
    except (http.client.HTTPException, OSError) as error:
        fault = faults.lost(error)
    except (json.JSONDecodeError, UnicodeDecodeError):
        fault = faults.not_json()
    raise fault


def _from_rpc(error: odoorpc.error.RPCError) -> OdooError:
    data = (error.info if isinstance(error.info, dict) else {}).get("data") or {}
    return faults.from_odoo(str(data.get("name", "")), str(error))
