"""Dagster's definitions, loaded on a warehouse and a home of this session's own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import psycopg
import pytest
from sqlalchemy.engine import make_url

from dagster_project.instance import enter
from warehouse.engine import make_engine
from warehouse.migrate import migrate
from warehouse.settings import Settings

if TYPE_CHECKING:
    import dagster as dg


@pytest.fixture(scope="session")
def dagster_database_url(server_url: str) -> Iterator[str]:
    """A migrated database for the definitions, whose resources read DATABASE_URL."""
    with psycopg.connect(server_url, autocommit=True) as admin:
        admin.execute("drop database if exists t_dagster with (force)")
        admin.execute("create database t_dagster")
    url = make_url(server_url).set(database="t_dagster").render_as_string(hide_password=False)
    engine = make_engine(url)
    migrate(engine)
    engine.dispose()
    yield url
    with psycopg.connect(server_url, autocommit=True) as admin:
        admin.execute("drop database if exists t_dagster with (force)")


@pytest.fixture(scope="session")
def defs(
    dagster_database_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dg.Definitions]:
    """The definitions as `fusion-billing up` loads them: dbt is parsed, then they are imported."""
    home = tmp_path_factory.mktemp("dagster")
    before = dict(os.environ)
    try:
        settings = Settings(fusion_home=home, database_url=dagster_database_url, _env_file=None)
        enter(dagster_database_url, settings)
        from dagster_project.definitions import defs

        yield defs
    finally:
        os.environ.clear()
        os.environ.update(before)
