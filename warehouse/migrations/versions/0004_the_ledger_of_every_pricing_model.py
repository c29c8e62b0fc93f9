"""the ledger of every pricing model; its triggers hold in replica sessions too

Revision ID: 0004
Revises: 0003
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

LINE_COLUMNS: dict[str, type[sa.types.TypeEngine[Any]]] = {
    "charge_model": sa.Text,
    "variant": sa.Text,
    "group_key": sa.Text,
    "flat_amount": sa.Numeric,
    "package_size": sa.Numeric,
    "odoo_charge_id": sa.BigInteger,
    "charge_name": sa.Text,
    "unit": sa.Text,
    "odoo_product_id": sa.BigInteger,
}
RUN_COLUMNS = ("lines_desired", "counters_rated")

EVIDENCE = ("billed_line", "billing_run", "month_close")
TRIGGERS = ("append_only", "append_only_truncate")


def upgrade() -> None:
    for name, kind in LINE_COLUMNS.items():
        op.add_column("billed_line", sa.Column(name, kind), schema="ops")
    for name in RUN_COLUMNS:
        op.add_column("billing_run", sa.Column(name, sa.BigInteger()), schema="ops")
    op.alter_column("billed_line", "unit_price", nullable=True, schema="ops")
    op.alter_column("billed_line", "metric_code", nullable=True, schema="ops")
    # An ordinary trigger rests where session_replication_role is replica.
    for table in EVIDENCE:
        for trigger in TRIGGERS:
            op.execute(f"alter table ops.{table} enable always trigger {trigger}")


def downgrade() -> None:
    for table in EVIDENCE:
        for trigger in TRIGGERS:
            op.execute(f"alter table ops.{table} enable trigger {trigger}")
    # Fails, as it should, on a ledger that holds a line without them.
    op.alter_column("billed_line", "metric_code", nullable=False, schema="ops")
    op.alter_column("billed_line", "unit_price", nullable=False, schema="ops")
    for name in RUN_COLUMNS:
        op.drop_column("billing_run", name, schema="ops")
    for name in LINE_COLUMNS:
        op.drop_column("billed_line", name, schema="ops")
