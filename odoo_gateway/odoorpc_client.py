"""OdooClient over JSON-RPC with odoorpc. Odoo announces the end of this endpoint for 22."""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.error import HTTPError, URLError

import odoorpc
import odoorpc.error

from odoo_gateway.client import QUIET, Domain, OdooVersion, Record
from odoo_gateway.errors import OdooRefusedError, OdooTransientError

TRANSIENT_HTTP = frozenset({408, 429, 500, 502, 503, 504})
# Odoo repeats these itself five times; when they reach us the transaction was rolled back.
TRANSIENT_NAMES = (
    "psycopg2.errors.SerializationFailure",
    "psycopg2.errors.LockNotAvailable",
    "psycopg2.errors.DeadlockDetected",
    "psycopg2.errors.QueryCanceled",
    "psycopg2.errors.AdminShutdown",
    "psycopg2.errors.IdleInTransactionSessionTimeout",
    "psycopg2.InterfaceError",
    "psycopg2.pool.PoolError",
    "odoo.sql_db.PoolError",
    "odoo.exceptions.ConcurrencyError",
)
# psycopg2's class for both "the database restarts" and "there is no such database".
OPERATIONAL = "psycopg2.OperationalError"
TRANSIENT_WORDS = (
    "could not serialize access",
    "deadlock detected",
    "starting up",
    "shutting down",
)


class OdooRpcClient:
    """One logged-in session. Not for several threads at once: open one client per thread."""

    def __init__(self, odoo: odoorpc.ODOO) -> None:
        self._odoo = odoo

    @property
    def timeout(self) -> float:
        """Seconds that a call may keep silent; may be set between calls."""
        return float(self._odoo.config["timeout"])

    @timeout.setter
    def timeout(self, seconds: float) -> None:
        self._odoo.config["timeout"] = seconds

    def version(self) -> OdooVersion:
        with translated():
            result = self._odoo.json("/web/webclient/version_info", {})["result"]
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
            "context": {"active_test": False},
        }
        if limit is not None:
            kwargs["limit"] = limit
        records: list[Record] = self._execute(model, "search_read", [list(domain)], kwargs)
        return records

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
        fields: dict[str, Record] = self._execute(
            model, "fields_get", [], {"attributes": ["type", "string", "relation", "store"]}
        )
        return fields

    def _execute(self, model: str, method: str, args: list[Any], kwargs: dict[str, Any]) -> Any:
        with translated():
            return self._odoo.execute_kw(model, method, args, kwargs)


@contextmanager
def translated() -> Iterator[None]:
    """odoorpc's and the transport's exceptions as the gateway's two; causes are dropped because
    a chained urllib request would carry the key into a traceback."""
    try:
        yield
    except odoorpc.error.RPCError as error:
        raise _from_rpc(error) from None
    except HTTPError as error:
        kind = OdooTransientError if error.code in TRANSIENT_HTTP else OdooRefusedError
        raise kind(f"Odoo answered HTTP {error.code} {error.reason}") from None
    except URLError as error:
        if isinstance(error.reason, ssl.SSLCertVerificationError):
            raise OdooRefusedError(f"Odoo's certificate is not valid: {error.reason}") from None
        raise OdooTransientError(f"Odoo cannot be reached: {error.reason}") from None
    except TimeoutError:
        raise OdooTransientError(
            "Odoo did not answer in time; the work may have been done"
        ) from None
    except (http.client.HTTPException, ConnectionError) as error:
        raise OdooTransientError(
            f"the connection to Odoo was lost ({type(error).__name__})"
        ) from None
    except json.JSONDecodeError:
        raise OdooTransientError("Odoo answered with something that is not JSON") from None


def _from_rpc(error: odoorpc.error.RPCError) -> OdooRefusedError | OdooTransientError:
    info = error.info if isinstance(error.info, dict) else {}
    data = info.get("data") or {}
    name = str(data.get("name", ""))
    message = " ".join(str(error).split()) or name or "Odoo refused without a word"
    if name in TRANSIENT_NAMES or any(words in message for words in TRANSIENT_WORDS):
        return OdooTransientError(f"{message} ({name})")
    if name == OPERATIONAL and "does not exist" not in message:
        return OdooTransientError(f"{message} ({name})")
    return OdooRefusedError(message, name=name)
