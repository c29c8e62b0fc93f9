"""One suite, two servers: the double always, and a real Odoo 19 where ODOO_TEST_URL names one.

The real server keeps what earlier runs left, so every test makes records of its own and counts
nothing that it did not make. ODOO_TEST_DB, ODOO_TEST_USER and ODOO_TEST_KEY go with the URL; its
company is Canadian (l10n_ca, CAD, Ontario) with sale_management and the subscription stub addon.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from odoo_world import Server, World

from odoo_gateway.bootstrap import bootstrap
from odoo_gateway.odoorpc_client import OdooRpcClient
from sandbox.odoo.launch import running_double

DATABASE = "fusion"


@contextmanager
def _double() -> Iterator[Server]:
    with (
        tempfile.TemporaryDirectory(prefix="fusion-odoo-") as folder,
        running_double(Path(folder) / "odoo.db", db=DATABASE) as url,
    ):
        yield Server(url, DATABASE, "admin", "admin", real=False)


def _real() -> Server:
    return Server(
        os.environ["ODOO_TEST_URL"],
        os.environ.get("ODOO_TEST_DB", "odoo"),
        os.environ.get("ODOO_TEST_USER", "admin"),
        os.environ.get("ODOO_TEST_KEY", "admin"),
        real=True,
    )


@pytest.fixture(
    scope="session", params=["double", *(["server"] if os.environ.get("ODOO_TEST_URL") else [])]
)
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    if request.param == "server":
        yield _real()
    else:
        with _double() as server:
            yield server


@pytest.fixture(scope="session")
def odoo(server: Server) -> OdooRpcClient:
    """A session on a server that has the x_fc_* fields and models."""
    client = server.connect()
    bootstrap(client)
    return client


@pytest.fixture(scope="session")
def world(odoo: OdooRpcClient) -> World:
    return World(odoo)
