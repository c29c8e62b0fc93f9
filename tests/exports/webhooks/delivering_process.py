"""A deliverer in a process of its own, that a test may kill."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[3]
_RUN = """
import os
from exports.webhooks.delivery import Bounds, deliver, make_sender
from warehouse.engine import make_engine
from warehouse.webhooks import TargetPolicy
engine = make_engine(os.environ["DATABASE_URL"])
sender = make_sender(TargetPolicy(allow_private=True, allow_http=True))
print(deliver(engine, sender, Bounds(at_once=int(os.environ["AT_ONCE"]))), flush=True)
"""


def start(database_url: str, at_once: int = 16) -> subprocess.Popen[str]:
    """Delivers what is due, says how it went, and ends."""
    return subprocess.Popen(
        [sys.executable, "-c", _RUN],
        cwd=REPOSITORY,
        env=os.environ | {"DATABASE_URL": database_url, "AT_ONCE": str(at_once)},
        stdout=subprocess.PIPE,
        text=True,
    )
