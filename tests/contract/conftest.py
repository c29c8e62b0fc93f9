"""One suite over both transports on two servers: the double always, and a real Odoo 19 where
ODOO_TEST_URL names one.

The real server keeps what earlier runs left, so every test makes records of its own and counts
nothing that it did not make. ODOO_TEST_DB, ODOO_TEST_USER and ODOO_TEST_KEY, the user's password,
go with the URL; its company is Canadian (l10n_ca, CAD, Ontario) with sale_management and the
subscription stub addon.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from odoo_world import Server, World
from servers import MAKERS, choices

from odoo_gateway.bootstrap import bootstrap
from odoo_gateway.client import OdooClient
from warehouse.settings import OdooTransport


@pytest.fixture(scope="session", params=choices(*OdooTransport), ids="-".join)
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
