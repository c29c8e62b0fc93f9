"""`fusion-billing` as a process of its own, in an environment that holds only what a test gives."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[1]
_KEPT = ("HOME", "LANG", "LC_ALL", "PATH", "TMPDIR", "USER", "VIRTUAL_ENV")


@dataclass(frozen=True)
class Finished:
    """What a command left: exit status and its two streams."""

    status: int
    stdout: str
    stderr: str

    def json(self) -> Any:
        """Standard output, which must hold one JSON document and nothing else."""
        return json.loads(self.stdout)


def environment(home: Path, **variables: str) -> dict[str, str]:
    """Variables for a command whose state lives in `home`; no setting of this process leaks in."""
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    return {**kept, "PYTHONPATH": str(REPOSITORY), "FUSION_HOME": str(home), **variables}


def arguments_of(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "cli", *arguments]


def fusion_billing(*arguments: str, env: dict[str, str], seconds: float = 120) -> Finished:
    """Runs a command to its end, in a folder without an .env file."""
    home = Path(env["FUSION_HOME"])
    home.mkdir(parents=True, exist_ok=True)
    finished = subprocess.run(
        arguments_of(*arguments),
        env=env,
        cwd=home,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    return Finished(finished.returncode, finished.stdout, finished.stderr)
