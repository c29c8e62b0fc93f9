"""One demo world for all tests of the sandbox: made once, it is frozen."""

from __future__ import annotations

from datetime import date

import pytest

from sandbox.model import World
from sandbox.world import make_world


@pytest.fixture(scope="session")
def world() -> World:
    return make_world(date(2026, 11, 21))
