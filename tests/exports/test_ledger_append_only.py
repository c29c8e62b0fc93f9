"""The ledger takes no change, whoever asks: superuser, the roles, a user with every grant."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator

import psycopg
import pytest
import sqlalchemy as sa
from marts import Marts, ledger, rated, start_afresh
from sqlalchemy.engine import Engine

from exports.billing_run import bill
from warehouse.settings import Settings

SUPERUSER = "superuser"
CHANGES = (
    "update ops.billed_line set amount = 0",
    "update ops.billed_line set run_id = run_id",
    "delete from ops.billed_line",
    "truncate ops.billed_line cascade",
    "truncate ops.billing_run cascade",
    "delete from ops.billing_run",
    "insert into ops.billed_line select * from ops.billed_line"
    " on conflict (line_key) do update set amount = 0",
    "merge into ops.billed_line as mine using ops.billed_line as other"
    " on mine.line_key = other.line_key when matched then delete",
)


@pytest.fixture(scope="module")
def billed(engine: Engine, settings_with: Callable[..., Settings]) -> Iterator[Engine]:
    """One line in the ledger. No test leaves a change, so one database serves all."""
    start_afresh(engine)
    Marts(engine).build(rated())
    bill(engine, settings_with(), run_date=dt.date(2025, 10, 5))
    with engine.begin() as connection:
        connection.execute(sa.text("create role fusion_test_all"))
        connection.execute(sa.text("grant all on schema ops to fusion_test_all"))
        connection.execute(sa.text("grant all on all tables in schema ops to fusion_test_all"))
    yield engine
    with engine.begin() as connection:
        connection.execute(sa.text("drop owned by fusion_test_all; drop role fusion_test_all"))


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize(
    "role", [SUPERUSER, "fusion_test_all", "fusion_ingest", "fusion_transform", "fusion_reader"]
)
def test_the_ledger_refuses(billed: Engine, role: str, change: str) -> None:
    before = ledger(billed)
    assert len(before) == 1
    with billed.connect() as connection:
        if role != SUPERUSER:
            connection.execute(sa.text(f"set role {role}"))
        with pytest.raises(sa.exc.DBAPIError) as refused:
            connection.execute(sa.text(change))
    if role in (SUPERUSER, "fusion_test_all"):
        assert isinstance(
            refused.value.orig,
            psycopg.errors.IntegrityConstraintViolation | psycopg.errors.ForeignKeyViolation,
        )
    else:
        assert isinstance(refused.value.orig, psycopg.errors.InsufficientPrivilege)
    assert ledger(billed) == before
