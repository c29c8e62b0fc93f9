"""What each role may do: the endpoint inserts counters, dbt reads, a reader sees marts alone."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

BATCH = "insert into raw.ingest_batch (service_code, counters) values ('nexacloud', 1)"
COUNTER = """
    insert into raw.usage_counter (service_code, external_subscription_id, transaction_id,
        batch_id, code, kind, window_start, window_end, value, payload_hash)
    values ('nexacloud', 'sub_1', 'tx_1', 1, 'messages', 'delta', now(), now(), 1, '')
    on conflict do nothing returning transaction_id
"""
CONFLICT = """
    insert into raw.event_conflict (service_code, external_subscription_id, transaction_id,
        payload, payload_hash)
    values ('nexacloud', 'sub_1', 'tx_1', '{}', '')
"""
COMMAND = """
    insert into raw.command (service_code, kind, external_customer_id, external_id, payload,
        payload_hash)
    values ('nexacloud', 'customer', 'acct_1', 'acct_1', '{}', '')
"""

COST = """
    insert into raw.provider_cost (source, cost_key, provider, sku, day, service_code, quantity,
        amount, currency, file)
    values ('api', 'k', 'ovh', 'rack', '2026-09-30', 'nexacloud', 1, 41.50, 'CAD', 'POST /costs')
    on conflict (source, cost_key) do update set amount = excluded.amount, file = 'POST /costs',
        loaded_at = clock_timestamp()
"""


@pytest.fixture(scope="module")
def filled(engine: Engine) -> Engine:
    """A mart and an intermediate table, as dbt makes them after the migration."""
    with engine.begin() as connection:
        connection.execute(sa.text("create table marts.dim_metric (metric_code text)"))
        connection.execute(sa.text("create view marts.rpt_month as select * from marts.dim_metric"))
        connection.execute(sa.text("create table intermediate.int_usage (quantity numeric)"))
    return engine


@pytest.fixture
def connection(filled: Engine) -> Iterator[Connection]:
    with filled.connect() as connection:
        yield connection


def refused(connection: Connection, role: str, statement: str) -> bool:
    """Whether the role lacks the right; any other error is the test's own."""
    with connection.begin() as transaction:
        connection.execute(sa.text(f"set local role {role}"))
        try:
            connection.execute(sa.text(statement))
        except sa.exc.ProgrammingError as error:
            if not isinstance(error.orig, psycopg.errors.InsufficientPrivilege):
                raise
            return True
        finally:
            transaction.rollback()
    return False


@pytest.mark.parametrize(
    "statement",
    [
        BATCH,
        COUNTER,
        CONFLICT,
        "select * from raw.usage_counter",
        "select * from ops.service",
        "select sha256 from ops.api_key",
        # `serve` refuses a database of another version.
        "select * from ops.alembic_version",
        COMMAND,
        # An app is told what became of its commands.
        "select * from raw.command left join ops.command_state using (command_id)",
        "select * from raw.odoo_account_link, raw.odoo_partner, raw.odoo_subscription",
        # An app is told whether its costs were known.
        COST,
        "select quantity, amount, currency from raw.provider_cost where cost_key = 'k'",
    ],
)
def test_ingest_may(connection: Connection, statement: str) -> None:
    assert not refused(connection, "fusion_ingest", statement)


@pytest.mark.parametrize(
    "statement",
    [
        "update raw.usage_counter set value = 0",
        "delete from raw.usage_counter",
        "truncate raw.usage_counter",
        "update raw.ingest_batch set counters = 0",
        "select * from ops.billed_line",
        "select * from ops.billing_run",
        "insert into ops.service (service_code, name) values ('nexo', 'Nexo')",
        "update ops.api_key set revoked_at = null",
        "update raw.command set payload = '{}'",
        "delete from raw.command",
        "insert into ops.command_state (command_id, state) values (1, 'applied')",
        "select * from raw.odoo_invoice",
        "select * from raw.provider_cost",
        "select service_code from raw.provider_cost",
        "update raw.provider_cost set service_code = 'nexacloud'",
        "delete from raw.provider_cost",
        "select * from ops.cost_driver",
        "select * from marts.dim_metric",
        "create table raw.mine (id int)",
    ],
)
def test_ingest_may_not(connection: Connection, statement: str) -> None:
    assert refused(connection, "fusion_ingest", statement)


@pytest.mark.parametrize(
    "statement",
    [
        "select * from raw.usage_counter",
        "select * from raw.odoo_partner",
        "select * from ops.billed_line",
        "create table marts.mine (id int)",
        "create table staging.mine (id int)",
        "create table intermediate.mine (id int)",
    ],
)
def test_transform_may(connection: Connection, statement: str) -> None:
    assert not refused(connection, "fusion_transform", statement)


@pytest.mark.parametrize(
    "statement",
    [
        BATCH,
        "delete from raw.usage_counter",
        "update raw.odoo_partner set record = '{}'",
        "insert into ops.billing_run default values",
        "create table ops.mine (id int)",
    ],
)
def test_transform_may_not(connection: Connection, statement: str) -> None:
    assert refused(connection, "fusion_transform", statement)


@pytest.mark.parametrize(
    "statement",
    [
        "insert into marts.dim_metric values ('messages')",
        "delete from marts.dim_metric",
        "select * from intermediate.int_usage",
        "select * from raw.usage_counter",
        "select * from ops.billed_line",
        "select * from ops.api_key",
        "create table marts.mine (id int)",
    ],
)
def test_a_reader_does_nothing_else(connection: Connection, statement: str) -> None:
    assert refused(connection, "fusion_reader", statement)
