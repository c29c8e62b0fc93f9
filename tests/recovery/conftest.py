"""Recovery tests play with the marts of tests/exports and the endpoint of tests/ingest/api."""

from __future__ import annotations

import sys
from pathlib import Path

_TESTS = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(_TESTS / "exports"), str(_TESTS / "ingest" / "api")]
