"""One URL, one engine, and locks that a dead process gives back."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine, make_url

from warehouse.dbt_project import dbt_environment, dbt_executable
from warehouse.engine import WarehouseError, connected, make_engine, warehouse_url
from warehouse.locks import advisory_lock, lock_number, session_lock
from warehouse.settings import Settings


def _settings(url: str) -> Settings:
    return Settings(_env_file=None, database_url=url)


def test_a_database_that_is_away_is_one_line_without_its_password() -> None:
    with (
        pytest.raises(WarehouseError) as refused,
        connected(_settings("postgresql://ann:hunter2@127.0.0.1:1/fusion")),
    ):
        pass
    message = str(refused.value)
    assert message.startswith(
        "No answer from PostgreSQL at postgresql://ann:***@127.0.0.1:1/fusion"
    )
    assert "DATABASE_URL" in message
    assert "hunter2" not in message
    assert "\n" not in message


def test_a_given_database_is_used_as_it_is(database_url: str) -> None:
    with warehouse_url(_settings(database_url)) as url:
        assert url == database_url
    with connected(_settings(database_url)) as engine, engine.connect() as connection:
        assert connection.execute(sa.text("select 1")).scalar_one() == 1


def test_sessions_are_in_utc_whatever_the_database_is(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the engine, after a rollback too, and of dbt, whose snapshots stamp without a zone."""
    monkeypatch.delenv("PGTZ", raising=False)  # an earlier test may have entered dbt's environment
    name = make_url(database_url).database
    with psycopg.connect(database_url, autocommit=True) as admin:
        admin.execute(f"alter database \"{name}\" set timezone = 'Asia/Tokyo'")
    zone = "select current_setting('TimeZone')"
    try:
        with psycopg.connect(database_url) as plain:
            assert plain.execute(zone).fetchone() == ("Asia/Tokyo",)
        with connected(_settings(database_url)) as engine, engine.connect() as connection:
            connection.rollback()
            assert connection.execute(sa.text(zone)).scalar_one() == "UTC"
        settings = Settings(_env_file=None, fusion_home=tmp_path)
        for variable, value in dbt_environment(database_url, settings).items():
            monkeypatch.setenv(variable, value)
        shown = subprocess.run(
            [
                dbt_executable(),
                "--quiet",
                "show",
                "--output",
                "json",
                "--inline",
                f"{zone} as zone",
            ],
            capture_output=True,
            text=True,
            check=True,
        )
        assert json.loads(shown.stdout)["show"] == [{"zone": "UTC"}]
    finally:
        with psycopg.connect(database_url, autocommit=True) as admin:
            admin.execute(f'alter database "{name}" reset timezone')


def test_lock_numbers_are_distinct_and_never_change() -> None:
    """They are in the database of a running older version too."""
    assert lock_number("billing_run") == 3267022883820405261
    assert lock_number("migrate") != lock_number("billing_run")
    assert -(2**63) <= lock_number("push:x") < 2**63


def test_a_session_lock_is_taken_once_and_given_back(engine: Engine) -> None:
    with session_lock(engine, "one") as first, session_lock(engine, "one") as second:
        assert (first, second) == (True, False)
        with session_lock(engine, "other") as other:
            assert other
    with session_lock(engine, "one") as again:
        assert again


def test_a_session_lock_outlives_no_error(engine: Engine) -> None:
    with pytest.raises(RuntimeError), session_lock(engine, "one"):
        raise RuntimeError
    with session_lock(engine, "one") as taken:
        assert taken


def test_who_found_it_taken_does_not_give_it_back(engine: Engine) -> None:
    with session_lock(engine, "one"):
        with session_lock(engine, "one"):
            pass
        with session_lock(engine, "one") as taken:
            assert not taken


def test_a_dead_session_gives_its_lock_back(engine: Engine, database_url: str) -> None:
    dead = make_engine(database_url)
    connection = dead.connect()
    number = {"n": lock_number("one")}
    connection.execute(sa.text("select pg_advisory_lock(:n)"), number)
    pid = connection.execute(sa.text("select pg_backend_pid()")).scalar_one()
    with engine.connect() as other:
        other.execute(sa.text("select pg_terminate_backend(:pid, 5000)"), {"pid": pid})
    with session_lock(engine, "one") as taken:
        assert taken
    connection.invalidate()
    dead.dispose()


def test_a_transaction_lock_ends_with_its_transaction(engine: Engine) -> None:
    with engine.connect() as connection:
        with connection.begin():
            advisory_lock(connection, "one")
            with session_lock(engine, "one") as taken:
                assert not taken
        with session_lock(engine, "one") as taken:
            assert taken
