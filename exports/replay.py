"""Replay: rate everything from raw once more, beside the marts, and hold the ledger against it.

Two questions, each answered in bytes. Does every run still say what it attested (its lines hash to
`ops.billing_run.lines_sha256`)? And does the ledger, summed over adjustments, say what raw and
catalogue of now give (the canonical text of each line, on both sides)?
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from exports.ledger_comparison import ReplayError, ReplayResult, compare
from warehouse.dbt_project import run_dbt
from warehouse.locks import session_lock
from warehouse.settings import Settings
from warehouse.tables import billing_run

PREFIX = "replay_"
SCHEMAS = ("marts", "intermediate", "staging")
# What the comparison reads, and all that comes before it.
MODELS = ("+fct_rated_lines", "+int_usage_placed", "+dim_charge_version")


def replay(
    engine: Engine,
    settings: Settings,
    *,
    database_url: str,
    month: date,
    service_code: str | None = None,
) -> ReplayResult:
    """Compares the ledger's lines whose periods end in the month (its first day given) with a
    rating from raw as it is now, in schemas of its own that are dropped at the end.

    Production's marts, roll-ups and ledger are only read. Raises ReplayError where nothing of the
    month is billed, another replay is at work, or a billing run wrote meanwhile; DbtBuildError.
    """
    with session_lock(engine, "replay") as taken:
        if not taken:
            raise ReplayError("Another replay is at work. Let it finish, then repeat.")
        before = _last_run(engine)
        with _rebuilt(engine, settings, database_url), engine.connect() as connection:
            if _last_run(engine) != before:
                raise ReplayError("A billing run wrote during the replay. Repeat it.")
            return compare(
                connection, settings, month=month, service_code=service_code, prefix=PREFIX
            )


def _last_run(engine: Engine) -> int | None:
    with engine.connect() as connection:
        last: int | None = connection.execute(
            sa.select(sa.func.max(billing_run.c.run_id))
        ).scalar_one()
        return last


@contextmanager
def _rebuilt(engine: Engine, settings: Settings, database_url: str) -> Iterator[None]:
    """dbt's rating from raw, in the replay's own schemas. What a dead replay left goes first."""
    _drop(engine)
    home = settings.fusion_home / "replay"
    try:
        run_dbt(
            database_url,
            settings,
            "run",
            "--full-refresh",
            "--select",
            *MODELS,
            changes={
                "FUSION_SCHEMA_PREFIX": PREFIX,
                "DBT_TARGET_PATH": str(home / "target"),
                "DBT_LOG_PATH": str(home / "logs"),
            },
        )
        yield
    finally:
        _drop(engine)


def _drop(engine: Engine) -> None:
    with engine.begin() as connection:
        for schema in SCHEMAS:
            connection.execute(sa.text(f"drop schema if exists {PREFIX}{schema} cascade"))
