"""how far the mirror got, what the push is at, what apps ask of Odoo and what they are told

Revision ID: 0007
Revises: 0006
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, BYTEA, JSONB

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_now = sa.text("clock_timestamp()")
_OLD_STATES = "state in ('verified', 'refused', 'differs')"
_STATES = "state in ('planned', 'sent', 'verified', 'invoiced', 'refused', 'differs')"


def _timestamp(name: str, *, default: bool = False) -> sa.Column[object]:
    return sa.Column(
        name,
        sa.TIMESTAMP(timezone=True),
        nullable=not default,
        server_default=_now if default else None,
    )


def upgrade() -> None:
    op.create_table(
        "odoo_mirror",
        sa.Column("table_name", sa.Text(), nullable=False),
        sa.Column("odoo", sa.Text(), nullable=False),
        sa.Column("fields", ARRAY(sa.Text()), nullable=False),
        _timestamp("written_until"),
        _timestamp("read_at"),
        _timestamp("full_at"),
        _timestamp("started_at"),
        _timestamp("since"),
        sa.Column("last_id", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("table_name"),
        schema="ops",
    )
    op.create_table(
        "odoo_tax",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("write_date", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("record", JSONB(), nullable=False),
        _timestamp("mirrored_at", default=True),
        _timestamp("deleted_at"),
        sa.PrimaryKeyConstraint("id"),
        schema="raw",
    )
    op.execute("grant select on raw.odoo_tax to fusion_transform")
    op.drop_constraint("odoo_push_state", "odoo_push", schema="ops")
    op.create_check_constraint("odoo_push_state", "odoo_push", _STATES, schema="ops")
    op.add_column("odoo_push", sa.Column("problem", sa.Text()), schema="ops")
    op.add_column(
        "odoo_push",
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        schema="ops",
    )
    op.add_column("odoo_push", sa.Column("tax", sa.Numeric()), schema="ops")
    op.create_table(
        "command",
        sa.Column("command_id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("service_code", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("external_customer_id", sa.Text(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=False),
        sa.Column("payload", JSONB(), nullable=False),
        sa.Column("payload_hash", BYTEA(), nullable=False),
        _timestamp("received_at", default=True),
        sa.CheckConstraint(
            "kind in ('customer', 'subscription', 'termination')", name="command_kind"
        ),
        sa.PrimaryKeyConstraint("command_id"),
        schema="raw",
    )
    op.create_index(
        "command_of_customer",
        "command",
        ["service_code", "external_customer_id", "command_id"],
        schema="raw",
    )
    op.create_index(
        "command_of_subject",
        "command",
        ["service_code", "kind", "external_id", "command_id"],
        schema="raw",
    )
    op.execute(
        "create index odoo_account_link_of_app on raw.odoo_account_link"
        " ((record ->> 'x_service_code'), (record ->> 'x_external_account_id'))"
    )
    op.execute(
        "create index odoo_subscription_of_app on raw.odoo_subscription"
        " ((record ->> 'x_fc_service_code'), (record ->> 'x_fc_external_id'))"
    )
    op.create_table(
        "command_state",
        sa.Column("command_id", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text()),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        _timestamp("next_attempt_at"),
        sa.Column("odoo_partner_id", sa.BigInteger()),
        sa.Column("odoo_order_id", sa.BigInteger()),
        _timestamp("applied_at"),
        _timestamp("updated_at", default=True),
        sa.CheckConstraint(
            "state in ('pending', 'applied', 'retrying', 'ambiguous', 'refused')",
            name="command_state_state",
        ),
        sa.ForeignKeyConstraint(["command_id"], ["raw.command.command_id"]),
        sa.PrimaryKeyConstraint("command_id"),
        schema="ops",
    )
    op.create_table(
        "webhook_endpoint",
        sa.Column(
            "endpoint_id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False
        ),
        sa.Column("service_code", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("name", sa.Text()),
        sa.Column("signature_algo", sa.Text(), nullable=False),
        sa.Column("event_types", ARRAY(sa.Text())),
        sa.Column("secret", sa.Text(), nullable=False),
        _timestamp("created_at", default=True),
        _timestamp("updated_at", default=True),
        sa.CheckConstraint("signature_algo in ('hmac')", name="webhook_endpoint_algo"),
        sa.ForeignKeyConstraint(["service_code"], ["ops.service.service_code"]),
        sa.PrimaryKeyConstraint("endpoint_id"),
        sa.UniqueConstraint("service_code", "url", name="webhook_endpoint_once"),
        schema="ops",
    )
    op.create_table(
        "webhook_service",
        sa.Column("service_code", sa.Text(), nullable=False),
        _timestamp("since", default=True),
        sa.ForeignKeyConstraint(["service_code"], ["ops.service.service_code"]),
        sa.PrimaryKeyConstraint("service_code"),
        schema="ops",
    )
    op.create_table(
        "webhook_event",
        sa.Column(
            "event_id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False
        ),
        sa.Column("event_no", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("source_key", sa.Text(), nullable=False),
        sa.Column("service_code", sa.Text(), nullable=False),
        sa.Column("webhook_type", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("fact", sa.Text(), nullable=False),
        sa.Column("ordering_key", sa.Text(), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        _timestamp("created_at", default=True),
        sa.ForeignKeyConstraint(["service_code"], ["ops.service.service_code"]),
        sa.PrimaryKeyConstraint("event_id"),
        sa.UniqueConstraint("event_no"),
        sa.UniqueConstraint("source_key"),
        schema="ops",
    )
    op.create_index(
        "webhook_event_told",
        "webhook_event",
        ["service_code", "subject", "event_no"],
        schema="ops",
        postgresql_include=["fact", "ordering_key"],
    )
    op.create_table(
        "webhook_delivery",
        sa.Column("endpoint_id", sa.Uuid(), nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("event_no", sa.BigInteger(), nullable=False),
        sa.Column("ordering_key", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), server_default="pending", nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        _timestamp("next_attempt_at", default=True),
        sa.Column("lease", sa.Uuid()),
        _timestamp("leased_until"),
        sa.Column("last_status", sa.Integer()),
        sa.Column("last_error", sa.Text()),
        _timestamp("first_attempt_at"),
        _timestamp("delivered_at"),
        sa.CheckConstraint(
            "state in ('pending', 'delivered', 'dead')", name="webhook_delivery_state"
        ),
        sa.ForeignKeyConstraint(
            ["endpoint_id"], ["ops.webhook_endpoint.endpoint_id"], ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["event_id"], ["ops.webhook_event.event_id"]),
        sa.PrimaryKeyConstraint("endpoint_id", "event_id"),
        schema="ops",
    )
    op.create_index(
        "webhook_delivery_queue",
        "webhook_delivery",
        ["endpoint_id", "ordering_key", "event_no"],
        schema="ops",
        postgresql_where=sa.text("state = 'pending'"),
    )
    op.execute("grant select, insert on raw.command to fusion_ingest")
    # Not the secret: the HTTP endpoint writes it and never reads it again.
    op.execute("grant insert, update, delete on ops.webhook_endpoint to fusion_ingest")
    op.execute(
        "grant select (endpoint_id, service_code, url, name, signature_algo, event_types,"
        " created_at, updated_at) on ops.webhook_endpoint to fusion_ingest"
    )
    op.execute("grant select on ops.command_state to fusion_ingest")
    # What became of a command in Odoo, for the app that asked.
    op.execute(
        "grant select on raw.odoo_partner, raw.odoo_account_link, raw.odoo_subscription"
        " to fusion_ingest"
    )
    op.execute("grant select on raw.command, ops.odoo_mirror, ops.command_state to fusion_transform")


def downgrade() -> None:
    for name in ("webhook_delivery", "webhook_event", "webhook_service", "webhook_endpoint"):
        op.drop_table(name, schema="ops")
    op.drop_table("command_state", schema="ops")
    op.drop_table("command", schema="raw")
    op.drop_index("odoo_subscription_of_app", "odoo_subscription", schema="raw")
    op.drop_index("odoo_account_link_of_app", "odoo_account_link", schema="raw")
    op.execute(
        "revoke select on raw.odoo_partner, raw.odoo_account_link, raw.odoo_subscription"
        " from fusion_ingest"
    )
    op.drop_column("odoo_push", "tax", schema="ops")
    op.drop_column("odoo_push", "attempts", schema="ops")
    op.drop_column("odoo_push", "problem", schema="ops")
    op.drop_constraint("odoo_push_state", "odoo_push", schema="ops")
    op.execute("delete from ops.odoo_push where state not in ('verified', 'refused', 'differs')")
    op.create_check_constraint("odoo_push_state", "odoo_push", _OLD_STATES, schema="ops")
    op.drop_table("odoo_tax", schema="raw")
    op.drop_table("odoo_mirror", schema="ops")
