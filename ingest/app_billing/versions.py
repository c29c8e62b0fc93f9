"""The versions of documents that are stored: what a new content is compared with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ingest.app_billing.ages import INSTANTS, changed_at
from ingest.app_billing.lines import AppDocument, BillingLine
from warehouse.tables import app_billing_line, app_invoice

# The head of a document as both the reader and the table name it, in one order.
HEAD = (
    "kind",
    "invoice_number",
    "external_account_id",
    "corrects_invoice_id",
    "status",
    "is_billed",
    "currency",
    "issued_on",
    "net_amount",
    "discount_amount",
    "tax_amount",
    "total_amount",
)
LINE = (
    "external_line_id",
    "external_account_id",
    "external_subscription_id",
    "item_type",
    "metric_code",
    "period_from",
    "period_to",
    "quantity",
    "amount",
    "discount_amount",
    "tax_amount",
    "currency",
    "is_proration",
)
KEY = ("source", "external_invoice_id", "version")
# Lago's fees and items, Stripe's lines: as stg_app_billing__invoices counts them.
_EXPORTED = sa.func.coalesce(
    app_invoice.c.payload["fees"],
    app_invoice.c.payload["items"],
    app_invoice.c.payload[("lines", "data")],
)


@dataclass(frozen=True)
class Version:
    """The head of a stored version, and what tells whether a list entry says the same."""

    number: int
    service_code: str
    content_sha256: bytes
    updated_at: datetime | None
    head: tuple[Any, ...]
    is_complete: bool  # all of its lines could be read
    is_event: bool = False  # of an event in this import: `updated_at` is then exact


def stored_versions(
    connection: Connection, source: str, ids: list[str]
) -> dict[str, list[Version]]:
    """Of each document all versions, the newest last."""
    table = app_invoice.c
    instants = [table.payload[name].label(f"payload_{name}") for name in INSTANTS]
    exported = sa.case(
        (sa.func.jsonb_typeof(_EXPORTED) == "array", sa.func.jsonb_array_length(_EXPORTED)), else_=0
    )
    line = app_billing_line.c
    read = (
        sa.select(sa.func.count())
        .where(*(line[name] == table[name] for name in KEY))
        .scalar_subquery()
    )
    needed = (*KEY, "service_code", "content_sha256", *HEAD)  # a payload is large
    statement = (
        sa.select(
            *(table[name] for name in needed), *instants, (exported <= read).label("is_complete")
        )
        .where(table.source == source, table.external_invoice_id == sa.func.any(ids))
        .order_by(table.external_invoice_id, table.version)
    )
    versions: dict[str, list[Version]] = {}
    for row in connection.execute(statement).mappings():
        versions.setdefault(row["external_invoice_id"], []).append(
            Version(
                number=row["version"],
                service_code=row["service_code"],
                content_sha256=bytes(row["content_sha256"]),
                updated_at=changed_at({name: row[f"payload_{name}"] for name in INSTANTS}),
                head=tuple(row[name] for name in HEAD),
                is_complete=row["is_complete"],
            )
        )
    return versions


def newest_lines(
    connection: Connection, source: str, versions: dict[str, list[Version]]
) -> dict[str, dict[str, tuple[Any, ...]]]:
    """Of each document the lines of its newest version, comparable."""
    table = app_billing_line.c
    statement = sa.select(*(table[name] for name in (*KEY, *LINE))).where(
        table.source == source, table.external_invoice_id == sa.func.any(list(versions))
    )
    found: dict[str, dict[str, tuple[Any, ...]]] = {name: {} for name in versions}
    for row in connection.execute(statement).mappings():
        name = row["external_invoice_id"]
        if row["version"] == versions[name][-1].number:
            found[name][row["external_line_id"]] = tuple(row[column] for column in LINE)
    return found


def comparable(lines: Sequence[BillingLine]) -> dict[str, tuple[Any, ...]]:
    """By id, in the order of LINE."""
    return {line.external_line_id: tuple(getattr(line, name) for name in LINE) for line in lines}


def head_of(document: AppDocument) -> tuple[Any, ...]:
    """In the order of HEAD."""
    return tuple(getattr(document, name) for name in HEAD)


def version_of(document: AppDocument, service_code: str, last: int) -> Version:
    """The version that the document becomes after number `last`."""
    return Version(
        number=last + 1,
        service_code=service_code,
        content_sha256=document.content_sha256,
        updated_at=document.updated_at,
        head=head_of(document),
        is_complete=not document.problems,
        is_event=document.is_event,
    )
