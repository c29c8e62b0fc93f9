"""Recovery tests play with the marts of tests/exports, the endpoint of tests/ingest/api and the
Odoos of tests/contract."""

from __future__ import annotations

import sys
from pathlib import Path

_TESTS = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(_TESTS / each) for each in ("exports", "ingest/api", "contract")]
