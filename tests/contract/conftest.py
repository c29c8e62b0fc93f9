"""One suite over both transports on two servers: the double always, and a real Odoo 19 where
ODOO_TEST_URL names one.

The real server keeps what earlier runs left, so every test makes records of its own and counts
nothing that it did not make. ODOO_TEST_DB, ODOO_TEST_USER and ODOO_TEST_KEY, the user's password,
go with the URL; its company is Canadian (l10n_ca, CAD, Ontario) with sale_management and the
subscription stub addon.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from api_keys import api_key
from odoo_world import Server, World

from odoo_gateway.bootstrap import bootstrap
from odoo_gateway.client import OdooClient
from sandbox.odoo.launch import running_double
from warehouse.settings import OdooTransport

DATABASE = "fusion"


@contextmanager
def _double(transport: OdooTransport) -> Iterator[Server]:
    with (
        tempfile.TemporaryDirectory(prefix="fusion-odoo-") as folder,
        running_double(Path(folder) / "odoo.db", db=DATABASE) as url,
    ):
        yield Server(url, DATABASE, "admin", "admin", real=False, transport=transport)


@contextmanager
def _real(transport: OdooTransport) -> Iterator[Server]:
    url = os.environ["ODOO_TEST_URL"]
    db = os.environ.get("ODOO_TEST_DB", "odoo")
    user = os.environ.get("ODOO_TEST_USER", "admin")
    password = os.environ.get("ODOO_TEST_KEY", "admin")
    if transport is OdooTransport.JSON2:
        with api_key(url, db, user, password) as key:
            yield Server(url, db, user, key, real=True, transport=transport)
    else:
        yield Server(url, db, user, password, real=True, transport=transport)


MAKERS = {"double": _double, **({"server": _real} if os.environ.get("ODOO_TEST_URL") else {})}


@pytest.fixture(
    scope="session",
    params=[(where, transport) for where in MAKERS for transport in OdooTransport],
    ids=lambda parameter: "-".join(parameter),
)
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    where, transport = request.param
    with MAKERS[where](transport) as server:
        yield server


@pytest.fixture(scope="session")
def odoo(server: Server) -> OdooClient:
    """A session on a server that has the x_fc_* fields and models."""
    client = server.connect()
    bootstrap(client)
    return client


@pytest.fixture(scope="session")
def world(odoo: OdooClient) -> World:
    return World(odoo)
