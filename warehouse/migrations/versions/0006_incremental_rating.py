"""how far the rating got, and what the planner has to know of batches

Revision ID: 0006
Revises: 0005
"""

import sqlalchemy as sa
from alembic import op

from warehouse.tables import XID8

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

# Of another shape in earlier versions: dbt makes it anew.
ROLLUP = "drop table if exists intermediate.int_usage_daily cascade"


def upgrade() -> None:
    op.execute(ROLLUP)
    op.create_table(
        "rating_progress",
        sa.Column("only_row", sa.Boolean(), server_default="true", nullable=False),
        sa.Column("rated_xid", XID8(), nullable=False),
        sa.Column("rules", sa.Text(), nullable=False),
        sa.Column(
            "rated_at",
            sa.TIMESTAMP(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.CheckConstraint("only_row", name="rating_progress_one_row"),
        sa.PrimaryKeyConstraint("only_row"),
        schema="ops",
    )
    op.create_table(
        "rated_subscription",
        sa.Column("service_code", sa.Text(), nullable=False),
        sa.Column("external_subscription_id", sa.Text(), nullable=False),
        sa.Column("terms", sa.Text(), nullable=False),
        sa.Column("periods_until", sa.Date()),
        sa.PrimaryKeyConstraint("service_code", "external_subscription_id"),
        schema="ops",
    )
    op.execute(
        "grant select, insert, update, delete on ops.rating_progress, ops.rated_subscription"
        " to fusion_transform"
    )
    # dbt compares transaction ids as numbers; without statistics of them a third is expected.
    op.execute(
        "create statistics raw.ingest_batch_xid on ((xid::text)::bigint) from raw.ingest_batch"
    )
    # A roll-up groups by the few lines of billing runs that lie between transaction ids. Expected
    # are as many groups as there are ids, too many to fold them in more than one process.
    op.execute("alter table raw.ingest_batch alter column xid set (n_distinct = 1)")
    op.execute("analyze raw.ingest_batch")


def downgrade() -> None:
    op.execute("alter table raw.ingest_batch alter column xid reset (n_distinct)")
    op.execute("drop statistics raw.ingest_batch_xid")
    op.drop_table("rated_subscription", schema="ops")
    op.drop_table("rating_progress", schema="ops")
    op.execute(ROLLUP)
