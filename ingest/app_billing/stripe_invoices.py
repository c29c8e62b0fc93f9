"""Stripe's invoice and its lines. `quantity_decimal` came with 2026-03-25 (dahlia)."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from functools import partial

import msgspec

from ingest.app_billing.ages import changed_at
from ingest.app_billing.amounts import currency_code, finite, major_units, shared, stated
from ingest.app_billing.content import checked, from_epoch, ordered, sha256_of, text_of
from ingest.app_billing.lines import CHARGE, INVOICE, OTHER, SUBSCRIPTION, AppDocument, BillingLine
from ingest.app_billing.stripe_shapes import (
    ACCOUNT_ID,
    METRIC_CODE,
    SUBSCRIPTION_ID,
    Amount,
    Lines,
    Metadata,
    Named,
    Tax,
    digits,
    granted,
    id_of,
    taxes_of,
    total_of,
)

# Uncollectible is billed and not paid; draft and void were never owed.
_BILLED = ("open", "paid", "uncollectible")


class _SubscriptionDetails(msgspec.Struct):
    metadata: Metadata | None = None


class _InvoiceParent(msgspec.Struct):
    subscription_details: _SubscriptionDetails | None = None


class _Transitions(msgspec.Struct):
    finalized_at: int | None = None


class _Invoice(msgspec.Struct):
    id: str
    status: str
    currency: str
    lines: Lines
    number: str | None = None
    created: int | None = None
    customer: str | Named | None = None
    metadata: Metadata | None = None
    parent: _InvoiceParent | None = None
    subscription_details: _SubscriptionDetails | None = None
    status_transitions: _Transitions | None = None
    subtotal: int | None = None
    total: int | None = None
    total_excluding_tax: int | None = None
    tax: int | None = None
    total_taxes: list[Tax] | None = None
    total_tax_amounts: list[Tax] | None = None
    total_discount_amounts: list[Amount] | None = None
    total_pretax_credit_amounts: list[Amount] | None = None

    def tax_cents(self) -> int | None:
        taxes = total_of(taxes_of(self.total_taxes, self.total_tax_amounts) or None)
        if taxes is not None:
            return taxes
        if self.tax is not None or self.total_excluding_tax is None or self.total is None:
            return self.tax
        return self.total - self.total_excluding_tax

    def net_cents(self) -> int | None:
        if self.total_excluding_tax is not None or self.total is None:
            return self.total_excluding_tax
        tax = self.tax_cents()
        return None if tax is None else self.total - tax

    def discount_cents(self) -> int | None:
        discounts = total_of(self.total_discount_amounts)
        return None if discounts is None else discounts + granted(self.total_pretax_credit_amounts)


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


class _Period(msgspec.Struct):
    start: int
    end: int


class _Item(msgspec.Struct):
    proration: bool = False


class _LineParent(msgspec.Struct):
    type: str | None = None
    invoice_item_details: _Item | None = None
    subscription_item_details: _Item | None = None


class _Line(msgspec.Struct):
    id: str
    amount: int
    period: _Period
    currency: str | None = None
    type: str | None = None
    proration: bool = False
    quantity: Decimal | None = None
    quantity_decimal: Decimal | None = None
    metadata: Metadata | None = None
    parent: _LineParent | None = None
    price: _Price | None = None
    pricing: _Pricing | None = None
    discountable: bool = True
    tax_amounts: list[Tax] | None = None
    taxes: list[Tax] | None = None
    discount_amounts: list[Amount] | None = None
    pretax_credit_amounts: list[Amount] | None = None

    @property
    def is_proration(self) -> bool:
        items = (
            (self.parent.invoice_item_details, self.parent.subscription_item_details)
            if self.parent
            else ()
        )
        return self.proration or any(item is not None and item.proration for item in items)

    @property
    def is_subscription(self) -> bool:
        """Stripe prorates a subscription's items and nothing else, as items of the invoice."""
        kind = self.parent.type if self.parent else self.type
        return self.is_proration or kind in ("subscription_item_details", "subscription")

    def included_tax(self) -> int:
        taxes = taxes_of(self.taxes, self.tax_amounts)
        return sum(tax.amount for tax in taxes if tax.is_inclusive)


def read_invoice(document: msgspec.Raw, *, nicknames: Mapping[str, str]) -> AppDocument:
    """The invoice with its lines; where more lines are to be fetched only its head. Raises
    ValueError where it cannot be read at all."""
    content = checked(document)
    found = msgspec.json.decode(document, type=_Invoice)
    if not found.id:
        raise ValueError("an invoice without id")
    currency = currency_code(found.currency)
    counted = digits(currency)
    issued = found.created
    if found.status_transitions is not None and found.status_transitions.finalized_at is not None:
        issued = found.status_transitions.finalized_at
    invoice = AppDocument(
        kind=INVOICE,
        external_invoice_id=found.id,
        invoice_number=found.number,
        external_account_id=_named(ACCOUNT_ID, None, found) or id_of(found.customer),
        corrects_invoice_id=None,
        status=found.status,
        is_billed=found.status in _BILLED,
        currency=currency,
        issued_on=None if issued is None else from_epoch(issued).date(),
        net_amount=stated(found.net_cents(), currency, counted),
        discount_amount=stated(found.discount_cents(), currency, counted),
        tax_amount=stated(found.tax_cents(), currency, counted),
        total_amount=stated(found.total, currency, counted),
        content_sha256=sha256_of(content),
        payload=text_of(document),
        updated_at=changed_at(content),
        missing=_ask(found) if found.lines.has_more else None,
    )
    if invoice.missing is not None:
        # The first lines only; half an invoice would look like a difference.
        return invoice
    lines = invoice.parsed("line", found.lines.data, _decode)
    off = _discounts(found, [line for _, _, line in lines])
    for (position, raw, line), cents_off in zip(lines, off, strict=True):
        invoice.add(position, partial(_billing_line, raw, line, cents_off, found, nicknames))
    return invoice


def _ask(invoice: _Invoice) -> str:
    return f"fetch GET /v1/invoices/{invoice.id}/lines, all pages, and import them with it"


def _decode(document: msgspec.Raw) -> _Line:
    return msgspec.json.decode(document, type=_Line)


def _discounts(invoice: _Invoice, lines: list[_Line]) -> list[int]:
    """What comes off each line before tax. Where no line states its share of the invoice's
    discount, it follows the amounts of the lines that can be discounted."""
    total = total_of(invoice.total_discount_amounts)
    if total and all(line.discount_amounts is None for line in lines):
        weights = [Decimal(max(line.amount, 0) if line.discountable else 0) for line in lines]
        off = shared(total, weights)
    else:
        off = [total_of(line.discount_amounts) or 0 for line in lines]
    return [
        cents + granted(line.pretax_credit_amounts) for cents, line in zip(off, lines, strict=True)
    ]


def _billing_line(
    raw: msgspec.Raw,
    line: _Line,
    cents_off: int,
    invoice: _Invoice,
    nicknames: Mapping[str, str],
) -> BillingLine:
    currency = currency_code(line.currency or invoice.currency)
    counted = digits(currency)
    metric = _metric_code(line, nicknames)
    start, end = ordered(from_epoch(line.period.start), from_epoch(line.period.end))
    taxes = total_of(taxes_of(line.taxes, line.tax_amounts)) or 0
    return BillingLine(
        external_line_id=line.id,
        external_account_id=_named(ACCOUNT_ID, line, invoice) or id_of(invoice.customer),
        external_subscription_id=_named(SUBSCRIPTION_ID, line, invoice),
        item_type=CHARGE if metric else SUBSCRIPTION if line.is_subscription else OTHER,
        metric_code=metric,
        period_from=start,
        period_to=end,
        quantity=finite(line.quantity if line.quantity_decimal is None else line.quantity_decimal),
        amount=major_units(line.amount - cents_off - line.included_tax(), currency, counted),
        discount_amount=major_units(cents_off, currency, counted),
        tax_amount=major_units(taxes, currency, counted),
        currency=currency,
        is_proration=line.is_proration,
        payload=text_of(raw),
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


def _named(key: str, line: _Line | None, invoice: _Invoice) -> str | None:
    parent = invoice.parent.subscription_details if invoice.parent else None
    for holder in (line, parent, invoice.subscription_details, invoice):
        if holder is not None and holder.metadata and key in holder.metadata:
            return holder.metadata[key]
    return None
