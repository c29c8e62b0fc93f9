from __future__ import annotations

import pytest
import sqlalchemy as sa
from finance_marts import BUILT, MARTS
from finance_world import World, write_manifest
from sqlalchemy.engine import Engine


@pytest.fixture
def world(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> World:
    """Empty marts; the ledger is append-only, so a test that bills takes a month of its own."""
    with engine.begin() as connection:
        connection.execute(sa.text(MARTS))
        connection.execute(sa.text(BUILT))
    folder = tmp_path_factory.mktemp("dbt")
    return World(engine, write_manifest(folder / "manifest.json"))
