"""Recovery tests play with the marts and the orders of tests/exports."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "exports"))
