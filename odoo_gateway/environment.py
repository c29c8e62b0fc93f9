"""FUSION_ENV=dev works with an Odoo on this machine or a neutralized copy, never with production.

`odoo-bin neutralize` (and Odoo.sh, for every staging build) sets `database.is_neutralized` when it
switches off a copy's mail, payments and crons: Odoo's own mark that a database is not production.
"""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from odoo_gateway.client import OdooClient
from odoo_gateway.errors import OdooRefusedError
from warehouse.settings import FusionEnv, Settings

NEUTRALIZED = "database.is_neutralized"


def require_fitting(settings: Settings, client: OdooClient) -> None:
    """OdooRefusedError where this FUSION_ENV must not work with this Odoo."""
    url = settings.odoo_url or ""
    if needs_neutralized(settings.fusion_env, url) and not is_neutralized(client):
        raise OdooRefusedError(
            f"FUSION_ENV={settings.fusion_env} refuses the Odoo at {url}: it is neither on this"
            " machine nor a neutralized copy. Neutralize the copy (`odoo-bin neutralize`), or set"
            " FUSION_ENV=production if this is the real one"
        )


def needs_neutralized(env: FusionEnv, url: str) -> bool:
    """Whether only a neutralized database may be used: short of production, elsewhere than here."""
    return env is not FusionEnv.PRODUCTION and not _is_loopback(urlsplit(url).hostname or "")


def is_neutralized(client: OdooClient) -> bool:
    """Odoo's own mark. False too where the user may not read it: nobody vouches for the copy."""
    try:
        rows = client.search_read(
            "ir.config_parameter", [("key", "=", NEUTRALIZED)], ["value"], limit=1
        )
    except OdooRefusedError:
        return False
    return bool(rows) and str(rows[0]["value"]).strip().lower() in {"true", "1"}


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
