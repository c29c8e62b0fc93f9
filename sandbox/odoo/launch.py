"""The double as a subprocess that is always stopped."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

ANNOUNCEMENT = "Odoo double listens on "
REPOSITORY = Path(__file__).resolve().parent.parent.parent


class DoubleError(Exception):
    """The double did not start; the message carries what it said."""


@contextmanager
def running_double(
    state_file: Path,
    *,
    today: date | None = None,
    port: int = 0,
    db: str | None = None,
    key: str = "admin",
) -> Iterator[str]:
    """Yields the double's URL; user `admin`, key `admin`, any database unless told otherwise.
    The state stays in `state_file`: started on it again, the double goes on where it was."""
    command = [
        sys.executable,
        "-m",
        "sandbox.odoo",
        "--port",
        str(port),
        "--state",
        str(state_file),
        "--key",
        key,
    ]
    if today:
        command += ["--today", today.isoformat()]
    if db:
        command += ["--db", db]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=REPOSITORY
    )
    try:
        yield _url(process)
    finally:
        process.terminate()
        try:
            process.communicate(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


def _url(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None  # noqa: S101 - it is a pipe
    line = process.stdout.readline()
    if not line.startswith(ANNOUNCEMENT):
        said = line + (process.communicate()[0] or "")
        raise DoubleError(f"the Odoo double did not start: {said.strip()}")
    return line.removeprefix(ANNOUNCEMENT).strip()
