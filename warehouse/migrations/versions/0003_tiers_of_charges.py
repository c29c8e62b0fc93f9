"""tiers of charges and base lines of subscriptions, mirrored from Odoo

Revision ID: 0003
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


TABLES = ("odoo_charge_tier", "odoo_base_line")


def upgrade() -> None:
    for table in TABLES:
        op.create_table(
            table,
            sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
            sa.Column("write_date", sa.TIMESTAMP(timezone=True), nullable=False),
            sa.Column("record", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
            sa.Column(
                "mirrored_at",
                sa.TIMESTAMP(timezone=True),
                server_default=sa.text("clock_timestamp()"),
                nullable=False,
            ),
            sa.Column("deleted_at", sa.TIMESTAMP(timezone=True), nullable=True),
            sa.PrimaryKeyConstraint("id"),
            schema="raw",
        )
        op.execute(f"grant select on raw.{table} to fusion_transform")


def downgrade() -> None:
    for table in TABLES:
        op.drop_table(table, schema="raw")
