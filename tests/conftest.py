"""Fixtures on the real thing: one PostgreSQL for the session, a fresh database a module."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy.engine import Engine, make_url

from warehouse.embedded import embedded_server
from warehouse.engine import make_engine
from warehouse.migrate import migrate


@pytest.fixture(scope="session")
def server_url() -> Iterator[str]:
    """An empty server: FUSION_TEST_DATABASE_URL where set, else an embedded one."""
    given = os.environ.get("FUSION_TEST_DATABASE_URL")
    if given:
        yield given
        return
    with (
        tempfile.TemporaryDirectory(prefix="fusion-test-", ignore_cleanup_errors=True) as folder,
        embedded_server(Path(folder) / "postgres") as url,
    ):
        # A database is dropped after a checkpoint: a second each on a busy disk, and for nothing.
        with psycopg.connect(url, autocommit=True) as admin:
            admin.execute("alter system set fsync = off")
            admin.execute("select pg_reload_conf()")
        yield url


@pytest.fixture(scope="module")
def database_url(server_url: str, request: pytest.FixtureRequest) -> Iterator[str]:
    """A migrated database of this test module's own; dropped afterwards."""
    name = "t_" + re.sub(r"\W", "_", request.module.__name__).lower()[-50:]
    with psycopg.connect(server_url, autocommit=True) as admin:
        admin.execute(f'drop database if exists "{name}" with (force)')
        admin.execute(f'create database "{name}"')
    url = make_url(server_url).set(database=name).render_as_string(hide_password=False)
    engine = make_engine(url)
    migrate(engine)
    engine.dispose()
    yield url
    with psycopg.connect(server_url, autocommit=True) as admin:
        admin.execute(f'drop database if exists "{name}" with (force)')


@pytest.fixture(scope="module")
def engine(database_url: str) -> Iterator[Engine]:
    engine = make_engine(database_url)
    yield engine
    engine.dispose()
