"""One demo for all end-to-end tests: it takes minutes, and leaves a world to look into."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from demo_run import Demo, run_demo

from warehouse.embedded import embedded_server


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """The demo of today (company time), in a home of its own, on the embedded server."""
    day = datetime.now(ZoneInfo("America/Toronto")).date()
    return run_demo(tmp_path_factory.mktemp("demo") / "home", day)


@pytest.fixture(scope="session")
def demo_database(demo: Demo) -> Iterator[str]:
    """The demo's warehouse, running while tests look at it; commands that want it share it."""
    with embedded_server(demo.home / "postgres") as url:
        yield url
