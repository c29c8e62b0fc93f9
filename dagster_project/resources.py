"""The warehouse and Odoo, as resources that assets ask for by name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg
from sqlalchemy.engine import Engine

from odoo_gateway.client import OdooClient
from odoo_gateway.connect import connect_from
from odoo_gateway.errors import OdooTransientError
from warehouse.engine import make_engine
from warehouse.settings import Settings, load_settings


class Warehouse(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The warehouse that DATABASE_URL names."""

    database_url: str

    @contextmanager
    def engine(self) -> Iterator[Engine]:
        engine = make_engine(self.database_url)
        try:
            yield engine
        finally:
            engine.dispose()

    @property
    def settings(self) -> Settings:
        return load_settings()


class Odoo(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The Odoo that the settings name. A transient fault asks Dagster for another try: every asset
    that talks to Odoo settles by reading and is safe to repeat."""

    @contextmanager
    def client(self) -> Iterator[OdooClient]:
        try:
            yield connect_from(load_settings())
        except OdooTransientError as error:
            raise dg.RetryRequested(max_retries=3, seconds_to_wait=20) from error

    @property
    def database(self) -> str:
        settings = load_settings()
        return f"{settings.odoo_url}/{settings.odoo_db}"
