"""`fusion-billing demo` as a process, measured from outside."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from command_line import Finished, environment, fusion_billing
from processes import measured, working_in


@dataclass(frozen=True)
class Demo:
    """What `demo --format json` answered, what it took, and the processes it left behind."""

    home: Path
    day: date
    finished: Finished
    seconds: float
    peak_bytes: int
    left_behind: dict[int, str]

    @property
    def env(self) -> dict[str, str]:
        return environment(self.home)

    @property
    def summary(self) -> dict[str, Any]:
        assert self.finished.status == 0, self.finished.stderr
        return dict(self.finished.json())


def run_demo(home: Path, day: date) -> Demo:
    """Runs it to its end, whatever that is."""
    started = time.monotonic()
    with measured(home) as peak:
        finished = fusion_billing(
            *("demo", "--date", day.isoformat(), "--format", "json"),
            env=environment(home),
            seconds=900,
        )
    seconds = time.monotonic() - started
    return Demo(home, day, finished, seconds, peak.bytes, working_in(home))
