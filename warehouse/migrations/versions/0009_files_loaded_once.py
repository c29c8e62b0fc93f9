"""which cost files of the drop folder were loaded

Revision ID: 0009
Revises: 0008
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import BYTEA

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_now = sa.text("clock_timestamp()")


def upgrade() -> None:
    op.create_table(
        "dropped_file",
        sa.Column("file", sa.Text(), nullable=False),
        sa.Column("content_sha256", BYTEA(), nullable=False),
        sa.Column("loaded_at", sa.TIMESTAMP(timezone=True), server_default=_now, nullable=False),
        sa.PrimaryKeyConstraint("file", "content_sha256"),
        schema="ops",
    )
    op.execute("grant select on ops.dropped_file to fusion_transform")


def downgrade() -> None:
    op.drop_table("dropped_file", schema="ops")
