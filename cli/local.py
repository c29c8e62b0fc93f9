"""Parts that run here for a demo or for `up`: child processes that always end with us."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx


class LocalPartError(Exception):
    """A part did not come up. The message names its log."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def child(
    name: str,
    arguments: Sequence[str],
    environment: Mapping[str, str],
    log: Path,
    *,
    port: int | None = None,
) -> Iterator[Part]:
    """A Python process `python -m …` for the time of the block; SIGTERM, then SIGKILL, ends it.
    LocalPartError where its `port` is taken: whoever answers there would be taken for it."""
    if port is not None and listens(port):
        raise LocalPartError(f"{name} cannot listen on port {port}: something else does.")
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", *arguments],
            env={**os.environ, **environment},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        yield Part(name, process, log)
    finally:
        process.terminate()
        try:
            process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@dataclass(frozen=True)
class Part:
    """A part that runs, under the name that people know it by."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    def require_alive(self) -> None:
        """Raises LocalPartError where the part has ended."""
        if self.process.poll() is not None:
            raise LocalPartError(
                f"{self.name} ended with status {self.process.returncode}. Its log is {self.log}."
            )

    def wait_until(self, ready: Callable[[], bool], *, seconds: float) -> None:
        """Returns when `ready`. Raises LocalPartError when the part ends or time runs out."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.require_alive()
            if ready():
                return
            time.sleep(0.1)
        raise LocalPartError(
            f"{self.name} was not ready within {seconds:.0f} s. Its log is {self.log}."
        )


def answers(url: str) -> bool:
    """Whether an HTTP server answers there without a fault of its own."""
    try:
        return httpx.get(url, timeout=5).status_code < 500
    except httpx.TransportError:
        return False


def listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextlib.contextmanager
def endpoint(database_url: str, port: int, log: Path) -> Iterator[tuple[str, Part]]:
    """The ingestion endpoint; yields its base URL and the part."""
    arguments = ["cli", "serve", "--host", "127.0.0.1", "--port", str(port)]
    with child("The endpoint", arguments, {"DATABASE_URL": database_url}, log, port=port) as part:
        base = f"http://127.0.0.1:{port}"
        part.wait_until(lambda: answers(f"{base}/health"), seconds=60)
        yield base, part
