"""Old invoices, credit notes and refunds in the shape of Stripe's API, version 2026-03-25.dahlia.

That version brought decimal quantities to invoice items, which compute hours need.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from sandbox.export_figures import Json, cents, client_of, plain, totals
from sandbox.model import World, add_months, local
from sandbox.old_billing import OldInvoice, OldLine


def _stripe_id(prefix: str, *names: object) -> str:
    text = "/".join(str(name) for name in names)
    return f"{prefix}_{hashlib.sha256(text.encode()).hexdigest()[:24]}"


def stripe_invoice(world: World, invoice: OldInvoice) -> Json:
    """The Invoice object with its lines; amounts in cents."""
    sub = invoice.subscription
    client = client_of(world, invoice)
    net, off, tax = totals(invoice.lines)
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
        "number": _number(invoice),
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
        "subtotal": net + off,
        "total_discount_amounts": [_discount(invoice, off)] if off else [],
        "total_excluding_tax": net,
        "total_taxes": _total_taxes(invoice.lines),
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


def page_of(path: str, found: list[Json]) -> Json:
    """The one page of a list call."""
    return {"object": "list", "url": path, "has_more": False, "data": found}


def stripe_credit_note(world: World, invoice: OldInvoice, credited: OldInvoice) -> Json:
    """A credit note that takes `credited` back from a paid `invoice` and refunds it."""
    net, off, tax = totals(credited.lines)
    note_id = _stripe_id("cn", invoice.name)
    created = int(local(add_months(invoice.month, 1), world.zone, 12).timestamp()) + 9 * 86400
    return {
        "id": note_id,
        "object": "credit_note",
        "amount": net + tax,
        "amount_shipping": 0,
        "created": created,
        "currency": invoice.currency.lower(),
        "customer": _stripe_id("cus", invoice.subscription.external_account_id),
        "customer_balance_transaction": None,
        "discount_amount": off,
        "discount_amounts": [_discount(invoice, off)] if off else [],
        "effective_at": created,
        "invoice": _stripe_id("in", invoice.name),
        "lines": {
            "object": "list",
            "has_more": False,
            "url": f"/v1/credit_notes/{note_id}/lines",
            "data": [_credit_line(invoice, line) for line in credited.lines],
        },
        "livemode": True,
        "memo": None,
        "metadata": {},
        "number": f"{_number(invoice)}-CN-01",
        "out_of_band_amount": None,
        "post_payment_amount": net + tax,
        "pre_payment_amount": 0,
        "pretax_credit_amounts": [],
        "reason": "product_unsatisfactory",
        "refunds": [
            {
                "amount_refunded": net + tax,
                "payment_record_refund": None,
                "refund": _stripe_id("re", invoice.name),
                "type": "refund",
            }
        ],
        "shipping_cost": None,
        "status": "issued",
        "subtotal": net + off,
        "subtotal_excluding_tax": net + off,
        "total": net + tax,
        "total_excluding_tax": net,
        "total_taxes": _total_taxes(credited.lines),
        "type": "post_payment",
        "voided_at": None,
    }


def stripe_refund(world: World, invoice: OldInvoice, credited: OldInvoice) -> Json:
    """The money that went back with that credit note."""
    note = stripe_credit_note(world, invoice, credited)
    return {
        "id": _stripe_id("re", invoice.name),
        "object": "refund",
        "amount": note["total"],
        "balance_transaction": _stripe_id("txn", invoice.name),
        "charge": _stripe_id("ch", invoice.name),
        "created": note["created"],
        "currency": note["currency"],
        "metadata": {"external_account_id": invoice.subscription.external_account_id},
        "payment_intent": _stripe_id("pi", invoice.name),
        "reason": "requested_by_customer",
        "receipt_number": None,
        "source_transfer_reversal": None,
        "status": "succeeded",
        "transfer_reversal": None,
    }


def _number(invoice: OldInvoice) -> str:
    name = invoice.subscription.external_id[-4:]
    return f"NC-{invoice.month:%Y%m}-{name}-{invoice.sequence}"


def _discount(invoice: OldInvoice, off: int) -> Json:
    return {"amount": off, "discount": _stripe_id("di", invoice.name)}


def _taxes(line: OldLine) -> list[Json]:
    return [
        {
            "amount": cents(tax.amount),
            "tax_behavior": "exclusive",
            "tax_rate_details": {"tax_rate": _stripe_id("txr", tax.name)},
            "taxability_reason": "standard_rated",
            "taxable_amount": cents(line.net),
            "type": "tax_rate_details",
        }
        for tax in line.taxes
    ]


def _total_taxes(lines: Iterable[OldLine]) -> list[Json]:
    """Each rate's tax over all lines."""
    summed: dict[str, Json] = {}
    for tax in (tax for line in lines for tax in _taxes(line)):
        total = summed.setdefault(
            tax["tax_rate_details"]["tax_rate"], tax | {"amount": 0, "taxable_amount": 0}
        )
        total["amount"] += tax["amount"]
        total["taxable_amount"] += tax["taxable_amount"]
    return list(summed.values())


def _credit_line(invoice: OldInvoice, line: OldLine) -> Json:
    off = cents(line.discount)
    return {
        "id": _stripe_id("cnli", invoice.name, line.code),
        "object": "credit_note_line_item",
        "amount": cents(line.amount),
        "description": line.name,
        "discount_amount": off,
        "discount_amounts": [_discount(invoice, off)] if off else [],
        "invoice_line_item": _stripe_id("il", invoice.name, line.code),
        "livemode": True,
        "metadata": {},
        "pretax_credit_amounts": [],
        "quantity": 1,
        "tax_rates": [],
        "taxes": _taxes(line),
        "type": "invoice_line_item",
        "unit_amount": None,
        "unit_amount_decimal": None,
    }


def _stripe_line(world: World, invoice: OldInvoice, invoice_id: str, line: OldLine) -> Json:
    sub = invoice.subscription
    is_charge = line.item_type == "charge"
    is_item = line.item_type != "subscription"
    item = _stripe_id("ii" if is_item else "si", invoice.name, line.code)
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
        if is_item
        else {
            "type": "subscription_item_details",
            "invoice_item_details": None,
            "subscription_item_details": {
                "invoice_item": None,
                "proration": line.is_proration,
                "proration_details": None,
                "subscription": subscription,
                "subscription_item": item,
            },
        }
    )
    off = cents(line.discount)
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
        "discount_amounts": [_discount(invoice, off)] if off else [],
        "discountable": not line.is_proration,
        "discounts": [_stripe_id("di", invoice.name)] if off else [],
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
        "taxes": _taxes(line),
    }
