"""Dagster's home and storage: the warehouse's own PostgreSQL, in the schema `dagster`."""

from __future__ import annotations

import os
from pathlib import Path

import yaml
from sqlalchemy.engine import make_url

from warehouse.dbt_project import dbt_environment, prepare_manifest
from warehouse.settings import Settings

_CONFIG = {
    "storage": {"postgres": {"postgres_url": {"env": "FUSION_DAGSTER_URL"}}},
    # One run at a time: two builds of the same marts have nothing to gain from each other.
    "concurrency": {"runs": {"max_concurrent_runs": 1}},
    "telemetry": {"enabled": False},
}


def dagster_environment(database_url: str, settings: Settings) -> dict[str, str]:
    """Writes dagster.yaml; returns the variables for Dagster's processes and the dbt they run."""
    home = settings.fusion_home / "dagster"
    home.mkdir(parents=True, exist_ok=True)
    (home / "dagster.yaml").write_text(yaml.safe_dump(_CONFIG, sort_keys=False))
    return {
        **dbt_environment(database_url, settings),
        "DATABASE_URL": database_url,
        "DAGSTER_HOME": str(home),
        "FUSION_DAGSTER_URL": storage_url(database_url),
        "FUSION_HOME": str(settings.fusion_home),
    }


def storage_url(database_url: str) -> str:
    """The warehouse's URL with the search path that keeps Dagster's tables in their own schema."""
    url = make_url(database_url).set(drivername="postgresql+psycopg2")
    return url.update_query_dict({"options": "-csearch_path=dagster"}).render_as_string(False)


def enter(database_url: str, settings: Settings) -> Path:
    """Puts Dagster's environment into this process, with dbt's manifest in place, which the
    definitions read when they are imported; returns DAGSTER_HOME."""
    environment = dagster_environment(database_url, settings)
    os.environ.update(environment)
    prepare_manifest(database_url, settings)
    return Path(environment["DAGSTER_HOME"])
