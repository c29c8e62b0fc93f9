"""what shared costs follow, every version of the apps' invoices, who bills which service

Revision ID: 0008
Revises: 0007
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import BYTEA, JSONB

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_now = sa.text("clock_timestamp()")
_OLD_STATES = "state in ('planned', 'sent', 'verified', 'invoiced', 'refused', 'differs')"
_STATES = (
    "state in ('planned', 'sent', 'drafted', 'verified', 'invoiced', 'refused', 'differs')"
)
TRIGGERS = ("append_only", "append_only_truncate")


def upgrade() -> None:
    # A cost that all services share names none.
    op.alter_column("provider_cost", "service_code", nullable=True, schema="raw")
    op.create_index("provider_cost_day", "provider_cost", ["day"], schema="raw")
    op.create_table(
        "cost_driver",
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("sku", sa.Text(), nullable=False),
        sa.Column("metric_code", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.TIMESTAMP(timezone=True), server_default=_now, nullable=False),
        sa.PrimaryKeyConstraint("provider", "sku"),
        schema="ops",
    )
    op.create_table(
        "app_invoice",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("external_invoice_id", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("service_code", sa.Text(), nullable=False),
        sa.Column("invoice_number", sa.Text()),
        sa.Column("external_account_id", sa.Text()),
        sa.Column("corrects_invoice_id", sa.Text()),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("is_billed", sa.Boolean(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("issued_on", sa.Date()),
        sa.Column("net_amount", sa.Numeric()),
        sa.Column("discount_amount", sa.Numeric()),
        sa.Column("tax_amount", sa.Numeric()),
        sa.Column("total_amount", sa.Numeric()),
        sa.Column("content_sha256", BYTEA(), nullable=False),
        sa.Column("payload", JSONB(), nullable=False),
        sa.Column("file", sa.Text(), nullable=False),
        sa.Column("loaded_at", sa.TIMESTAMP(timezone=True), server_default=_now, nullable=False),
        sa.CheckConstraint(
            "kind in ('invoice', 'credit_note', 'refund')", name="app_invoice_kind"
        ),
        sa.PrimaryKeyConstraint("source", "external_invoice_id", "version"),
        schema="raw",
    )
    op.add_column(
        "app_billing_line",
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        schema="raw",
    )
    op.alter_column("app_billing_line", "version", server_default=None, schema="raw")
    op.drop_constraint("app_billing_line_pkey", "app_billing_line", schema="raw")
    op.create_primary_key(
        "app_billing_line_pkey",
        "app_billing_line",
        ["source", "external_invoice_id", "version", "external_line_id"],
        schema="raw",
    )
    op.add_column(
        "app_billing_line",
        sa.Column("discount_amount", sa.Numeric(), server_default="0", nullable=False),
        schema="raw",
    )
    op.add_column(
        "app_billing_line",
        sa.Column("is_proration", sa.Boolean(), server_default=sa.false(), nullable=False),
        schema="raw",
    )
    # Of what was loaded before only the lines are known: the next import of a file adds the rest as
    # version 2.
    op.execute("""
        insert into raw.app_invoice (
            source, external_invoice_id, version, kind, service_code, invoice_number,
            external_account_id, status, is_billed, currency, issued_on, net_amount,
            discount_amount, tax_amount, content_sha256, payload, file, loaded_at
        )
        select
            source, external_invoice_id, 1, 'invoice', min(service_code), min(invoice_number),
            min(external_account_id), min(status),
            min(status) in ('finalized', 'open', 'paid', 'uncollectible'), min(currency),
            min(issued_on), sum(amount), 0, sum(tax_amount), '', '{}', min(file), min(loaded_at)
        from raw.app_billing_line
        group by source, external_invoice_id
    """)
    op.create_table(
        "cutover",
        sa.Column("change_id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("service_code", sa.Text(), nullable=False),
        sa.Column("phase", sa.Text(), nullable=False),
        sa.Column("effective_from", sa.Date()),
        sa.Column("changed_by", sa.Text(), nullable=False),
        sa.Column("note", sa.Text()),
        sa.Column("gate", JSONB()),
        sa.Column("changed_at", sa.TIMESTAMP(timezone=True), server_default=_now, nullable=False),
        sa.CheckConstraint(
            "phase in ('shadow', 'dual_run', 'live', 'retired')", name="cutover_phase"
        ),
        sa.ForeignKeyConstraint(["service_code"], ["ops.service.service_code"]),
        sa.PrimaryKeyConstraint("change_id"),
        schema="ops",
    )
    op.create_index(
        "cutover_of_service", "cutover", ["service_code", "change_id"], schema="ops"
    )
    op.execute(
        "create trigger append_only before update or delete on ops.cutover"
        " for each row execute function ops.refuse_change()"
    )
    op.execute(
        "create trigger append_only_truncate before truncate on ops.cutover"
        " for each statement execute function ops.refuse_change()"
    )
    for trigger in TRIGGERS:
        op.execute(f"alter table ops.cutover enable always trigger {trigger}")
    # Whoever was billed by Odoo before phases were kept goes on being billed by it.
    op.execute("""
        insert into ops.cutover (service_code, phase, changed_by, note)
        select distinct billed.service_code, 'live', 'migration 0008', 'billed by Odoo before'
        from ops.billed_line as billed
        inner join ops.odoo_push as pushed on billed.line_key = pushed.line_key
        inner join ops.service on billed.service_code = service.service_code
        where pushed.state in ('verified', 'invoiced', 'differs')
    """)
    op.drop_constraint("odoo_push_state", "odoo_push", schema="ops")
    op.create_check_constraint("odoo_push_state", "odoo_push", _STATES, schema="ops")
    # For POST /costs: whether a cost stands already, not what others cost.
    op.execute(
        "grant insert, select (source, cost_key, quantity, amount, currency),"
        " update (quantity, amount, currency, file, loaded_at) on raw.provider_cost"
        " to fusion_ingest"
    )
    op.execute("grant select on ops.cost_driver, ops.cutover, raw.app_invoice to fusion_transform")


def downgrade() -> None:
    op.execute(
        "revoke insert, select (source, cost_key, quantity, amount, currency),"
        " update (quantity, amount, currency, file, loaded_at) on raw.provider_cost"
        " from fusion_ingest"
    )
    op.execute("update ops.odoo_push set state = 'planned' where state = 'drafted'")
    op.drop_constraint("odoo_push_state", "odoo_push", schema="ops")
    op.create_check_constraint("odoo_push_state", "odoo_push", _OLD_STATES, schema="ops")
    op.drop_table("cutover", schema="ops")
    op.execute("""
        delete from raw.app_billing_line as line
        where version < (
            select max(newer.version) from raw.app_billing_line as newer
            where newer.source = line.source
                and newer.external_invoice_id = line.external_invoice_id
        )
    """)
    op.drop_constraint("app_billing_line_pkey", "app_billing_line", schema="raw")
    for column in ("is_proration", "discount_amount", "version"):
        op.drop_column("app_billing_line", column, schema="raw")
    op.create_primary_key(
        "app_billing_line_pkey",
        "app_billing_line",
        ["source", "external_invoice_id", "external_line_id"],
        schema="raw",
    )
    op.drop_table("app_invoice", schema="raw")
    op.drop_table("cost_driver", schema="ops")
    op.drop_index("provider_cost_day", "provider_cost", schema="raw")
    op.execute("delete from raw.provider_cost where service_code is null")
    op.alter_column("provider_cost", "service_code", nullable=False, schema="raw")
