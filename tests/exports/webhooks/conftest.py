"""A service of the test's own in this module's database, with nothing due of tests before."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from receivers import App
from sqlalchemy.engine import Engine


@pytest.fixture
def app(engine: Engine) -> App:
    with engine.begin() as connection:
        connection.execute(sa.text("truncate ops.webhook_delivery"))
    return App.make(engine)
