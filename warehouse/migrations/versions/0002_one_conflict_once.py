"""one conflict once; batches found by a block range index

Revision ID: 0002
Revises: 0001
"""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# A client that retries its contradiction for ever must not fill the table. The first one stays.
FIRST_OF_EACH = """
delete from raw.event_conflict as later
using raw.event_conflict as first
where later.service_code = first.service_code
    and later.external_subscription_id = first.external_subscription_id
    and later.transaction_id = first.transaction_id
    and later.payload_hash = first.payload_hash
    and later.conflict_id > first.conflict_id
"""

ONCE = ["service_code", "external_subscription_id", "transaction_id", "payload_hash"]


def upgrade() -> None:
    op.execute(FIRST_OF_EACH)
    op.create_unique_constraint("event_conflict_once", "event_conflict", ONCE, schema="raw")
    # Batch ids grow with the table, so block ranges find them in a thousandth of a btree's space.
    op.drop_index("ix_raw_usage_counter_batch_id", "usage_counter", schema="raw")
    op.create_index(
        "usage_counter_batch_range",
        "usage_counter",
        ["batch_id"],
        schema="raw",
        postgresql_using="brin",
        postgresql_with={"autosummarize": "on", "pages_per_range": 32},
    )


def downgrade() -> None:
    op.drop_index("usage_counter_batch_range", "usage_counter", schema="raw")
    op.create_index(
        "ix_raw_usage_counter_batch_id", "usage_counter", ["batch_id"], schema="raw"
    )
    op.drop_constraint("event_conflict_once", "event_conflict", schema="raw")
