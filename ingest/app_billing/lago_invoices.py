"""Lago's invoice: what it says of itself, and its fees with their share of the discounts.

Shape: getlago/lago-openapi, InvoiceBaseObject, InvoiceObjectExtended, BillingPeriodObject. Coupons
and what was billed progressively before come off before tax since `version_number` 3; until then
coupons came off after it and are a way of paying, as prepaid credits and credit notes still are.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from functools import partial

import msgspec

from ingest.app_billing.amounts import currency_code, finite, major_units, stated
from ingest.app_billing.content import aware, checked, ordered, sha256_of, text_of
from ingest.app_billing.lago_fees import Customer, Fee, decode_fee, discounts, exclusive
from ingest.app_billing.lines import CHARGE, INVOICE, AppDocument, BillingLine

_DISCOUNTS_BEFORE_TAX = 3  # since this version_number


class _BillingPeriod(msgspec.Struct):
    external_subscription_id: str | None = None
    subscription_from_datetime: datetime | None = None
    subscription_to_datetime: datetime | None = None


class _Invoice(msgspec.Struct):
    lago_id: str
    status: str
    currency: str
    number: str | None = None
    issuing_date: date | None = None
    invoice_type: str | None = None
    version_number: int = 4
    customer: Customer | None = None
    fees_amount_cents: int | None = None
    sub_total_excluding_taxes_amount_cents: int | None = None
    taxes_amount_cents: int | None = None
    sub_total_including_taxes_amount_cents: int | None = None
    updated_at: datetime | None = None
    billing_periods: list[_BillingPeriod] | None = None
    fees: list[msgspec.Raw] | None = None

    def net_cents(self) -> int | None:
        if self.version_number < _DISCOUNTS_BEFORE_TAX:
            return self.fees_amount_cents
        return self.sub_total_excluding_taxes_amount_cents

    def discount_cents(self) -> int | None:
        net = self.net_cents()
        if self.fees_amount_cents is None or net is None:
            return None
        return self.fees_amount_cents - net


def read_invoice(document: msgspec.Raw) -> AppDocument:
    """The invoice with its fees; without `fees` (GET /invoices) only its head. Raises ValueError
    where it cannot be read at all."""
    content = checked(document)
    found = msgspec.json.decode(document, type=_Invoice)
    if not found.lago_id:
        raise ValueError("an invoice without lago_id")
    currency = currency_code(found.currency)
    total = found.sub_total_including_taxes_amount_cents
    invoice = AppDocument(
        kind=INVOICE,
        external_invoice_id=found.lago_id,
        invoice_number=found.number,
        external_account_id=found.customer.external_id if found.customer else None,
        corrects_invoice_id=None,
        status=found.status,
        is_billed=found.status == "finalized",
        currency=currency,
        issued_on=found.issuing_date,
        net_amount=stated(found.net_cents(), currency),
        discount_amount=stated(found.discount_cents(), currency),
        tax_amount=stated(found.taxes_amount_cents, currency),
        # The first version subtracts prepaid credits and coupons from it as well.
        total_amount=None if found.version_number == 1 else stated(total, currency),
        content_sha256=sha256_of(content),
        payload=text_of(document),
        updated_at=aware(found.updated_at),
        missing=_ask(found) if found.fees is None else None,
    )
    fees = invoice.parsed("fee", found.fees or [], decode_fee)
    total_off = None if invoice.problems else found.discount_cents()
    weights = [fee.precise_coupons_amount_cents for _, _, fee in fees]
    if found.version_number < _DISCOUNTS_BEFORE_TAX:
        weights, total_off = [Decimal(0)] * len(fees), 0
    off = discounts([fee.amount_cents for _, _, fee in fees], total_off, weights)
    for (position, raw, fee), cents_off in zip(fees, off, strict=True):
        invoice.add(position, partial(_line, raw, fee, cents_off, found, currency))
    return invoice


def _ask(invoice: _Invoice) -> str:
    return f"fetch GET /api/v1/invoices/{invoice.lago_id} and import it as well"


def _line(
    raw: msgspec.Raw, fee: Fee, cents_off: int, invoice: _Invoice, currency: str
) -> BillingLine:
    own = currency_code(fee.amount_currency) if fee.amount_currency else currency
    customer = invoice.customer.external_id if invoice.customer else None
    start, end = fee.period()
    if start is None and end is None:
        start, end = _billing_period(fee, invoice)
    # What was billed progressively is counted by the invoice at the end of the period.
    is_progressive = invoice.invoice_type == "progressive_billing" and fee.item_type == CHARGE
    return BillingLine(
        external_line_id=fee.lago_id,
        external_account_id=fee.external_customer_id or customer,
        external_subscription_id=fee.external_subscription_id,
        item_type=fee.item_type,
        metric_code=fee.metric_code,
        period_from=start,
        period_to=end,
        quantity=Decimal(0) if is_progressive else finite(fee.charged_units()),
        amount=major_units(fee.amount_cents - cents_off, own),
        discount_amount=major_units(cents_off, own),
        tax_amount=major_units(fee.taxes_amount_cents, own),
        currency=own,
        is_proration=fee.is_proration,
        payload=text_of(raw),
    )


def _billing_period(fee: Fee, invoice: _Invoice) -> tuple[datetime | None, datetime | None]:
    """Of a fee that names no dates, as a commitment's: those of its subscription on the invoice."""
    for period in invoice.billing_periods or ():
        if period.external_subscription_id == fee.external_subscription_id is not None:
            return ordered(
                aware(period.subscription_from_datetime),
                exclusive(aware(period.subscription_to_datetime)),
            )
    return None, None
