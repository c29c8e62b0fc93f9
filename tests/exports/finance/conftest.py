from __future__ import annotations

import pytest
import sqlalchemy as sa
from finance_world import MARTS, World
from sqlalchemy.engine import Engine


@pytest.fixture
def world(engine: Engine) -> World:
    """Empty marts; the ledger is append-only, so a test that bills takes a month of its own."""
    with engine.begin() as connection:
        connection.execute(sa.text(MARTS))
    return World(engine)
