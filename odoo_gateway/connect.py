"""Opening a session with Odoo, with errors that name the setting at fault and the next step."""

from __future__ import annotations

import logging
from urllib.parse import urlsplit

import odoorpc
import odoorpc.error

from odoo_gateway.environment import require_fitting
from odoo_gateway.errors import OdooRefusedError, OdooTransientError
from odoo_gateway.odoorpc_client import OdooRpcClient, translated
from warehouse.settings import Settings

DEFAULT_PORTS = {"http": 80, "https": 443}


def connect_from(settings: Settings, *, timeout: float = 60) -> OdooRpcClient:
    """A session with the Odoo that ODOO_URL, ODOO_DB, ODOO_USER and ODOO_API_KEY name."""
    if not settings.odoo_url:
        raise OdooRefusedError(
            "ODOO_URL is not set: put your Odoo's address into .env, or run `fusion-billing up`"
            " for a local stand-in"
        )
    if not settings.odoo_api_key:
        raise OdooRefusedError(
            "ODOO_API_KEY is not set: make a key in Odoo (Preferences, Account security,"
            " New API key) and put it into .env"
        )
    client = connect(
        settings.odoo_url,
        settings.odoo_db,
        settings.odoo_user,
        settings.odoo_api_key,
        timeout=timeout,
    )
    require_fitting(settings, client)
    return client


def connect(url: str, db: str, user: str, api_key: str, *, timeout: float = 60) -> OdooRpcClient:
    """A session with the Odoo at `url`; `api_key` may be a password, `timeout` is seconds per call.

    OdooTransientError when nobody answers, OdooRefusedError when address, database, user or key
    are wrong: one line each, that names the variable and the next step.
    """
    # odoorpc's DEBUG log holds every request, password included.
    logging.getLogger("odoorpc").setLevel(logging.INFO)
    host, port, protocol = _address(url)
    try:
        with translated():
            odoo = odoorpc.ODOO(host, protocol=protocol, port=port, timeout=timeout)
    except OdooTransientError as error:
        raise OdooTransientError(
            f"ODOO_URL {url}: {error}. Check that Odoo runs there and the address is right."
        ) from None
    except (OdooRefusedError, TypeError, KeyError) as error:
        raise OdooRefusedError(
            f"ODOO_URL {url}: this is not an Odoo server ({error}). Give the address you open in"
            " the browser, without a path."
        ) from None
    _log_in(odoo, db, user, api_key)
    return OdooRpcClient(odoo)


def _address(url: str) -> tuple[str, int, str]:
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        port = -1
    if parts.username or parts.password:
        raise OdooRefusedError(
            "ODOO_URL carries a user or a password: these belong into ODOO_USER and ODOO_API_KEY"
        )
    if parts.scheme not in DEFAULT_PORTS or not parts.hostname or port == -1:
        raise OdooRefusedError(
            f"ODOO_URL {url}: is not an address such as https://odoo.example.com; mend it in .env"
        )
    protocol = "jsonrpc+ssl" if parts.scheme == "https" else "jsonrpc"
    return parts.hostname, port or DEFAULT_PORTS[parts.scheme], protocol


def _log_in(odoo: odoorpc.ODOO, db: str, user: str, api_key: str) -> None:
    try:
        with translated():
            odoo.login(db, user, api_key)
    except OdooRefusedError as error:
        if "does not exist" in str(error):
            raise OdooRefusedError(
                f"ODOO_DB {db!r}: Odoo has no such database; the name stands in Odoo's database"
                " manager, mend it in .env",
                name=error.name,
            ) from None
        if not error.name or error.name == "odoo.exceptions.AccessDenied":
            raise OdooRefusedError(
                f"ODOO_USER {user!r} or ODOO_API_KEY: Odoo refused them; make a new key in Odoo"
                " (Preferences, Account security, New API key) and put it into .env",
                name="odoo.exceptions.AccessDenied",
            ) from None
        raise
