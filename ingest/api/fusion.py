"""What became of an app's command in Odoo, beside Lago's fields of the thing."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct

from ingest.api.exact import iso_seconds


class OdooPartner(Struct):
    """The linked partner, as last mirrored."""

    partner_id: int | None
    account_link_id: int
    name: str | None
    email: str | None
    tax_identification_number: str | None
    active: bool
    mirrored_at: str


class OdooOrder(Struct):
    """The subscription's order, as last mirrored. Days are local; `end_date` is the last one."""

    order_id: int
    name: str | None
    state: str | None
    subscription_state: str | None
    partner_id: int | None
    plan_code: str | None
    start_date: str | None
    end_date: str | None
    next_invoice_date: str | None
    mirrored_at: str


class Fusion(Struct, kw_only=True):
    """The newest command about this customer or subscription.

    `state`: `pending` (asked, not tried yet, or waiting for another command), `applied`,
    `retrying` (Odoo was away; again at `next_attempt_at`), `ambiguous` (several partners in Odoo
    fit), `refused`; `reason` says why and what to do. `none`: no app asked.
    """

    state: str
    reason: str | None = None
    command_id: int | None = None
    requested_at: str | None = None
    attempts: int = 0
    next_attempt_at: str | None = None
    applied_at: str | None = None


class CustomerFusion(Fusion, kw_only=True):
    odoo: OdooPartner | None


class SubscriptionFusion(Fusion, kw_only=True):
    odoo: OdooOrder | None


def told_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of Fusion, of a row with the columns of raw.command and ops.command_state."""
    if row["command_id"] is None:
        return {"state": "none"}
    return {
        "state": row["state"] or "pending",
        "reason": row["reason"],
        "command_id": row["command_id"],
        "requested_at": iso_seconds(row["received_at"]),
        "attempts": row["attempts"] or 0,
        "next_attempt_at": _seconds(row["next_attempt_at"]),
        "applied_at": _seconds(row["applied_at"]),
    }


def odoo_text(record: Mapping[str, Any], name: str) -> str | None:
    """A field as Odoo's RPC tells it, where false is unset."""
    value = record.get(name)
    return None if value in (None, False, "") else str(value)


def odoo_id(record: Mapping[str, Any], name: str) -> int | None:
    """A many2one: an id, or false."""
    value = record.get(name)
    return value if type(value) is int else None


def _seconds(moment: datetime | None) -> str | None:
    return None if moment is None else iso_seconds(moment)
