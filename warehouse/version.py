"""Which code this is: what a billing run and a closed month record."""

from __future__ import annotations

import subprocess
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version

from warehouse.settings import REPOSITORY


@lru_cache(maxsize=1)
def code_version() -> str:
    """`0.1.0+g1a2b3c4`, or the bare version where there is no checkout."""
    try:
        release = version("fusion-billing")
    except PackageNotFoundError:
        release = "0.0.0"
    try:
        found = subprocess.run(
            ["git", "-C", str(REPOSITORY), "rev-parse", "--short=12", "HEAD"],
            capture_output=True,
            text=True,
            timeout=5,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return release
    return f"{release}+g{found.stdout.strip()}"
