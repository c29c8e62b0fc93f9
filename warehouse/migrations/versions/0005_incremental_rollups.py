"""what the incremental roll-ups have taken, and the indexes by which they find what is new

Revision ID: 0005
Revises: 0004
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from warehouse.tables import XID8

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

# Full tables of another shape in earlier versions: dbt makes them anew.
ROLLUPS = "drop table if exists intermediate.int_usage_daily, intermediate.int_usage_events cascade"
FORMER = (
    "drop table if exists intermediate.int_usage_counters, intermediate.int_usage_members cascade"
)


def upgrade() -> None:
    op.execute(ROLLUPS)
    op.execute(FORMER)
    op.create_table(
        "rollup_progress",
        sa.Column("rollup", sa.Text(), nullable=False),
        sa.Column("rules", sa.Integer(), nullable=False),
        sa.Column("high_water_xid", XID8(), nullable=False),
        sa.Column("batches", sa.BigInteger(), nullable=False),
        sa.Column("last_run_id", sa.BigInteger(), nullable=False),
        sa.Column("definitions", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column(
            "rolled_up_at",
            sa.TIMESTAMP(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("rollup"),
        schema="ops",
    )
    op.execute("grant select, insert, update on ops.rollup_progress to fusion_transform")
    op.create_index(
        "usage_counter_window_range",
        "usage_counter",
        ["window_start"],
        schema="raw",
        postgresql_using="brin",
        postgresql_with={"autosummarize": "on", "pages_per_range": 32},
    )
    op.create_index(
        "usage_counter_readings",
        "usage_counter",
        ["service_code", "external_subscription_id", "code", "window_end", "window_start"],
        schema="raw",
        postgresql_where=sa.text("kind = 'cumulative'"),
    )
    op.create_index(
        "usage_counter_revisions",
        "usage_counter",
        ["service_code", "external_subscription_id", "code", "window_start"],
        schema="raw",
        postgresql_where=sa.text("revision > 0"),
    )


def downgrade() -> None:
    op.drop_index("usage_counter_revisions", "usage_counter", schema="raw")
    op.drop_index("usage_counter_readings", "usage_counter", schema="raw")
    op.drop_index("usage_counter_window_range", "usage_counter", schema="raw")
    op.drop_table("rollup_progress", schema="ops")
    op.execute(ROLLUPS)
