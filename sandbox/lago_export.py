"""An old invoice in the shape of Lago's API.

Field names and shapes: getlago/lago-openapi (InvoiceObject, FeeObject, FeeAmountDetails).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import NAMESPACE_URL, uuid5

from sandbox.export_figures import Json, cents, client_of, net_and_tax, plain
from sandbox.model import World, add_months, local
from sandbox.old_billing import OldInvoice, OldLine


def _uuid(*names: object) -> str:
    return str(uuid5(NAMESPACE_URL, "lago/" + "/".join(str(name) for name in names)))


def lago_invoice(world: World, invoice: OldInvoice) -> Json:
    """The invoice with its fees, as GET /invoices/{id} has it under its root key."""
    sub = invoice.subscription
    client = client_of(world, invoice)
    net, tax = net_and_tax(invoice.lines)
    issued = add_months(invoice.month, 1) + timedelta(days=invoice.sequence - 1)
    number = f"FUS-{invoice.month:%Y%m}-{sub.external_id[-4:]}-{invoice.sequence:03d}"
    return {
        "lago_id": _uuid(invoice.name),
        "sequential_id": invoice.sequence,
        "number": number,
        "issuing_date": issued.isoformat(),
        "payment_due_date": (issued + timedelta(days=30)).isoformat(),
        "net_payment_term": 30,
        "invoice_type": "subscription",
        "status": "finalized",
        "payment_status": "succeeded",
        "currency": invoice.currency,
        "fees_amount_cents": net,
        "coupons_amount_cents": 0,
        "credit_notes_amount_cents": 0,
        "sub_total_excluding_taxes_amount_cents": net,
        "taxes_amount_cents": tax,
        "sub_total_including_taxes_amount_cents": net + tax,
        "prepaid_credit_amount_cents": 0,
        "total_amount_cents": net + tax,
        "version_number": 4,
        "customer": {
            "lago_id": _uuid(sub.external_account_id),
            "external_id": sub.external_account_id,
            "name": client.name,
            "email": client.email,
            "state": client.province,
            "country": client.country,
            "currency": invoice.currency,
            "timezone": world.zone.key,
        },
        "subscriptions": [
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
        "external_subscription_id": sub.external_id,
        "invoice_display_name": line.name,
        "amount_cents": cents(line.amount),
        "precise_amount": plain(precise),
        "amount_currency": invoice.currency,
        "taxes_amount_cents": cents(line.tax_amount),
        "taxes_rate": float(sum((tax.rate for tax in line.taxes), Decimal(0))),
        "total_amount_cents": cents(line.amount + line.tax_amount),
        "total_amount_currency": invoice.currency,
        "units": plain(line.units),
        "total_aggregated_units": plain(line.units) if is_charge else None,
        "precise_unit_amount": plain(line.unit_price),
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
            "item_type": "BillableMetric" if is_charge else "Subscription",
        },
        "amount_details": _graduated(line) if is_charge else {},
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
