"""The ledger takes no change, whoever asks: the roles, a user with every grant, the tables' owner,
a superuser, and a superuser who says that his session is a replica's."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator

import psycopg
import pytest
import sqlalchemy as sa
from marts import SEPTEMBER, Marts, rated, start_afresh
from sqlalchemy.engine import Engine

from exports.billing_run import bill
from warehouse.settings import Settings
from warehouse.tables import month_close

SUPERUSER = "superuser"
REPLICA = "superuser as replica"
EVIDENCE = ("billed_line", "billing_run", "cutover", "month_close")
# Whom no missing right holds back: the triggers do.
WITH_RIGHTS = (SUPERUSER, REPLICA, "fusion_test_all", "fusion_test_owner")
WITHOUT = ("fusion_ingest", "fusion_transform", "fusion_reader")
CHANGES = (
    "update ops.billed_line set amount = 0",
    "update ops.cutover set phase = 'live'",
    "delete from ops.cutover",
    "truncate ops.cutover",
    "update ops.billed_line set run_id = run_id",
    "delete from ops.billed_line",
    "truncate ops.billed_line cascade",
    "truncate ops.billing_run cascade",
    "delete from ops.billing_run",
    "update ops.billing_run set lines_sha256 = ''",
    "update ops.month_close set amount = 0",
    "delete from ops.month_close",
    "truncate ops.month_close",
    "with gone as (delete from ops.billed_line returning *) select count(*) from gone",
    "insert into ops.billed_line select * from ops.billed_line"
    " on conflict (line_key) do update set amount = 0",
    "merge into ops.billed_line as mine using ops.billed_line as other"
    " on mine.line_key = other.line_key when matched then delete",
)


@pytest.fixture(scope="module")
def billed(engine: Engine, settings_with: Callable[..., Settings]) -> Iterator[Engine]:
    """One line in the ledger and one closed month. No test leaves a change, so one database serves
    all."""
    start_afresh(engine)
    Marts(engine).build(rated())
    bill(engine, settings_with(), run_date=dt.date(2025, 10, 5))
    with engine.begin() as connection:
        connection.execute(
            sa.insert(month_close),
            {
                "month": SEPTEMBER,
                "version": 1,
                "files": [],
                "lines": 1,
                "amount": 0,
                "lines_sha256": "",
                "code_version": "",
            },
        )
        connection.execute(
            sa.text(
                "insert into ops.service (service_code, name) values ('nexadesk', 'NexaDesk')"
                " on conflict do nothing;"
                " insert into ops.cutover (service_code, phase, changed_by)"
                " values ('nexadesk', 'shadow', 'test')"
            )
        )
        before = connection.execute(sa.text("select current_user")).scalar_one()
        for role in ("fusion_test_all", "fusion_test_owner"):
            connection.execute(sa.text(f"create role {role}"))
            connection.execute(sa.text(f"grant all on schema ops to {role}"))
            connection.execute(sa.text(f"grant all on all tables in schema ops to {role}"))
        for table in EVIDENCE:
            connection.execute(sa.text(f"alter table ops.{table} owner to fusion_test_owner"))
    yield engine
    with engine.begin() as connection:
        for table in EVIDENCE:
            connection.execute(sa.text(f'alter table ops.{table} owner to "{before}"'))
        for role in ("fusion_test_all", "fusion_test_owner"):
            connection.execute(sa.text(f"drop owned by {role}; drop role {role}"))


def evidence(engine: Engine) -> list[object]:
    with engine.connect() as connection:
        return [
            connection.execute(sa.text(f"select * from ops.{table}")).all() for table in EVIDENCE
        ]


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("role", [*WITH_RIGHTS, *WITHOUT])
def test_the_ledger_refuses(billed: Engine, role: str, change: str) -> None:
    before = evidence(billed)
    with billed.connect() as connection:
        if role == REPLICA:
            connection.execute(sa.text("set session_replication_role = replica"))
        elif role != SUPERUSER:
            connection.execute(sa.text(f"set role {role}"))
        with pytest.raises(sa.exc.DBAPIError) as refused:
            connection.execute(sa.text(change))
    if role in WITH_RIGHTS:
        assert isinstance(
            refused.value.orig,
            psycopg.errors.IntegrityConstraintViolation | psycopg.errors.ForeignKeyViolation,
        )
    else:
        assert isinstance(refused.value.orig, psycopg.errors.InsufficientPrivilege)
    assert evidence(billed) == before


@pytest.mark.parametrize("role", WITHOUT)
@pytest.mark.parametrize(
    "change",
    [
        "alter table ops.billed_line disable trigger append_only",
        "drop trigger append_only on ops.billed_line",
        "drop table ops.billed_line cascade",
        "set session_replication_role = replica",
    ],
)
def test_no_role_of_the_app_switches_the_refusal_off(
    billed: Engine, role: str, change: str
) -> None:
    """The owner can: a table's owner may always disable its triggers. The hashes tell."""
    with billed.connect() as connection:
        connection.execute(sa.text(f"set role {role}"))
        with pytest.raises(sa.exc.DBAPIError) as refused:
            connection.execute(sa.text(change))
    assert isinstance(refused.value.orig, psycopg.errors.InsufficientPrivilege)


def test_every_refusal_is_on_for_replicas_too(billed: Engine) -> None:
    with billed.connect() as connection:
        states = connection.execute(
            sa.text(
                "select tgrelid::regclass::text, tgname, tgenabled::text from pg_trigger"
                " where tgname like 'append_only%'"
            )
        ).all()
    assert sorted(tuple(state) for state in states) == sorted(
        (f"ops.{table}", name, "A")
        for table in EVIDENCE
        for name in ("append_only", "append_only_truncate")
    )
