"""A real endpoint over HTTP on a real PostgreSQL; each test speaks for a service of its own."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from endpoint_world import Endpoint, Service, running
from lago_world import LagoWorld, built
from sqlalchemy.engine import make_url

from warehouse.engine import make_engine
from warehouse.migrate import migrate


@pytest.fixture(scope="session")
def api_database_url(server_url: str) -> Iterator[str]:
    """One migrated database for every test of the endpoint: services keep them apart."""
    with psycopg.connect(server_url, autocommit=True) as admin:
        admin.execute("drop database if exists t_ingest_api with (force)")
        admin.execute("create database t_ingest_api")
    url = make_url(server_url).set(database="t_ingest_api").render_as_string(hide_password=False)
    engine = make_engine(url)
    migrate(engine)
    engine.dispose()
    yield url
    with psycopg.connect(server_url, autocommit=True) as admin:
        admin.execute("drop database if exists t_ingest_api with (force)")


@pytest.fixture(scope="session")
def endpoint(api_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    with running(api_database_url, tmp_path_factory.mktemp("api"), MAX_BODY_MB="2") as endpoint:
        yield endpoint


@pytest.fixture(scope="session")
def strict_endpoint(
    api_database_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Endpoint]:
    folder = tmp_path_factory.mktemp("strict")
    with running(api_database_url, folder, LAGO_STRICT_DUPLICATES="true") as endpoint:
        yield endpoint


@pytest.fixture(scope="session")
def lago_world(server_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LagoWorld]:
    """Customers, plans and marts of two services, built once; a database of its own."""
    with psycopg.connect(server_url, autocommit=True) as admin:
        admin.execute("drop database if exists t_lago_world with (force)")
        admin.execute("create database t_lago_world")
    url = make_url(server_url).set(database="t_lago_world").render_as_string(hide_password=False)
    engine = make_engine(url)
    migrate(engine)
    engine.dispose()
    with built(url, tmp_path_factory.mktemp("lago")) as world:
        yield world
    with psycopg.connect(server_url, autocommit=True) as admin:
        admin.execute("drop database if exists t_lago_world with (force)")


@pytest.fixture
def app(endpoint: Endpoint) -> Service:
    """A service that nothing else speaks for."""
    return endpoint.service()
