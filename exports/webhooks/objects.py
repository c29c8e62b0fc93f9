"""Lago's envelope, subscription and invoice, as far as the mirror knows them.

Names and types are those of Lago's serializers; what Odoo alone knows (base fees, taxes by rate)
is not in them. Amounts are whole minor units of the invoice's currency; instants are UTC.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from warehouse.currencies import minor_digits
from warehouse.lago_ids import lago_id

Fact = Mapping[str, Any]  # a row of facts.SUBSCRIPTIONS or facts.INVOICES

WEBHOOK_TYPES = {
    "started": "subscription.started",
    "terminated": "subscription.terminated",
    "created": "invoice.created",
    "succeeded": "invoice.payment_status_updated",
    "failed": "invoice.payment_status_updated",
    "overdue": "invoice.payment_overdue",
    "voided": "invoice.voided",
}
_exactly = msgspec.json.Decoder(float_hook=Decimal)


def envelope(fact: Fact, zone: ZoneInfo) -> str:
    """The body of a webhook, byte for byte as it will be signed."""
    webhook_type = WEBHOOK_TYPES[fact["fact"]]
    object_type = webhook_type.partition(".")[0]
    shape = _subscription if object_type == "subscription" else _invoice
    record = {} if fact["record"] is None else _exactly.decode(fact["record"])
    body = {
        "webhook_type": webhook_type,
        "object_type": object_type,
        "organization_id": lago_id("organization", fact["service_code"]),
        object_type: shape(fact, record, zone),
    }
    return msgspec.json.encode(body).decode()


def _subscription(fact: Fact, order: Mapping[str, Any], zone: ZoneInfo) -> dict[str, Any]:
    service = fact["service_code"]
    external_id = fact["subject"].removeprefix("subscription:")
    customer = order.get("x_fc_external_account_id") or None
    started = fact["began_on"] and _midnight(fact["began_on"], zone)
    ended = None
    if fact["fact"] == "terminated":
        was_closed = order.get("subscription_state") == "6_churn" or order.get("state") == "cancel"
        ended = _ended_at(fact["happened_on"], fact["write_date"] if was_closed else None, zone)
    return {
        "lago_id": lago_id("subscription", service, external_id),
        "external_id": external_id,
        "lago_customer_id": customer and lago_id("customer", service, customer),
        "external_customer_id": customer,
        "name": order.get("name") or None,
        "plan_code": order.get("x_fc_plan_code") or None,
        "plan_amount_currency": fact["currency"] or None,
        "status": "active" if fact["fact"] == "started" else "terminated",
        "billing_time": order.get("x_fc_billing_time") or "calendar",
        "subscription_at": started,
        "started_at": started,
        "ending_at": fact["happened_on"] and _midnight(_next(fact["happened_on"]), zone),
        "terminated_at": ended,
        "canceled_at": None,
    }


def _ended_at(last_day: date | None, written: datetime | None, zone: ZoneInfo) -> str | None:
    """The end of the last day of service, or when the order was closed where that was earlier."""
    moments = [] if written is None else [_instant(written)]
    if last_day is not None:
        moments.append(_midnight(_next(last_day), zone))
    return min(moments, default=None)


def _invoice(fact: Fact, move: Mapping[str, Any], _: ZoneInfo) -> dict[str, Any]:
    """An invoice that several services share shows each of them its own lines and their sums."""
    service, currency = fact["service_code"], fact["currency"]
    fees = [_fee(service, line, currency) for line in fact["lines"]]
    untaxed = sum(fee["amount_cents"] for fee in fees)
    total = sum(fee["total_amount_cents"] for fee in fees)
    due = total if fact["fact"] in ("created", "overdue", "failed") else 0
    if fact["is_one_services"]:
        untaxed = _cents(move["amount_untaxed"], currency)
        total = _cents(move["amount_total"], currency)
        due = _cents(move["amount_residual"], currency)
    customer = fact["customer_id"]
    return {
        "lago_id": lago_id("invoice", str(move["id"])),
        "number": move.get("name") or None,
        "issuing_date": move.get("invoice_date") or None,
        "payment_due_date": move.get("invoice_date_due") or None,
        "invoice_type": "subscription",
        "status": "voided" if fact["is_void"] else "finalized",
        "payment_status": _payment_status(fact, move),
        "payment_overdue": bool(fact["is_overdue"]),
        "currency": currency or None,
        "fees_amount_cents": untaxed,
        "taxes_amount_cents": total - untaxed,
        "sub_total_excluding_taxes_amount_cents": untaxed,
        "sub_total_including_taxes_amount_cents": total,
        "total_amount_cents": total,
        "total_due_amount_cents": due,
        "customer": {
            "lago_id": customer and lago_id("customer", service, customer),
            "external_id": customer,
        },
        "subscriptions": _subscriptions(service, fact["lines"]),
        "fees": fees,
    }


def _payment_status(fact: Fact, move: Mapping[str, Any]) -> str:
    if fact["fact"] == "failed":
        return "failed"
    return "succeeded" if move.get("payment_state") in ("paid", "in_payment") else "pending"


def _fee(service: str, line: Mapping[str, Any], currency: str) -> dict[str, Any]:
    amount = _cents(line["subtotal"] or 0, currency)
    total = _cents(line["total"] or 0, currency)
    external_id = line["external_id"]
    return {
        "lago_id": lago_id("fee", str(line["line_id"])),
        "lago_subscription_id": external_id and lago_id("subscription", service, external_id),
        "external_subscription_id": external_id,
        "invoice_display_name": line["name"],
        "units": line["quantity"],
        "amount_cents": amount,
        "amount_currency": currency or None,
        "taxes_amount_cents": total - amount,
        "total_amount_cents": total,
    }


def _subscriptions(service: str, lines: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    plans = {line["external_id"]: line["plan_code"] for line in lines if line["external_id"]}
    return [
        {
            "lago_id": lago_id("subscription", service, external_id),
            "external_id": external_id,
            "plan_code": plan_code,
        }
        for external_id, plan_code in sorted(plans.items())
    ]


def _cents(amount: Any, currency: str) -> int:
    exact = Decimal(amount).scaleb(minor_digits(currency))
    return int(exact.to_integral_value(rounding=ROUND_HALF_UP))


def _next(day: date) -> date:
    return day + timedelta(days=1)


def _midnight(day: date, zone: ZoneInfo) -> str:
    return _instant(datetime.combine(day, time(), zone))


def _instant(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
