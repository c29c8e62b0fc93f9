"""A database for each test: the ledger is append-only, so no test can clear another's lines."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator

import psycopg
import pytest
from marts import Marts
from sqlalchemy.engine import Engine, make_url

from warehouse.engine import make_engine
from warehouse.settings import Settings

_numbers = itertools.count(1)


@contextlib.contextmanager
def copied(template_url: str) -> Iterator[str]:
    """The URL of a copy of a database that nobody is connected to; dropped afterwards."""
    template = make_url(template_url)
    name = f"{template.database}_{next(_numbers)}"
    server = template.set(database="postgres").render_as_string(hide_password=False)
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(f'create database "{name}" template "{template.database}"')
    try:
        yield template.set(database=name).render_as_string(hide_password=False)
    finally:
        with psycopg.connect(server, autocommit=True) as admin:
            admin.execute(f'drop database if exists "{name}" with (force)')


@pytest.fixture(scope="module")
def template(database_url: str) -> str:
    """A migrated database with empty marts."""
    engine = make_engine(database_url)
    Marts(engine).create()
    engine.dispose()
    return database_url


@pytest.fixture
def new_url(template: str) -> Iterator[str]:
    with copied(template) as url:
        yield url


@pytest.fixture
def fresh(new_url: str) -> Iterator[Engine]:
    engine = make_engine(new_url)
    yield engine
    engine.dispose()


@pytest.fixture
def marts(fresh: Engine) -> Marts:
    return Marts(fresh)


@pytest.fixture
def settings_with() -> Callable[..., Settings]:
    """Settings of this test alone, whatever the machine's .env says."""

    def make(grace: int = 24, zone: str = "America/Toronto") -> Settings:
        return Settings(_env_file=None, usage_grace_hours=grace, company_timezone=zone)

    return make


@pytest.fixture
def settings(settings_with: Callable[..., Settings]) -> Settings:
    return settings_with()
