"""A dbt process on a test database, with everything it writes in a folder of the test's own."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from warehouse.dbt_project import dbt_environment, dbt_executable, dbt_target
from warehouse.settings import Settings


@dataclass(frozen=True)
class Build:
    """What a dbt process said and left behind."""

    exit_status: int
    output: str
    results: list[dict[str, str]]


# The steps between usage and lines as relations: unit tests ask the database for their columns.
STEPS_AS_VIEWS = ("--vars", "{steps: view}")


def run_dbt(database_url: str, folder: Path, *arguments: str) -> Build:
    """Runs dbt with its target and logs in `folder`: no other build is read or written over."""
    settings = Settings(fusion_home=folder)
    finished = subprocess.run(
        [dbt_executable(), *arguments],
        env={**os.environ, **dbt_environment(database_url, settings)},
        capture_output=True,
        text=True,
        check=False,
    )
    run_results = dbt_target(settings) / "run_results.json"
    results = json.loads(run_results.read_text())["results"] if run_results.exists() else []
    return Build(finished.returncode, finished.stdout + finished.stderr, results)
