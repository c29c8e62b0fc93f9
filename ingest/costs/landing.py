"""Costs into raw.provider_cost, under their source and key."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy.engine import Connection

from ingest.costs.rows import COLUMNS, CostRow
from ingest.upsert import UpsertCounts, upsert
from warehouse.tables import provider_cost


def land(
    connection: Connection, source: str, rows: Iterable[CostRow], *, told_in: str
) -> UpsertCounts:
    """Lands rows of distinct keys in the connection's transaction. One whose amount, quantity or
    currency differs from what was told before replaces it. `told_in` is the file, the model."""
    landed = (
        (
            source,
            row.cost_key,
            row.provider,
            row.sku,
            row.day,
            row.service_code,
            row.external_account_id,
            row.quantity,
            row.amount,
            row.currency,
            told_in,
        )
        for row in rows
    )
    columns = ("source", "cost_key", *COLUMNS, "file")
    return upsert(connection, provider_cost, columns, landed, apart=("file",))
