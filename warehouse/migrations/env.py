"""Alembic's entry: migrates the engine that `warehouse.migrate` hands over."""

from __future__ import annotations

from alembic import context

from warehouse.tables import metadata


def include_name(name: str | None, type_: str, _: object) -> bool:
    return name in {"raw", "ops"} if type_ == "schema" else True


connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=metadata,
    include_schemas=True,
    include_name=include_name,
    version_table_schema="ops",
    compare_server_default=False,
)
with context.begin_transaction():
    context.run_migrations()
