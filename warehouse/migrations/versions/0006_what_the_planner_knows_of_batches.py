"""what PostgreSQL's planner knows of batches: enough to fold counters in several processes

Revision ID: 0006
Revises: 0005
"""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
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
