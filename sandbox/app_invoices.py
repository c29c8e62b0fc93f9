"""Writes the old billers' exports: Lago's invoices as its API shows them, Stripe's as its list.

Field names and shapes: getlago/lago-openapi (InvoiceObject, FeeObject, FeeAmountDetails) and
Stripe's API reference, version 2026-03-25.dahlia (decimal quantities on invoice items).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from sandbox.catalogue import NEXACLOUD, NEXADESK, NEXAMAPS
from sandbox.companies import Client
from sandbox.model import World, add_months, local
from sandbox.old_billing import OldInvoice, OldLine, old_invoices
from sandbox.usage import UsageKey, expected_usage

Json = dict[str, Any]


def write_lago_invoices(world: World, folder: Path) -> list[Path]:
    """One file per service and closed month, `lago-<service>-<YYYY-MM>.json`, holding
    `{"invoices": […], "meta": …}`, each invoice with its fees. One more invoice is voided."""
    folder.mkdir(parents=True, exist_ok=True)
    usage = expected_usage(world, include_late=True)
    paths = []
    for service in (NEXADESK, NEXAMAPS):
        for month in world.closed_months:
            invoices = list(old_invoices(world, service, month, usage))
            shown = [_lago_invoice(world, invoice) for invoice in invoices]
            if service == NEXADESK and month == world.first:
                twin = replace(invoices[0], sequence=9)
                shown.append({**_lago_invoice(world, twin), "status": "voided"})
            path = folder / f"lago-{service}-{month:%Y-%m}.json"
            meta = {
                "current_page": 1,
                "next_page": None,
                "prev_page": None,
                "total_pages": 1,
                "total_count": len(shown),
            }
            paths.append(_write(path, {"invoices": shown, "meta": meta}))
    return paths


def write_stripe_invoices(world: World, folder: Path) -> list[Path]:
    """One file per closed month, `stripe-nexacloud-<YYYY-MM>.json`, a list object of invoices.
    One more invoice is still a draft."""
    folder.mkdir(parents=True, exist_ok=True)
    usage = expected_usage(world, include_late=True)
    paths = []
    for month in world.closed_months:
        invoices = list(old_invoices(world, NEXACLOUD, month, usage))
        shown = [_stripe_invoice(world, invoice) for invoice in invoices]
        if month == world.second:
            draft = _stripe_invoice(world, replace(invoices[0], sequence=9))
            shown.append({**draft, "status": "draft", "number": None})
        path = folder / f"stripe-{NEXACLOUD}-{month:%Y-%m}.json"
        listing = {"object": "list", "url": "/v1/invoices", "has_more": False, "data": shown}
        paths.append(_write(path, listing))
    return paths


def old_totals(world: World, usage: Mapping[UsageKey, Decimal]) -> dict[tuple[str, date], Decimal]:
    """Usage fees that each app billed per closed month, before tax, whatever the currency."""
    totals: dict[tuple[str, date], Decimal] = {}
    for service in (NEXACLOUD, NEXADESK, NEXAMAPS):
        for month in world.closed_months:
            totals[service, month] = sum(
                (
                    line.amount
                    for invoice in old_invoices(world, service, month, usage)
                    for line in invoice.lines
                    if line.item_type == "charge"
                ),
                Decimal(0),
            )
    return totals


def _write(path: Path, content: Json) -> Path:
    path.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return path


def _cents(amount: Decimal) -> int:
    return int(amount * 100)


def _plain(number: Decimal) -> str:
    """Plain notation without trailing zeros: 100, 12.25."""
    text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _client(world: World, invoice: OldInvoice) -> Client:
    return next(c for c in world.clients if c.code == invoice.subscription.client_code)


def _sum(lines: Iterable[OldLine]) -> tuple[int, int]:
    lines = list(lines)
    return (
        sum(_cents(line.amount) for line in lines),
        sum(_cents(line.tax_amount) for line in lines),
    )


# --- Lago ------------------------------------------------------------------------------------


def _uuid(*names: object) -> str:
    return str(uuid5(NAMESPACE_URL, "lago/" + "/".join(str(name) for name in names)))


def _lago_invoice(world: World, invoice: OldInvoice) -> Json:
    sub = invoice.subscription
    client = _client(world, invoice)
    net, tax = _sum(invoice.lines)
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
        "amount_cents": _cents(line.amount),
        "precise_amount": _plain(precise),
        "amount_currency": invoice.currency,
        "taxes_amount_cents": _cents(line.tax_amount),
        "taxes_rate": float(sum((tax.rate for tax in line.taxes), Decimal(0))),
        "total_amount_cents": _cents(line.amount + line.tax_amount),
        "total_amount_currency": invoice.currency,
        "units": _plain(line.units),
        "total_aggregated_units": _plain(line.units) if is_charge else None,
        "precise_unit_amount": _plain(line.unit_price),
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
                "amount_cents": _cents(tax.amount),
                "amount_currency": invoice.currency,
            }
            for tax in line.taxes
        ],
    }


def _graduated(line: OldLine) -> Json:
    """The included quota is a first range at 0, the rest a second at the unit price."""
    free = line.units - line.units_billed
    ranges = [("0", free, Decimal(0)), (_plain(free), line.units_billed, line.unit_price)]
    return {
        "graduated_ranges": [
            {
                "units": _plain(units),
                "from_value": start,
                "to_value": _plain(free) if price == 0 else None,
                "flat_unit_amount": "0.0",
                "per_unit_amount": _plain(price),
                "per_unit_total_amount": _plain(units * price),
                "total_with_flat_amount": _plain(units * price),
            }
            for start, units, price in ranges
            if units > 0
        ]
    }


def _utc(instant: datetime) -> str:
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


# --- Stripe ----------------------------------------------------------------------------------


def _stripe_id(prefix: str, *names: object) -> str:
    text = "/".join(str(name) for name in names)
    return f"{prefix}_{hashlib.sha256(text.encode()).hexdigest()[:24]}"


def _stripe_invoice(world: World, invoice: OldInvoice) -> Json:
    sub = invoice.subscription
    client = _client(world, invoice)
    net, tax = _sum(invoice.lines)
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
        "amount": _cents(line.amount),
        "subtotal": _cents(line.amount),
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
            "unit_amount_decimal": _plain(line.unit_price * 100),
        },
        "quantity": int(line.units_billed),
        "quantity_decimal": _plain(line.units_billed),
        "taxes": [
            {
                "amount": _cents(tax.amount),
                "tax_behavior": "exclusive",
                "tax_rate_details": {"tax_rate": _stripe_id("txr", tax.name)},
                "taxability_reason": "standard_rated",
                "taxable_amount": _cents(line.amount),
                "type": "tax_rate_details",
            }
            for tax in line.taxes
        ],
    }
