"""Brings the schemas `raw` and `ops` up to date."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.engine import Connection, Engine

from warehouse.engine import WarehouseError
from warehouse.locks import MIGRATE, advisory_lock

_MIGRATIONS = Path(__file__).resolve().parent / "migrations"


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.attributes["connection"] = connection
    return config


def migrate(engine: Engine) -> str:
    """Applies what is missing, in one transaction; returns the revision reached."""
    with engine.begin() as connection:
        advisory_lock(connection, MIGRATE)
        connection.execute(sa.text("create schema if not exists ops"))
        config = _config(connection)
        command.upgrade(config, "head")
        return str(ScriptDirectory.from_config(config).get_current_head())


def require_migrated(engine: Engine) -> None:
    """Raises WarehouseError unless the schemas are at this code's revision."""
    with engine.connect() as connection:
        head = ScriptDirectory.from_config(_config(connection)).get_current_head()
        context = MigrationContext.configure(connection, opts={"version_table_schema": "ops"})
        current = context.get_current_revision()
    if current != head:
        raise WarehouseError(
            f"The warehouse is at revision {current or 'none'}, this code needs {head}. "
            "Run `fusion-billing migrate`."
        )
