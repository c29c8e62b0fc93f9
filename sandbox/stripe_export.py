"""An old invoice in the shape of Stripe's API, version 2026-03-25.dahlia.

That version brought decimal quantities to invoice items, which compute hours need.
"""

from __future__ import annotations

import hashlib

from sandbox.export_figures import Json, cents, client_of, net_and_tax, plain
from sandbox.model import World, add_months, local
from sandbox.old_billing import OldInvoice, OldLine


def _stripe_id(prefix: str, *names: object) -> str:
    text = "/".join(str(name) for name in names)
    return f"{prefix}_{hashlib.sha256(text.encode()).hexdigest()[:24]}"


def stripe_invoice(world: World, invoice: OldInvoice) -> Json:
    """The Invoice object with its lines; amounts in cents."""
    sub = invoice.subscription
    client = client_of(world, invoice)
    net, tax = net_and_tax(invoice.lines)
    invoice_id = _stripe_id("in", invoice.name)
    finalized = int(local(add_months(invoice.month, 1), world.zone, 3).timestamp())
    ids = {
        "external_account_id": sub.external_account_id,
        "external_subscription_id": sub.external_id,
    }
    lines = [
        _stripe_line(world, invoice, invoice_id, line)
        for line in invoice.lines
        if line.amount != 0  # NexaCloud adds an invoice item only for what costs something
    ]
    return {
        "id": invoice_id,
        "object": "invoice",
        "account_country": "CA",
        "billing_reason": "subscription_cycle",
        "collection_method": "charge_automatically",
        "created": finalized - 3600,
        "currency": invoice.currency.lower(),
        "customer": _stripe_id("cus", sub.external_account_id),
        "customer_name": client.name,
        "customer_email": client.email,
        "livemode": True,
        "metadata": ids,
        "number": f"NC-{invoice.month:%Y%m}-{sub.external_id[-4:]}-{invoice.sequence}",
        "parent": {
            "type": "subscription_details",
            "subscription_details": {
                "subscription": _stripe_id("sub", sub.external_id),
                "metadata": ids,
            },
        },
        "period_start": int(local(invoice.month, world.zone).timestamp()),
        "period_end": int(local(add_months(invoice.month, 1), world.zone).timestamp()),
        "status": "paid",
        "status_transitions": {
            "finalized_at": finalized,
            "paid_at": finalized + 60,
            "marked_uncollectible_at": None,
            "voided_at": None,
        },
        "subtotal": net,
        "total_excluding_tax": net,
        "total": net + tax,
        "amount_due": net + tax,
        "amount_paid": net + tax,
        "amount_remaining": 0,
        "lines": {
            "object": "list",
            "has_more": False,
            "total_count": len(lines),
            "url": f"/v1/invoices/{invoice_id}/lines",
            "data": lines,
        },
    }


def _stripe_line(world: World, invoice: OldInvoice, invoice_id: str, line: OldLine) -> Json:
    sub = invoice.subscription
    is_charge = line.item_type == "charge"
    item = _stripe_id("ii" if is_charge else "si", invoice.name, line.code)
    subscription = _stripe_id("sub", sub.external_id)
    details = (
        {
            "type": "invoice_item_details",
            "invoice_item_details": {
                "invoice_item": item,
                "proration": False,
                "proration_details": None,
                "subscription": subscription,
            },
            "subscription_item_details": None,
        }
        if is_charge
        else {
            "type": "subscription_item_details",
            "invoice_item_details": None,
            "subscription_item_details": {
                "invoice_item": None,
                "proration": False,
                "proration_details": None,
                "subscription": subscription,
                "subscription_item": item,
            },
        }
    )
    metadata = {"external_subscription_id": sub.external_id}
    if is_charge:
        metadata["metric_code"] = line.code
    return {
        "id": _stripe_id("il", invoice.name, line.code),
        "object": "line_item",
        "amount": cents(line.amount),
        "subtotal": cents(line.amount),
        "currency": invoice.currency.lower(),
        "description": line.name,
        "discount_amounts": [],
        "discountable": True,
        "discounts": [],
        "invoice": invoice_id,
        "livemode": True,
        "metadata": metadata,
        "parent": details,
        "period": {
            "start": int(local(line.period_start, world.zone).timestamp()),
            "end": int(local(line.period_end, world.zone).timestamp()),
        },
        "pretax_credit_amounts": [],
        "pricing": {
            "type": "price_details",
            "price_details": {
                "price": _stripe_id("price", sub.plan_code, line.code),
                "product": _stripe_id("prod", line.code),
            },
            "unit_amount_decimal": plain(line.unit_price * 100),
        },
        "quantity": int(line.units_billed),
        "quantity_decimal": plain(line.units_billed),
        "taxes": [
            {
                "amount": cents(tax.amount),
                "tax_behavior": "exclusive",
                "tax_rate_details": {"tax_rate": _stripe_id("txr", tax.name)},
                "taxability_reason": "standard_rated",
                "taxable_amount": cents(line.amount),
                "type": "tax_rate_details",
            }
            for tax in line.taxes
        ],
    }
