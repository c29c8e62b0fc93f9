"""the first tables

Revision ID: 0001
Revises: 
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from warehouse.tables import XID8

revision = '0001'
down_revision = None
branch_labels = None
depends_on = None


ROLES = ("fusion_ingest", "fusion_transform", "fusion_reader")
SCHEMAS = ("raw", "ops", "staging", "intermediate", "marts", "dagster")

CREATE_ROLE = """
do $$ begin
    if not exists (select from pg_roles where rolname = '{role}') then
        create role {role} nologin;
    end if;
end $$
"""

# The ledger, its runs and the closes are evidence: not even their owner changes a line.
APPEND_ONLY = """
create function ops.refuse_change() returns trigger language plpgsql as $$
begin
    raise exception '% on %.% is refused: it is append-only, a correction is a new line',
        tg_op, tg_table_schema, tg_table_name using errcode = 'integrity_constraint_violation';
end $$;
"""
EVIDENCE = ("billed_line", "billing_run", "month_close")
REFUSE_CHANGE = """
create trigger append_only before update or delete on ops.{table}
    for each row execute function ops.refuse_change();
create trigger append_only_truncate before truncate on ops.{table}
    for each statement execute function ops.refuse_change();
"""

GRANTS = """
grant usage on schema raw to fusion_ingest, fusion_transform;
grant usage on schema ops to fusion_ingest, fusion_transform;
grant usage, create on schema staging, intermediate, marts to fusion_transform;
grant usage on schema marts to fusion_reader;
grant select, insert on raw.ingest_batch, raw.usage_counter, raw.event_conflict to fusion_ingest;
grant select on ops.service, ops.api_key to fusion_ingest;
grant select on all tables in schema raw, ops to fusion_transform;
revoke select on ops.api_key from fusion_transform;
"""


def upgrade() -> None:
    for role in ROLES:
        op.execute(CREATE_ROLE.format(role=role))
    for schema in SCHEMAS:
        op.execute(f"create schema if not exists {schema}")
    op.create_table('billing_run',
    sa.Column('run_id', sa.BigInteger(), sa.Identity(always=True), nullable=False),
    sa.Column('run_date', sa.Date(), nullable=False),
    sa.Column('service_code', sa.Text(), nullable=True),
    sa.Column('build_id', sa.Text(), nullable=False),
    sa.Column('high_water_xid', XID8(), nullable=False),
    sa.Column('catalog_sha256', sa.Text(), nullable=False),
    sa.Column('code_version', sa.Text(), nullable=False),
    sa.Column('lines', sa.Integer(), nullable=False),
    sa.Column('adjustments', sa.Integer(), nullable=False),
    sa.Column('amount', sa.Numeric(), nullable=False),
    sa.Column('lines_sha256', sa.Text(), nullable=False),
    sa.Column('run_at', sa.TIMESTAMP(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
    sa.PrimaryKeyConstraint('run_id'),
    schema='ops'
    )
    op.create_table('month_close',
    sa.Column('month', sa.Date(), nullable=False),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('files', postgresql.ARRAY(sa.Text()), nullable=False),
    sa.Column('lines', sa.Integer(), nullable=False),
    sa.Column('amount', sa.Numeric(), nullable=False),
    sa.Column('lines_sha256', sa.Text(), nullable=False),
    sa.Column('code_version', sa.Text(), nullable=False),
    sa.Column('closed_at', sa.TIMESTAMP(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
    sa.PrimaryKeyConstraint('month', 'version'),
    schema='ops'
    )
    op.create_table('service',
    sa.Column('service_code', sa.Text(), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('created_at', sa.TIMESTAMP(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
    sa.CheckConstraint("service_code ~ '^[a-z][a-z0-9_]{1,30}$'", name='service_code_is_a_short_name'),
    sa.PrimaryKeyConstraint('service_code'),
    schema='ops'
    )
    op.create_table('app_billing_line',
    sa.Column('source', sa.Text(), nullable=False),
    sa.Column('external_invoice_id', sa.Text(), nullable=False),
    sa.Column('external_line_id', sa.Text(), nullable=False),
    sa.Column('service_code', sa.Text(), nullable=False),
    sa.Column('invoice_number', sa.Text(), nullable=True),
    sa.Column('external_account_id', sa.Text(), nullable=True),
    sa.Column('external_subscription_id', sa.Text(), nullable=True),
    sa.Column('item_type', sa.Text(), nullable=False),
    sa.Column('metric_code', sa.Text(), nullable=True),
    sa.Column('period_from', sa.TIMESTAMP(timezone=True), nullable=True),
    sa.Column('period_to', sa.TIMESTAMP(timezone=True), nullable=True),
    sa.Column('quantity', sa.Numeric(), nullable=True),
    sa.Column('amount', sa.Numeric(), nullable=False),
    sa.Column('tax_amount', sa.Numeric(), nullable=False),
    sa.Column('currency', sa.Text(), nullable=False),
    sa.Column('status', sa.Text(), nullable=False),
    sa.Column('issued_on', sa.Date(), nullable=True),
    sa.Column('payload', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('file', sa.Text(), nullable=False),
    sa.Column('loaded_at', sa.TIMESTAMP(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
    sa.PrimaryKeyConstraint('source', 'external_invoice_id', 'external_line_id'),
    schema='raw'
    )
    op.create_table('event_conflict',
    sa.Column('conflict_id', sa.BigInteger(), sa.Identity(always=True), nullable=False),
    sa.Column('service_code', sa.Text(), nullable=False),
    sa.Column('external_subscription_id', sa.Text(), nullable=False),
    sa.Column('transaction_id', sa.Text(), nullable=False),
    sa.Column('payload', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('payload_hash', postgresql.BYTEA(), nullable=False),
    sa.Column('received_at', sa.TIMESTAMP(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
    sa.PrimaryKeyConstraint('conflict_id'),
    schema='raw'
    )
    op.create_table('ingest_batch',
    sa.Column('batch_id', sa.BigInteger(), sa.Identity(always=True), nullable=False),
    sa.Column('xid', XID8(), server_default=sa.text('pg_current_xact_id()'), nullable=False),
    sa.Column('service_code', sa.Text(), nullable=True),
    sa.Column('counters', sa.Integer(), nullable=False),
    sa.Column('duplicates', sa.Integer(), server_default='0', nullable=False),
    sa.Column('received_at', sa.TIMESTAMP(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
    sa.PrimaryKeyConstraint('batch_id'),
    schema='raw'
    )
    op.create_table('odoo_account_link',
    sa.Column('id', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('write_date', sa.TIMESTAMP(timezone=True), nullable=False),
    sa.Column('record', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('mirrored_at', sa.TIMESTAMP(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
    sa.Column('deleted_at', sa.TIMESTAMP(timezone=True), nullable=True),
    sa.PrimaryKeyConstraint('id'),
    schema='raw'
    )
    op.create_table('odoo_charge',
    sa.Column('id', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('write_date', sa.TIMESTAMP(timezone=True), nullable=False),
    sa.Column('record', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('mirrored_at', sa.TIMESTAMP(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
    sa.Column('deleted_at', sa.TIMESTAMP(timezone=True), nullable=True),
    sa.PrimaryKeyConstraint('id'),
    schema='raw'
    )
    op.create_table('odoo_currency',
    sa.Column('id', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('write_date', sa.TIMESTAMP(timezone=True), nullable=False),
    sa.Column('record', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('mirrored_at', sa.TIMESTAMP(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
    sa.Column('deleted_at', sa.TIMESTAMP(timezone=True), nullable=True),
    sa.PrimaryKeyConstraint('id'),
    schema='raw'
    )
    op.create_table('odoo_currency_rate',
    sa.Column('id', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('write_date', sa.TIMESTAMP(timezone=True), nullable=False),
    sa.Column('record', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('mirrored_at', sa.TIMESTAMP(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
    sa.Column('deleted_at', sa.TIMESTAMP(timezone=True), nullable=True),
    sa.PrimaryKeyConstraint('id'),
    schema='raw'
    )
    op.create_table('odoo_invoice',
    sa.Column('id', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('write_date', sa.TIMESTAMP(timezone=True), nullable=False),
    sa.Column('record', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('mirrored_at', sa.TIMESTAMP(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
    sa.Column('deleted_at', sa.TIMESTAMP(timezone=True), nullable=True),
    sa.PrimaryKeyConstraint('id'),
    schema='raw'
    )
    op.create_table('odoo_invoice_line',
    sa.Column('id', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('write_date', sa.TIMESTAMP(timezone=True), nullable=False),
    sa.Column('record', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('mirrored_at', sa.TIMESTAMP(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
    sa.Column('deleted_at', sa.TIMESTAMP(timezone=True), nullable=True),
    sa.PrimaryKeyConstraint('id'),
    schema='raw'
    )
    op.create_table('odoo_metric',
    sa.Column('id', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('write_date', sa.TIMESTAMP(timezone=True), nullable=False),
    sa.Column('record', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('mirrored_at', sa.TIMESTAMP(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
    sa.Column('deleted_at', sa.TIMESTAMP(timezone=True), nullable=True),
    sa.PrimaryKeyConstraint('id'),
    schema='raw'
    )
    op.create_table('odoo_order_line',
    sa.Column('id', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('write_date', sa.TIMESTAMP(timezone=True), nullable=False),
    sa.Column('record', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('mirrored_at', sa.TIMESTAMP(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
    sa.Column('deleted_at', sa.TIMESTAMP(timezone=True), nullable=True),
    sa.PrimaryKeyConstraint('id'),
    schema='raw'
    )
    op.create_table('odoo_partner',
    sa.Column('id', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('write_date', sa.TIMESTAMP(timezone=True), nullable=False),
    sa.Column('record', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('mirrored_at', sa.TIMESTAMP(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
    sa.Column('deleted_at', sa.TIMESTAMP(timezone=True), nullable=True),
    sa.PrimaryKeyConstraint('id'),
    schema='raw'
    )
    op.create_table('odoo_plan',
    sa.Column('id', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('write_date', sa.TIMESTAMP(timezone=True), nullable=False),
    sa.Column('record', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('mirrored_at', sa.TIMESTAMP(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
    sa.Column('deleted_at', sa.TIMESTAMP(timezone=True), nullable=True),
    sa.PrimaryKeyConstraint('id'),
    schema='raw'
    )
    op.create_table('odoo_product',
    sa.Column('id', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('write_date', sa.TIMESTAMP(timezone=True), nullable=False),
    sa.Column('record', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('mirrored_at', sa.TIMESTAMP(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
    sa.Column('deleted_at', sa.TIMESTAMP(timezone=True), nullable=True),
    sa.PrimaryKeyConstraint('id'),
    schema='raw'
    )
    op.create_table('odoo_subscription',
    sa.Column('id', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('write_date', sa.TIMESTAMP(timezone=True), nullable=False),
    sa.Column('record', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('mirrored_at', sa.TIMESTAMP(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
    sa.Column('deleted_at', sa.TIMESTAMP(timezone=True), nullable=True),
    sa.PrimaryKeyConstraint('id'),
    schema='raw'
    )
    op.create_table('provider_cost',
    sa.Column('source', sa.Text(), nullable=False),
    sa.Column('cost_key', sa.Text(), nullable=False),
    sa.Column('provider', sa.Text(), nullable=False),
    sa.Column('sku', sa.Text(), nullable=False),
    sa.Column('day', sa.Date(), nullable=False),
    sa.Column('service_code', sa.Text(), nullable=False),
    sa.Column('external_account_id', sa.Text(), nullable=True),
    sa.Column('quantity', sa.Numeric(), nullable=False),
    sa.Column('amount', sa.Numeric(), nullable=False),
    sa.Column('currency', sa.Text(), nullable=False),
    sa.Column('file', sa.Text(), nullable=False),
    sa.Column('loaded_at', sa.TIMESTAMP(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
    sa.PrimaryKeyConstraint('source', 'cost_key'),
    schema='raw'
    )
    op.create_table('usage_counter',
    sa.Column('service_code', sa.Text(), nullable=False),
    sa.Column('external_subscription_id', sa.Text(), nullable=False),
    sa.Column('transaction_id', sa.Text(), nullable=False),
    sa.Column('batch_id', sa.BigInteger(), nullable=False),
    sa.Column('code', sa.Text(), nullable=False),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('window_start', sa.TIMESTAMP(timezone=True), nullable=False),
    sa.Column('window_end', sa.TIMESTAMP(timezone=True), nullable=False),
    sa.Column('value', sa.Numeric(), nullable=True),
    sa.Column('revision', sa.Integer(), server_default='0', nullable=False),
    sa.Column('properties', postgresql.JSONB(astext_type=sa.Text()), server_default='{}', nullable=False),
    sa.Column('precise_total_amount_cents', sa.Numeric(), nullable=True),
    sa.Column('payload_hash', postgresql.BYTEA(), nullable=False),
    sa.Column('received_at', sa.TIMESTAMP(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
    sa.CheckConstraint("kind in ('delta', 'cumulative', 'event')", name='usage_counter_kind'),
    sa.CheckConstraint('window_end >= window_start', name='usage_counter_window'),
    sa.PrimaryKeyConstraint('service_code', 'external_subscription_id', 'transaction_id'),
    schema='raw'
    )
    op.create_index(op.f('ix_raw_usage_counter_batch_id'), 'usage_counter', ['batch_id'], unique=False, schema='raw')
    op.create_table('api_key',
    sa.Column('key_id', sa.BigInteger(), sa.Identity(always=True), nullable=False),
    sa.Column('service_code', sa.Text(), nullable=False),
    sa.Column('sha256', postgresql.BYTEA(), nullable=False),
    sa.Column('hint', sa.Text(), nullable=False),
    sa.Column('created_at', sa.TIMESTAMP(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
    sa.Column('expires_at', sa.TIMESTAMP(timezone=True), nullable=True),
    sa.Column('revoked_at', sa.TIMESTAMP(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['service_code'], ['ops.service.service_code'], ),
    sa.PrimaryKeyConstraint('key_id'),
    sa.UniqueConstraint('sha256'),
    schema='ops'
    )
    op.create_table('billed_line',
    sa.Column('line_key', sa.Text(), nullable=False),
    sa.Column('rated_line_key', sa.Text(), nullable=False),
    sa.Column('adjustment_no', sa.Integer(), nullable=False),
    sa.Column('run_id', sa.BigInteger(), nullable=False),
    sa.Column('reason', sa.Text(), nullable=False),
    sa.Column('service_code', sa.Text(), nullable=False),
    sa.Column('account_key', sa.Text(), nullable=False),
    sa.Column('subscription_key', sa.Text(), nullable=False),
    sa.Column('odoo_order_id', sa.BigInteger(), nullable=False),
    sa.Column('plan_code', sa.Text(), nullable=False),
    sa.Column('metric_code', sa.Text(), nullable=False),
    sa.Column('charge_key', sa.Text(), nullable=False),
    sa.Column('period_start', sa.Date(), nullable=False),
    sa.Column('period_end', sa.Date(), nullable=False),
    sa.Column('tier', sa.Integer(), nullable=False),
    sa.Column('quantity_used', sa.Numeric(), nullable=False),
    sa.Column('quantity_included', sa.Numeric(), nullable=False),
    sa.Column('quantity_billed', sa.Numeric(), nullable=False),
    sa.Column('unit_price', sa.Numeric(), nullable=False),
    sa.Column('amount', sa.Numeric(), nullable=False),
    sa.Column('amount_precise', sa.Numeric(), nullable=False),
    sa.Column('currency', sa.Text(), nullable=False),
    sa.Column('billed_at', sa.TIMESTAMP(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
    sa.ForeignKeyConstraint(['run_id'], ['ops.billing_run.run_id'], ),
    sa.PrimaryKeyConstraint('line_key'),
    sa.UniqueConstraint('rated_line_key', 'adjustment_no', name='billed_line_once'),
    schema='ops'
    )
    op.create_table('odoo_push',
    sa.Column('line_key', sa.Text(), nullable=False),
    sa.Column('state', sa.Text(), nullable=False),
    sa.Column('reason', sa.Text(), nullable=True),
    sa.Column('odoo_order_id', sa.BigInteger(), nullable=False),
    sa.Column('odoo_line_id', sa.BigInteger(), nullable=True),
    sa.Column('subtotal', sa.Numeric(), nullable=True),
    sa.Column('pushed_at', sa.TIMESTAMP(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
    sa.CheckConstraint("state in ('verified', 'refused', 'differs')", name='odoo_push_state'),
    sa.ForeignKeyConstraint(['line_key'], ['ops.billed_line.line_key'], ),
    sa.PrimaryKeyConstraint('line_key'),
    schema='ops'
    )
    op.execute(APPEND_ONLY)
    for table in EVIDENCE:
        op.execute(REFUSE_CHANGE.format(table=table))
    op.execute(GRANTS)


def downgrade() -> None:
    op.execute("drop schema if exists ops, raw cascade")
