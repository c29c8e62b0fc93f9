"""Linux's /proc: the processes that work in a folder, and the memory they hold together."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
KNOWN = (PROC / "self" / "smaps_rollup").exists()


@dataclass
class Peak:
    """The most that a folder's processes held at one sample, shared pages counted once; bytes."""

    bytes: int = 0


def working_in(folder: Path) -> dict[int, str]:
    """Command lines by id of the processes that name the folder in arguments or environment, and
    of their children. This process does not count."""
    named, parents, commands = set(), {}, {}
    for entry in PROC.glob("[0-9]*"):
        with contextlib.suppress(OSError, ValueError):
            pid = int(entry.name)
            command = (entry / "cmdline").read_bytes()
            state, parent = (entry / "stat").read_text().rsplit(")", 1)[1].split()[:2]
            if state == "Z":
                continue
            parents[pid], commands[pid] = int(parent), command.replace(b"\0", b" ").decode()
            if str(folder).encode() in command + (entry / "environ").read_bytes():
                named.add(pid)
    own = os.getpid()
    return {
        pid: command
        for pid, command in commands.items()
        if pid != own and named & set(_lineage(pid, parents, stop=own))
    }


def _lineage(pid: int, parents: dict[int, int], *, stop: int) -> Iterator[int]:
    while pid in parents and pid != stop:
        yield pid
        pid = parents[pid]


@contextlib.contextmanager
def measured(folder: Path, *, every: float = 1.0) -> Iterator[Peak]:
    """Samples the memory of the folder's processes for the time of the block."""
    peak, ended = Peak(), threading.Event()

    def sample() -> None:
        while not ended.wait(every):
            peak.bytes = max(peak.bytes, sum(_held(pid) for pid in working_in(folder)))

    thread = threading.Thread(target=sample, daemon=True)
    if KNOWN:
        thread.start()
    try:
        yield peak
    finally:
        ended.set()
        if KNOWN:
            thread.join()


def _held(pid: int) -> int:
    with contextlib.suppress(OSError):
        for line in (PROC / str(pid) / "smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0
