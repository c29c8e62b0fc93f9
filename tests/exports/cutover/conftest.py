"""The world of the gate."""

from __future__ import annotations

import pytest
from cutover_world import Cutover
from sqlalchemy.engine import Engine


@pytest.fixture
def cutover(engine: Engine) -> Cutover:
    return Cutover(engine)
