"""Fixtures of the exports: an empty ledger on PostgreSQL, and a double of Odoo over HTTP."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from marts import Marts, start_afresh
from pushing import OdooWorld, WatchedClient, bootstrapped_double, log_in
from sqlalchemy.engine import Engine

from odoo_gateway.client import OdooClient
from warehouse.settings import Settings

# Whose servers are those of a few tests here as well.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "contract"))


@pytest.fixture
def fresh(engine: Engine) -> Engine:
    """This module's database with an empty ledger and empty marts."""
    start_afresh(engine)
    return engine


@pytest.fixture
def marts(fresh: Engine) -> Marts:
    return Marts(fresh)


@pytest.fixture(scope="session")
def settings_with() -> Callable[..., Settings]:
    """Settings of this test alone, whatever the machine's .env says."""

    def make(grace: int = 24, zone: str = "America/Toronto") -> Settings:
        return Settings(_env_file=None, usage_grace_hours=grace, company_timezone=zone)

    return make


@pytest.fixture
def settings(settings_with: Callable[..., Settings]) -> Settings:
    return settings_with()


@pytest.fixture(scope="session")
def odoo_url() -> Iterator[str]:
    with bootstrapped_double() as url:
        yield url


@pytest.fixture(scope="session")
def odoo(odoo_url: str) -> OdooClient:
    return log_in(odoo_url)


@pytest.fixture(scope="session")
def world(odoo: OdooClient) -> OdooWorld:
    return OdooWorld.make(odoo)


@pytest.fixture
def client(odoo: OdooClient) -> WatchedClient:
    return WatchedClient(odoo)
