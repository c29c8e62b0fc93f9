"""The servers of the suite: the double, and the real Odoo that ODOO_TEST_URL names."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from api_keys import api_key
from odoo_world import Server

from sandbox.odoo.launch import running_double
from warehouse.settings import OdooTransport

DATABASE = "fusion"


@contextmanager
def double(transport: OdooTransport) -> Iterator[Server]:
    with (
        tempfile.TemporaryDirectory(prefix="fusion-odoo-") as folder,
        running_double(Path(folder) / "odoo.db", db=DATABASE) as url,
    ):
        yield Server(url, DATABASE, "admin", "admin", real=False, transport=transport)


@contextmanager
def real(transport: OdooTransport) -> Iterator[Server]:
    url = os.environ["ODOO_TEST_URL"]
    db = os.environ.get("ODOO_TEST_DB", "odoo")
    user = os.environ.get("ODOO_TEST_USER", "admin")
    password = os.environ.get("ODOO_TEST_KEY", "admin")
    if transport is OdooTransport.JSON2:
        with api_key(url, db, user, password) as key:
            yield Server(url, db, user, key, real=True, transport=transport)
    else:
        yield Server(url, db, user, password, real=True, transport=transport)


MAKERS = {"double": double, **({"server": real} if os.environ.get("ODOO_TEST_URL") else {})}


def choices(*transports: OdooTransport) -> list[tuple[str, OdooTransport]]:
    """What the fixture `server` is parametrised by."""
    return [(where, transport) for where in MAKERS for transport in transports]
