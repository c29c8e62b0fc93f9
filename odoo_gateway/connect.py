"""Opening a session with Odoo, with errors that name the setting at fault and the next step."""

from __future__ import annotations

import logging
import weakref
from urllib.parse import urlsplit

import httpx
import odoorpc
import odoorpc.error
from pydantic import SecretStr

from odoo_gateway.client import OdooClient
from odoo_gateway.environment import require_fitting
from odoo_gateway.errors import OdooError, OdooRefusedError, OdooTransientError
from odoo_gateway.json2_client import NEW_KEY, Json2Client, NoDatabaseError
from odoo_gateway.odoorpc_client import OdooRpcClient, translated
from odoo_gateway.retries import PAUSES
from warehouse.settings import OdooTransport, Settings

DEFAULT_PORTS = {"http": 80, "https": 443}
ACCESS_DENIED = "odoo.exceptions.AccessDenied"
DATABASE_NAMES = "the name stands in Odoo's database manager, mend it in .env"


def connect_from(settings: Settings, *, timeout: float = 60) -> OdooClient:
    """A session with the Odoo that ODOO_URL, ODOO_DB, ODOO_USER and ODOO_API_KEY name, over
    ODOO_TRANSPORT."""
    if not settings.odoo_url:
        raise OdooRefusedError(
            "ODOO_URL is not set: put your Odoo's address into .env, or run `fusion-billing up`"
            " for a local stand-in"
        )
    if not settings.odoo_api_key:
        raise OdooRefusedError(f"ODOO_API_KEY is not set: {NEW_KEY}")
    client = connect(
        settings.odoo_url,
        settings.odoo_db,
        settings.odoo_user,
        settings.odoo_api_key,
        timeout=timeout,
        transport=settings.odoo_transport,
    )
    require_fitting(settings, client)
    return client


def connect(
    url: str,
    db: str,
    user: str,
    api_key: str,
    *,
    timeout: float = 60,
    transport: OdooTransport = OdooTransport.JSONRPC,
) -> OdooClient:
    """A session with the Odoo at `url`; `timeout` is seconds per call. Over JSON-RPC `api_key` may
    be a password, over JSON-2 not.

    OdooTransientError when nobody answers, OdooRefusedError when address, database, user or key
    are wrong: one line each, that names the variable and the next step.
    """
    key = SecretStr(api_key)
    del api_key  # a traceback that shows variables must not show it
    address = _address(url)
    if transport is OdooTransport.JSON2:
        return _over_json2(address, db, user, key, timeout)
    return _over_jsonrpc(address, db, user, key, timeout)


def _address(url: str) -> httpx.URL:
    """The address without a path, which may be a page of Odoo's that somebody copied."""
    try:
        parts = urlsplit(url)
        if parts.username or parts.password:
            raise OdooRefusedError(
                "ODOO_URL carries a user or a password: these belong into ODOO_USER and"
                " ODOO_API_KEY"
            )
        address = httpx.URL(scheme=parts.scheme, host=parts.hostname or "", port=parts.port)
        if address.scheme in DEFAULT_PORTS and address.host:  # raises on half an international name
            return address
    except (ValueError, httpx.InvalidURL):
        pass
    raise OdooRefusedError(
        f"ODOO_URL {url}: is not an address such as https://odoo.example.com; mend it in .env"
    )


def _over_jsonrpc(
    address: httpx.URL, db: str, user: str, key: SecretStr, timeout: float
) -> OdooRpcClient:
    # odoorpc's DEBUG log holds every request, password included.
    logging.getLogger("odoorpc").setLevel(logging.INFO)
    protocol = "jsonrpc+ssl" if address.scheme == "https" else "jsonrpc"
    port = address.port or DEFAULT_PORTS[address.scheme]
    try:
        odoo = translated(
            lambda: odoorpc.ODOO(address.host, protocol=protocol, port=port, timeout=timeout)
        )
    except OdooTransientError as error:
        raise _away(address, error) from None
    except (OdooRefusedError, TypeError, KeyError) as error:
        raise _no_odoo(address, error) from None
    try:
        translated(lambda: odoo.login(db, user, key.get_secret_value()))
    except OdooRefusedError as error:
        if "does not exist" in str(error):
            raise OdooRefusedError(
                f"ODOO_DB {db!r}: Odoo has no such database; {DATABASE_NAMES}", name=error.name
            ) from None
        if not error.name or error.name == ACCESS_DENIED:
            raise OdooRefusedError(
                f"ODOO_USER {user!r} or ODOO_API_KEY: Odoo refused them; {NEW_KEY}",
                name=ACCESS_DENIED,
            ) from None
        raise
    return OdooRpcClient(odoo)


def _over_json2(
    address: httpx.URL, db: str, user: str, key: SecretStr, timeout: float
) -> Json2Client:
    if not _is_plain(key.get_secret_value()):
        raise OdooRefusedError(f"ODOO_API_KEY has characters that no key has: {NEW_KEY}")
    if not _is_plain(db):
        raise OdooRefusedError(f"ODOO_DB {db!r}: Odoo has no such database; {DATABASE_NAMES}")
    http = httpx.Client(
        base_url=address,
        headers={"Authorization": f"Bearer {key.get_secret_value()}", "X-Odoo-Database": db},
        timeout=timeout,
    )
    client = Json2Client(http)
    weakref.finalize(client, http.close)
    client.pauses = ()  # a wrong setting is told at once
    try:
        client.version()
        owner = client.whoami()
    except NoDatabaseError:
        raise OdooRefusedError(
            f"ODOO_DB {db!r}: Odoo has no such database, or its PostgreSQL is away;"
            f" {DATABASE_NAMES}"
        ) from None
    except OdooTransientError as error:
        raise _away(address, error) from None
    except OdooRefusedError as error:
        if error.name:
            raise
        raise _no_odoo(address, error, " 19 or newer") from None
    except (TypeError, KeyError, ValueError) as error:
        raise _no_odoo(address, error, " 19 or newer") from None
    if owner != user:
        raise OdooRefusedError(
            f"ODOO_USER {user!r}: the key in ODOO_API_KEY belongs to {owner!r}; name that user, or"
            " put a key of this one's into .env",
            name=ACCESS_DENIED,
        )
    client.pauses = PAUSES
    return client


def _is_plain(text: str) -> bool:
    """What a header can carry: visible ASCII characters."""
    return all("!" <= character <= "~" for character in text)


def _away(address: httpx.URL, error: OdooError) -> OdooError:
    return OdooTransientError(
        f"ODOO_URL {address}: {error}. Check that Odoo runs there and the address is right."
    )


def _no_odoo(address: httpx.URL, error: Exception, which: str = "") -> OdooError:
    return OdooRefusedError(
        f"ODOO_URL {address}: this is not an Odoo server{which} ({error}). Give the address you"
        " open in the browser, without a path."
    )
