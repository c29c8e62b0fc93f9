"""Parts that run on this machine for a demo or for `up`: child processes that always end with us."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
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
    name: str, arguments: Sequence[str], environment: Mapping[str, str], log: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """A Python process `python -m …` for the time of the block; SIGTERM, then SIGKILL, ends it."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", *arguments],
            env={**os.environ, **environment},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_for(name: str, url: str, process: subprocess.Popen[bytes], log: Path, *, seconds: float) -> None:
    """Returns when `url` answers. Raises LocalPartError when the process ends or time runs out."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise LocalPartError(f"{name} ended with status {process.returncode}. Its log is {log}.")
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(url, timeout=2).status_code < 500:
                return
        time.sleep(0.1)
    raise LocalPartError(f"{name} did not answer at {url} within {seconds:.0f} s. Its log is {log}.")


@contextlib.contextmanager
def endpoint(database_url: str, port: int, log: Path) -> Iterator[str]:
    """The ingestion endpoint; yields its base URL."""
    arguments = ["cli", "serve", "--host", "127.0.0.1", "--port", str(port)]
    with child("the endpoint", arguments, {"DATABASE_URL": database_url}, log) as process:
        base = f"http://127.0.0.1:{port}"
        wait_for("The endpoint", f"{base}/health", process, log, seconds=30)
        yield base
