"""a close signs the month's margin beside its lines

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


def downgrade() -> None:
    op.drop_column("month_close", "margin_sha256", schema="ops")
