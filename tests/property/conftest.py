"""Databases and a parsed dbt project for the property tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy.engine import make_url

from warehouse.engine import make_engine
from warehouse.migrate import migrate


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where dbt keeps the parsed project from build to build."""
    return tmp_path_factory.mktemp("dbt")


@pytest.fixture
def new_database(server_url: str) -> Iterator[Callable[[], str]]:
    """Makes migrated, empty databases; they are dropped afterwards."""
    made: list[str] = []

    def make() -> str:
        name = f"property_{len(made)}"
        with psycopg.connect(server_url, autocommit=True) as admin:
            admin.execute(f'drop database if exists "{name}" with (force)')
            admin.execute(f'create database "{name}"')
        made.append(name)
        url = make_url(server_url).set(database=name).render_as_string(hide_password=False)
        engine = make_engine(url)
        migrate(engine)
        engine.dispose()
        return url

    yield make
    with psycopg.connect(server_url, autocommit=True) as admin:
        for name in made:
            admin.execute(f'drop database if exists "{name}" with (force)')
