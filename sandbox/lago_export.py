"""Old invoices and credit notes in the shape of Lago's API.

Field names and shapes: getlago/lago-openapi (InvoiceObjectExtended, FeeObject, FeeAmountDetails,
CreditObject, CreditNoteObject).
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from uuid import NAMESPACE_URL, uuid5

from sandbox.export_figures import Json, cents, client_of, plain, totals
from sandbox.model import Subscription, World, add_months, local
from sandbox.old_billing import OldInvoice, OldLine


def _uuid(*names: object) -> str:
    return str(uuid5(NAMESPACE_URL, "lago/" + "/".join(str(name) for name in names)))


# What the list of invoices leaves out.
_SHOWN_ONLY = ("fees", "credits", "subscriptions", "billing_periods", "error_details")


def listed(shown: Json) -> Json:
    """The invoice as GET /invoices lists it."""
    return {name: value for name, value in shown.items() if name not in _SHOWN_ONLY}


def page_of(root: str, found: list[Json]) -> Json:
    """The one page of a list call."""
    meta = {
        "current_page": 1,
        "next_page": None,
        "prev_page": None,
        "total_pages": 1,
        "total_count": len(found),
    }
    return {root: found, "meta": meta}


def _issued(invoice: OldInvoice) -> date:
    return add_months(invoice.month, 1) + timedelta(days=invoice.sequence - 1)


def _number(invoice: OldInvoice) -> str:
    name = invoice.subscription.external_id[-4:]
    return f"FUS-{invoice.month:%Y%m}-{name}-{invoice.sequence:03d}"


def _customer(world: World, invoice: OldInvoice) -> Json:
    sub, client = invoice.subscription, client_of(world, invoice)
    return {
        "lago_id": _uuid(sub.external_account_id),
        "external_id": sub.external_account_id,
        "name": client.name,
        "email": client.email,
        "state": client.province,
        "country": client.country,
        "currency": invoice.currency,
        "timezone": world.zone.key,
    }


def lago_invoice(world: World, invoice: OldInvoice) -> Json:
    """The invoice with its fees, as GET /invoices/{id} has it under its root key."""
    sub = invoice.subscription
    net, off, tax = totals(invoice.lines)
    issued = _issued(invoice)
    is_one_off = all(line.item_type == "add_on" for line in invoice.lines)
    start = _utc(local(invoice.month, world.zone))
    end = _utc(local(add_months(invoice.month, 1), world.zone) - timedelta(seconds=1))
    return {
        "lago_id": _uuid(invoice.name),
        "billing_entity_code": "nexasystems",
        "sequential_id": invoice.sequence,
        "number": _number(invoice),
        "issuing_date": issued.isoformat(),
        "payment_due_date": (issued + timedelta(days=30)).isoformat(),
        "net_payment_term": 30,
        "invoice_type": "one_off" if is_one_off else "subscription",
        "status": "finalized",
        "payment_status": "succeeded",
        "currency": invoice.currency,
        "fees_amount_cents": net + off,
        "coupons_amount_cents": off,
        "credit_notes_amount_cents": 0,
        "progressive_billing_credit_amount_cents": 0,
        "sub_total_excluding_taxes_amount_cents": net,
        "taxes_amount_cents": tax,
        "sub_total_including_taxes_amount_cents": net + tax,
        "prepaid_credit_amount_cents": 0,
        "total_amount_cents": net + tax,
        "version_number": 4,
        "self_billed": False,
        "created_at": f"{issued.isoformat()}T06:00:00Z",
        "updated_at": f"{issued.isoformat()}T07:00:00Z",
        "customer": _customer(world, invoice),
        "billing_periods": []
        if is_one_off
        else [
            {
                "lago_subscription_id": _uuid(sub.key),
                "external_subscription_id": sub.external_id,
                "lago_plan_id": _uuid(sub.plan_code),
                "subscription_from_datetime": start,
                "subscription_to_datetime": end,
                "charges_from_datetime": start,
                "charges_to_datetime": end,
                "invoicing_reason": "subscription_periodic",
            }
        ],
        "credits": [_coupon(invoice, off)] if off else [],
        "subscriptions": []
        if is_one_off
        else [
            {
                "lago_id": _uuid(sub.key),
                "external_id": sub.external_id,
                "external_customer_id": sub.external_account_id,
                "plan_code": sub.plan_code,
                "billing_time": sub.billing_time,
                "status": "active",
            }
        ],
        "fees": [_lago_fee(world, invoice, line) for line in invoice.lines],
        "metadata": [],
    }


def lago_credit_note(world: World, invoice: OldInvoice, credited: OldInvoice) -> Json:
    """A credit note that takes `credited` back from `invoice`, as GET /credit_notes lists it and
    GET /credit_notes/{id} shows it. Its items name what they take back before coupons and tax."""
    net, off, tax = totals(credited.lines)
    issued = _issued(invoice) + timedelta(days=9)
    note_id = _uuid(invoice.name, "credit note")
    return {
        "lago_id": note_id,
        "billing_entity_code": "nexasystems",
        "sequential_id": 1,
        "number": f"{_number(invoice)}-CN001",
        "lago_invoice_id": _uuid(invoice.name),
        "invoice_number": _number(invoice),
        "issuing_date": issued.isoformat(),
        "credit_status": "available",
        "refund_status": None,
        "reason": "product_unsatisfactory",
        "description": None,
        "currency": invoice.currency,
        "total_amount_cents": net + tax,
        "taxes_amount_cents": tax,
        "taxes_rate": _rate(invoice.lines[0]),
        "sub_total_excluding_taxes_amount_cents": net,
        "balance_amount_cents": net + tax,
        "credit_amount_cents": net + tax,
        "refund_amount_cents": 0,
        "offset_amount_cents": 0,
        "coupons_adjustment_amount_cents": off,
        "created_at": f"{issued.isoformat()}T06:00:00Z",
        "updated_at": f"{issued.isoformat()}T06:00:00Z",
        "self_billed": False,
        "customer": _customer(world, invoice),
        "items": [
            {
                "lago_id": _uuid(note_id, line.code),
                "amount_cents": cents(line.amount),
                "precise_amount_cents": f"{cents(line.amount)}.0",
                "amount_currency": invoice.currency,
                "fee": _lago_fee(world, invoice, whole),
            }
            for whole, line in zip(invoice.lines, credited.lines, strict=True)
        ],
        "applied_taxes": [],
    }


def _coupon(invoice: OldInvoice, off: int) -> Json:
    return {
        "lago_id": _uuid(invoice.name, "coupon"),
        "amount_cents": off,
        "amount_currency": invoice.currency,
        "before_taxes": True,
        "item": {
            "lago_item_id": _uuid("good_customer"),
            "type": "coupon",
            "code": "good_customer",
            "name": "Good customer",
        },
        "invoice": {"lago_id": _uuid(invoice.name), "payment_status": "succeeded"},
    }


def _rate(line: OldLine) -> float:
    return float(sum((tax.rate for tax in line.taxes), Decimal(0)))


# Lago's item_type by the type of the fee.
_BEHIND = {"charge": "BillableMetric", "subscription": "Subscription", "add_on": "AddOn"}


def _lago_fee(world: World, invoice: OldInvoice, line: OldLine) -> Json:
    sub = invoice.subscription
    is_charge = line.item_type == "charge"
    fee_id = _uuid(invoice.name, line.code)
    precise = line.units_billed * line.unit_price if is_charge else line.amount
    return {
        "lago_id": fee_id,
        "lago_charge_id": _uuid(sub.plan_code, line.code) if is_charge else None,
        "lago_invoice_id": _uuid(invoice.name),
        "lago_subscription_id": _uuid(sub.key),
        "lago_customer_id": _uuid(sub.external_account_id),
        "external_customer_id": sub.external_account_id,
        "external_subscription_id": None if line.item_type == "add_on" else sub.external_id,
        "invoice_display_name": line.name,
        "amount_cents": cents(line.amount),
        "precise_amount": plain(precise),
        "amount_currency": invoice.currency,
        "taxes_amount_cents": cents(line.tax_amount),
        "taxes_rate": _rate(line),
        "total_amount_cents": cents(line.net + line.tax_amount),
        "total_amount_currency": invoice.currency,
        "units": plain(line.units),
        "total_aggregated_units": plain(line.units) if is_charge else None,
        "precise_unit_amount": plain(line.unit_price),
        "precise_coupons_amount_cents": f"{cents(line.discount)}.0",
        "sub_total_excluding_taxes_amount_cents": cents(line.net),
        "events_count": None,
        "pay_in_advance": False,
        "invoiceable": True,
        "from_date": _utc(local(line.period_start, world.zone)),
        # Lago's periods end with their last second.
        "to_date": _utc(local(line.period_end, world.zone) - timedelta(seconds=1)),
        "payment_status": "succeeded",
        "item": {
            "type": line.item_type,
            "code": line.code,
            "name": line.name,
            "invoice_display_name": line.name,
            "lago_item_id": _uuid(line.code),
            "item_type": _BEHIND[line.item_type],
        },
        "amount_details": _amount_details(world, sub, line),
        "applied_taxes": [
            {
                "lago_id": _uuid(fee_id, tax.name),
                "tax_code": tax.name.lower(),
                "tax_name": tax.name,
                "tax_rate": float(tax.rate),
                "amount_cents": cents(tax.amount),
                "amount_currency": invoice.currency,
            }
            for tax in line.taxes
        ],
    }


def _amount_details(world: World, sub: Subscription, line: OldLine) -> Json:
    if line.item_type == "charge":
        return _graduated(line)
    if line.item_type == "subscription":
        return {"plan_amount_cents": cents(world.plan(sub.plan_code).base_fee)}
    return {}


def _graduated(line: OldLine) -> Json:
    """The included quota is a first range at 0, the rest a second at the unit price."""
    free = line.units - line.units_billed
    ranges = [("0", free, Decimal(0)), (plain(free), line.units_billed, line.unit_price)]
    return {
        "graduated_ranges": [
            {
                "units": plain(units),
                "from_value": start,
                "to_value": plain(free) if price == 0 else None,
                "flat_unit_amount": "0.0",
                "per_unit_amount": plain(price),
                "per_unit_total_amount": plain(units * price),
                "total_with_flat_amount": plain(units * price),
            }
            for start, units, price in ranges
            if units > 0
        ]
    }


def _utc(instant: datetime) -> str:
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
