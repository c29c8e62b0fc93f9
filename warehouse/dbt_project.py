"""Where the dbt project is, and the environment it needs: dbt takes connection parts, not a URL."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from sqlalchemy.engine import make_url

from warehouse.settings import REPOSITORY, Settings

DBT_PROJECT = REPOSITORY / "dbt"


def dbt_environment(database_url: str, settings: Settings) -> dict[str, str]:
    """Variables for a dbt process on this warehouse. The password's name makes dbt mask it."""
    url = make_url(database_url)
    # libpq takes every part after the question mark too, and a socket's folder only there.
    query = {name: str(value) for name, value in url.query.items()}
    return {
        "FUSION_PG_HOST": url.host or query.get("host") or "localhost",
        "FUSION_PG_SSLMODE": query.get("sslmode", "prefer"),
        "FUSION_PG_PORT": str(url.port or query.get("port") or 5432),
        "FUSION_PG_USER": url.username or query.get("user") or "postgres",
        "DBT_ENV_SECRET_PG_PASSWORD": url.password or query.get("password") or "",
        "FUSION_PG_DATABASE": url.database or "postgres",
        # libpq's: a snapshot stamps its versions without a zone, and they are UTC.
        "PGTZ": "UTC",
        "COMPANY_TIMEZONE": settings.company_timezone,
        "COMPANY_CURRENCY": settings.company_currency,
        "USAGE_GRACE_HOURS": str(settings.usage_grace_hours),
        "MARGIN_FLOOR_PCT": f"{settings.margin_floor_pct:f}",
        "FUSION_DBT_CODE": _code(),
        "FUSION_SCHEMA_PREFIX": "",  # a replay's alone, whatever the shell says
        "DBT_PROFILES_DIR": str(DBT_PROJECT),
        "DBT_PROJECT_DIR": str(DBT_PROJECT),
        "DBT_TARGET_PATH": str(settings.fusion_home / "dbt" / "target"),
        "DBT_LOG_PATH": str(settings.fusion_home / "dbt" / "logs"),
        "DO_NOT_TRACK": "1",
    }


def _code() -> str:
    """Hash of the project's models and macros: lines rated by another are rated anew."""
    digest = hashlib.sha256()
    for path in sorted(_sources()):
        digest.update(path.relative_to(DBT_PROJECT).as_posix().encode() + b"\0")
        digest.update(path.read_bytes() + b"\0")
    return digest.hexdigest()


def _sources() -> list[Path]:
    return [path for path in DBT_PROJECT.rglob("*") if path.suffix in {".sql", ".yml"}]


def dbt_target(settings: Settings) -> Path:
    """Where dbt leaves manifest.json and run results."""
    return settings.fusion_home / "dbt" / "target"


class DbtBuildError(Exception):
    """A dbt build did not finish. The message names what failed and where its log is."""


def dbt_executable() -> str:
    """dbt beside this Python, whether or not the environment is on PATH."""
    beside = Path(sys.executable).with_name("dbt")
    return str(beside) if beside.exists() else shutil.which("dbt") or "dbt"


def run_dbt(
    database_url: str,
    settings: Settings,
    *arguments: str,
    changes: Mapping[str, str] | None = None,
) -> None:
    """Runs dbt on the warehouse, quietly, with `changes` to its environment. Raises DbtBuildError
    with the nodes that failed."""
    environment = {**dbt_environment(database_url, settings), **(changes or {})}
    finished = subprocess.run(
        [dbt_executable(), *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    if finished.returncode == 0:
        return
    log = Path(environment["DBT_LOG_PATH"]) / "dbt.log"
    target = Path(environment["DBT_TARGET_PATH"])
    failed = ", ".join(_failed_nodes(target)) or _last_line(finished.stdout)
    raise DbtBuildError(f"dbt {arguments[0]} failed: {failed}. Its log is {log}.")


def prepare_manifest(database_url: str, settings: Settings) -> None:
    """Writes manifest.json unless it is newer than every file of the project."""
    manifest = dbt_target(settings) / "manifest.json"
    sources = _sources()
    if manifest.exists() and manifest.stat().st_mtime > max(
        path.stat().st_mtime for path in sources
    ):
        return
    run_dbt(database_url, settings, "parse")


def _failed_nodes(target: Path) -> list[str]:
    results = target / "run_results.json"
    if not results.exists():
        return []
    return [
        result["unique_id"].split(".", 2)[-1]
        for result in json.loads(results.read_text())["results"]
        if result["status"] in {"error", "fail"}
    ]


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "no output"
