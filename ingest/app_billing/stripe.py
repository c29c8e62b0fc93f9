"""Stripe's invoices, as its API lists them: today's shape and the one before 2025-03-31 (basil).

Fields: Stripe's API reference, Invoice and Invoice Line Item. Before basil a line names its price,
taxes and subscription as `price`, `tax_amounts`, `subscription`; since then as `pricing`, `taxes`,
`parent`. `quantity_decimal` came with 2026-03-25 (dahlia).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from pathlib import Path

import msgspec
from sqlalchemy.engine import Engine

from ingest.app_billing.lines import (
    CHARGE,
    OTHER,
    SUBSCRIPTION,
    AppInvoice,
    BillingLine,
    currency_code,
    finite,
    major_units,
    payload_text,
)
from ingest.app_billing.load import Format, ImportReport, NotThisExportError, import_files

STRIPE = "stripe"
METRIC_CODE = "metric_code"
SUBSCRIPTION_ID = "external_subscription_id"
ACCOUNT_ID = "external_account_id"
# Uncollectible is billed and not paid; draft and void were never owed.
_BILLED = ("open", "paid", "uncollectible")


def import_stripe(
    engine: Engine,
    paths: Iterable[Path],
    *,
    service_code: str,
    nicknames: Mapping[str, str] | None = None,
) -> ImportReport:
    """Loads Stripe invoices into raw.app_billing_line, one row per invoice line.

    A file holds a list object, a single invoice, an array of invoices, or one of these per line.
    The metric is `metadata.metric_code` of the line, its price or its product, else what
    `nicknames` says of the price's nickname. The app's subscription and account are
    `external_subscription_id` and `external_account_id` in the metadata of line, subscription or
    invoice. Amounts are net of discounts and of inclusive tax.
    Raises AppBillingFileError on a file that is no such export.
    """
    read = partial(_invoice, nicknames=nicknames or {})
    stripe = Format(STRIPE, "Stripe invoice export", _invoices, read)
    return import_files(engine, paths, service_code=service_code, format=stripe)


Metadata = dict[str, str]


class _Listing(msgspec.Struct):
    object: str
    data: list[msgspec.Raw] | msgspec.UnsetType = msgspec.UNSET


class _SubscriptionDetails(msgspec.Struct):
    metadata: Metadata | None = None


class _InvoiceParent(msgspec.Struct):
    subscription_details: _SubscriptionDetails | None = None


class _Transitions(msgspec.Struct):
    finalized_at: int | None = None


class _Lines(msgspec.Struct):
    data: list[msgspec.Raw]
    has_more: bool = False


class _Customer(msgspec.Struct):
    id: str


class _Invoice(msgspec.Struct):
    object: str
    id: str
    status: str
    currency: str
    lines: _Lines
    number: str | None = None
    created: int | None = None
    customer: str | _Customer | None = None
    metadata: Metadata | None = None
    parent: _InvoiceParent | None = None
    subscription_details: _SubscriptionDetails | None = None
    status_transitions: _Transitions | None = None


class _Product(msgspec.Struct):
    metadata: Metadata | None = None


class _Price(msgspec.Struct):
    nickname: str | None = None
    metadata: Metadata | None = None
    product: str | _Product | None = None


class _PriceDetails(msgspec.Struct):
    price: str | _Price | None = None


class _Pricing(msgspec.Struct):
    price_details: _PriceDetails | None = None


class _Tax(msgspec.Struct):
    amount: int
    inclusive: bool = False
    tax_behavior: str = "exclusive"


class _Discount(msgspec.Struct):
    amount: int


class _Period(msgspec.Struct):
    start: int
    end: int


class _LineParent(msgspec.Struct):
    type: str | None = None


class _Line(msgspec.Struct):
    id: str
    amount: int
    period: _Period
    currency: str | None = None
    type: str | None = None
    quantity: Decimal | None = None
    quantity_decimal: Decimal | None = None
    metadata: Metadata | None = None
    parent: _LineParent | None = None
    price: _Price | None = None
    pricing: _Pricing | None = None
    tax_amounts: list[_Tax] | None = None
    taxes: list[_Tax] | None = None
    discount_amounts: list[_Discount] | None = None


def _invoices(document: msgspec.Raw) -> list[msgspec.Raw]:
    if bytes(document).lstrip()[:1] == b"[":
        return _all_invoices(msgspec.json.decode(document, type=list[msgspec.Raw]))
    try:
        listing = msgspec.json.decode(document, type=_Listing)
    except msgspec.ValidationError as error:
        raise NotThisExportError(str(error)) from None
    if listing.object == "invoice":
        return [document]
    if listing.object == "list" and not isinstance(listing.data, msgspec.UnsetType):
        return _all_invoices(listing.data)
    raise NotThisExportError(f'its "object" is {listing.object!r}, neither "list" nor "invoice"')


def _all_invoices(found: list[msgspec.Raw]) -> list[msgspec.Raw]:
    """A list of Stripe can hold anything: charges, customers, subscriptions."""
    for raw in found[:1]:
        try:
            kind = msgspec.json.decode(raw, type=_Listing).object
        except msgspec.ValidationError as error:
            raise NotThisExportError(str(error)) from None
        if kind != "invoice":
            raise NotThisExportError(f"it lists {kind!r} objects, not invoices")
    return found


def _invoice(document: msgspec.Raw, *, nicknames: Mapping[str, str]) -> AppInvoice:
    found = msgspec.json.decode(document, type=_Invoice)
    if found.object != "invoice":
        raise ValueError(f"{found.id} is a {found.object}, not an invoice")
    if found.lines.has_more:
        # The list call returns the first lines only; half an invoice would look like a difference.
        raise ValueError(f"invoice {found.id} has more lines than the export: fetch all its lines")
    issued = found.created
    if found.status_transitions is not None and found.status_transitions.finalized_at is not None:
        issued = found.status_transitions.finalized_at
    invoice = AppInvoice(
        external_invoice_id=found.id,
        number=found.number,
        status=found.status,
        billed=found.status in _BILLED,
        issued_on=None if issued is None else _instant(issued).date(),
    )
    for number, line in enumerate(found.lines.data, start=1):
        try:
            invoice.lines.append(_line(line, found, nicknames))
        except ValueError as error:
            invoice.problems.append((f"line {number}", str(error)))
    return invoice


def _line(document: msgspec.Raw, invoice: _Invoice, nicknames: Mapping[str, str]) -> BillingLine:
    line = msgspec.json.decode(document, type=_Line)
    currency = currency_code(line.currency or invoice.currency)
    taxes = (line.tax_amounts if line.taxes is None else line.taxes) or []
    tax = sum(each.amount for each in taxes)
    included = sum(t.amount for t in taxes if t.inclusive or t.tax_behavior == "inclusive")
    discount = sum(each.amount for each in line.discount_amounts or ())
    metric = _metric_code(line, nicknames)
    customer = invoice.customer.id if isinstance(invoice.customer, _Customer) else invoice.customer
    return BillingLine(
        external_line_id=line.id,
        external_account_id=_named(ACCOUNT_ID, line, invoice) or customer,
        external_subscription_id=_named(SUBSCRIPTION_ID, line, invoice),
        item_type=CHARGE if metric else SUBSCRIPTION if _is_subscription(line) else OTHER,
        metric_code=metric,
        period_from=_instant(line.period.start),
        period_to=_instant(line.period.end),
        quantity=finite(line.quantity if line.quantity_decimal is None else line.quantity_decimal),
        amount=major_units(line.amount - discount - included, currency),
        tax_amount=major_units(tax, currency),
        currency=currency,
        payload=payload_text(document),
    )


def _metric_code(line: _Line, nicknames: Mapping[str, str]) -> str | None:
    price = line.price
    if price is None and line.pricing and line.pricing.price_details:
        expanded = line.pricing.price_details.price
        price = expanded if isinstance(expanded, _Price) else None
    product = price.product if price and isinstance(price.product, _Product) else None
    for holder in (line, price, product):
        if holder is not None and holder.metadata and METRIC_CODE in holder.metadata:
            return holder.metadata[METRIC_CODE]
    return nicknames.get(price.nickname) if price and price.nickname else None


def _named(key: str, line: _Line, invoice: _Invoice) -> str | None:
    parent = invoice.parent.subscription_details if invoice.parent else None
    for holder in (line, parent, invoice.subscription_details, invoice):
        if holder is not None and holder.metadata and key in holder.metadata:
            return holder.metadata[key]
    return None


def _is_subscription(line: _Line) -> bool:
    kind = line.parent.type if line.parent else line.type
    return kind in ("subscription_item_details", "subscription")


def _instant(epoch_seconds: int) -> datetime:
    return datetime.fromtimestamp(epoch_seconds, UTC)
