"""Where the dbt project is, and the environment it needs: dbt takes connection parts, not a URL."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy.engine import make_url

from warehouse.settings import REPOSITORY, Settings

DBT_PROJECT = REPOSITORY / "dbt"


def dbt_environment(database_url: str, settings: Settings) -> dict[str, str]:
    """Variables for a dbt process on this warehouse. The password's name makes dbt mask it."""
    url = make_url(database_url)
    host = url.host or url.query.get("host") or "localhost"
    return {
        "FUSION_PG_HOST": str(host),
        "FUSION_PG_PORT": str(url.port or 5432),
        "FUSION_PG_USER": url.username or "postgres",
        "DBT_ENV_SECRET_PG_PASSWORD": url.password or "",
        "FUSION_PG_DATABASE": url.database or "postgres",
        "COMPANY_TIMEZONE": settings.company_timezone,
        "COMPANY_CURRENCY": settings.company_currency,
        "USAGE_GRACE_HOURS": str(settings.usage_grace_hours),
        "DBT_PROFILES_DIR": str(DBT_PROJECT),
        "DBT_PROJECT_DIR": str(DBT_PROJECT),
        "DBT_TARGET_PATH": str(settings.fusion_home / "dbt" / "target"),
        "DBT_LOG_PATH": str(settings.fusion_home / "dbt" / "logs"),
        "DO_NOT_TRACK": "1",
    }


def dbt_target(settings: Settings) -> Path:
    """Where dbt leaves manifest.json and run results."""
    return settings.fusion_home / "dbt" / "target"
