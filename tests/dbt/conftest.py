"""The mutation suite's world is that of the property tests: their modules are found from here."""

from __future__ import annotations

import sys
from pathlib import Path

PROPERTY = str(Path(__file__).parents[1] / "property")
if PROPERTY not in sys.path:
    sys.path.append(PROPERTY)
