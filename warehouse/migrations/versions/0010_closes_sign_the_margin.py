"""a close signs the month's margin; the endpoint's own role may ask which migration this is

Revision ID: 0010
Revises: 0009
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("month_close", sa.Column("margin_sha256", sa.Text()), schema="ops")
    op.execute("grant select on ops.alembic_version to fusion_ingest")


def downgrade() -> None:
    op.execute("revoke select on ops.alembic_version from fusion_ingest")
    op.drop_column("month_close", "margin_sha256", schema="ops")
