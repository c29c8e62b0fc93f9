"""The schemas that migrations make are the tables that the code knows."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import psycopg
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy.engine import Engine, make_url

from warehouse.engine import WarehouseError, make_engine
from warehouse.migrate import migrate, require_migrated
from warehouse.tables import metadata


@pytest.fixture
def empty(server_url: str) -> Iterator[Engine]:
    """A database that nobody has migrated."""
    with psycopg.connect(server_url, autocommit=True) as admin:
        admin.execute("drop database if exists t_empty with (force)")
        admin.execute("create database t_empty")
    url = make_url(server_url).set(database="t_empty").render_as_string(hide_password=False)
    engine = make_engine(url)
    yield engine
    engine.dispose()
    with psycopg.connect(server_url, autocommit=True) as admin:
        admin.execute("drop database if exists t_empty with (force)")


def _schema(engine: Engine) -> list[tuple[object, ...]]:
    """Every table, column, index, constraint, trigger and right of raw and ops."""
    with engine.connect() as connection:
        rows = connection.execute(
            sa.text("""
                select table_schema || '.' || table_name || '.' || column_name, data_type
                from information_schema.columns where table_schema in ('raw', 'ops')
                union all
                select indexname, indexdef from pg_indexes where schemaname in ('raw', 'ops')
                union all
                select conname || conrelid::regclass, pg_get_constraintdef(oid)
                from pg_constraint where connamespace in ('raw'::regnamespace, 'ops'::regnamespace)
                union all
                select tgname || tgrelid::regclass, pg_get_triggerdef(oid)
                from pg_trigger where not tgisinternal
                union all
                select oid::regclass::text, relacl::text
                from pg_class where relnamespace in ('raw'::regnamespace, 'ops'::regnamespace)
                order by 1, 2
            """)
        )
        return [tuple(row) for row in rows]


def test_migrations_make_what_the_code_knows(engine: Engine) -> None:
    def ours(name: str | None, kind: str, _: object) -> bool:
        return name in {"raw", "ops"} if kind == "schema" else name != "alembic_version"

    with engine.connect() as connection, warnings.catch_warnings():
        # SQLAlchemy cannot read xid8 back; the type of such a column is not compared.
        warnings.filterwarnings("ignore", "Did not recognize type 'xid8'", sa.exc.SAWarning)
        context = MigrationContext.configure(
            connection,
            opts={"include_schemas": True, "include_name": ours, "version_table_schema": "ops"},
        )
        assert compare_metadata(context, metadata) == []


def test_migrating_again_changes_nothing(engine: Engine) -> None:
    before = _schema(engine)
    assert len(before) > 100
    assert migrate(engine) == migrate(engine)
    assert _schema(engine) == before


def test_an_unmigrated_warehouse_says_what_to_do(empty: Engine) -> None:
    with pytest.raises(WarehouseError, match=r"at revision none, .* Run `fusion-billing migrate`"):
        require_migrated(empty)
    revision = migrate(empty)
    require_migrated(empty)
    with empty.begin() as connection:
        connection.execute(sa.text("update ops.alembic_version set version_num = '0000'"))
    with pytest.raises(
        WarehouseError,
        match=rf"at revision 0000, this code needs {revision}\. Run `fusion-billing migrate`",
    ):
        require_migrated(empty)


def test_a_migration_that_breaks_leaves_nothing(
    empty: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All revisions are one transaction: the next attempt starts where this one did."""

    def broken(*call: object) -> None:
        if "create trigger append_only_truncate" in str(call[2]):
            raise RuntimeError("the machine went down")

    sa.event.listen(empty, "before_cursor_execute", broken)
    with pytest.raises(RuntimeError):
        migrate(empty)
    sa.event.remove(empty, "before_cursor_execute", broken)
    with empty.connect() as connection:
        schemas = connection.execute(
            sa.text("select nspname from pg_namespace where nspname in ('raw', 'ops', 'marts')")
        ).all()
    assert schemas == []
    migrate(empty)
    require_migrated(empty)
