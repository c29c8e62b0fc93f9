"""Worlds for commands: a home of their own, an empty database, a stand-in for Odoo."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from command_line import environment
from sqlalchemy.engine import make_url

from sandbox.odoo.launch import running_double


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def env(home: Path, database_url: str) -> dict[str, str]:
    """Settings that name this module's migrated database and nothing else."""
    return environment(home, DATABASE_URL=database_url)


@pytest.fixture(scope="module")
def unmigrated_url(server_url: str) -> Iterator[str]:
    """A database without a single table."""
    with psycopg.connect(server_url, autocommit=True) as admin:
        admin.execute("drop database if exists t_unmigrated with (force)")
        admin.execute("create database t_unmigrated")
    yield make_url(server_url).set(database="t_unmigrated").render_as_string(hide_password=False)
    with psycopg.connect(server_url, autocommit=True) as admin:
        admin.execute("drop database if exists t_unmigrated with (force)")


@pytest.fixture(scope="module")
def odoo_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A fresh stand-in for Odoo; user `admin`, key `admin`."""
    with running_double(tmp_path_factory.mktemp("odoo") / "odoo.sqlite") as url:
        yield url


@pytest.fixture(scope="module")
def taken_port() -> Iterator[int]:
    """A port of this machine that somebody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]
