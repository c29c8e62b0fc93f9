"""Stripe's credit notes and refunds: what it took back, in words and in money. All negative.

A line of a credit note names only the line of the invoice that it takes back; staging finds that
line's metric, subscription and period, whichever of the two was imported first. A refund has no
lines: it is money that went back, not a change of what was billed.
"""

from __future__ import annotations

from decimal import Decimal
from functools import partial

import msgspec

from ingest.app_billing.ages import changed_at
from ingest.app_billing.amounts import currency_code, finite, major_units, negative, stated
from ingest.app_billing.content import checked, from_epoch, sha256_of, text_of
from ingest.app_billing.lines import (
    CHARGE,
    CREDIT_NOTE,
    OTHER,
    REFUND,
    AppDocument,
    BillingLine,
)
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

_GAVE_NOTHING_BACK = ("failed", "canceled")


class _CreditNote(msgspec.Struct):
    id: str
    status: str
    currency: str
    lines: Lines
    number: str | None = None
    created: int | None = None
    effective_at: int | None = None
    customer: str | Named | None = None
    invoice: str | Named | None = None
    metadata: Metadata | None = None
    total: int | None = None
    total_excluding_tax: int | None = None
    discount_amount: int | None = None
    total_taxes: list[Tax] | None = None
    tax_amounts: list[Tax] | None = None
    pretax_credit_amounts: list[Amount] | None = None

    def tax_cents(self) -> int | None:
        if self.total is not None and self.total_excluding_tax is not None:
            return self.total - self.total_excluding_tax
        return total_of(taxes_of(self.total_taxes, self.tax_amounts))

    def net_cents(self) -> int | None:
        if self.total_excluding_tax is not None or self.total is None:
            return self.total_excluding_tax
        return self.total - (self.tax_cents() or 0)


class _Line(msgspec.Struct):
    id: str
    amount: int
    discount_amount: int = 0
    quantity: Decimal | None = None
    metadata: Metadata | None = None
    tax_amounts: list[Tax] | None = None
    taxes: list[Tax] | None = None
    pretax_credit_amounts: list[Amount] | None = None


class _Paid(msgspec.Struct):
    """A charge or payment intent, where expanded. Before basil it names its invoice."""

    invoice: str | Named | None = None


class _Refund(msgspec.Struct):
    id: str
    amount: int
    currency: str
    created: int | None = None
    status: str | None = None
    receipt_number: str | None = None
    charge: str | _Paid | None = None
    payment_intent: str | _Paid | None = None
    customer: str | Named | None = None
    metadata: Metadata | None = None


def read_credit_note(document: msgspec.Raw) -> AppDocument:
    """The credit note with its lines. Raises ValueError where it cannot be read at all."""
    content = checked(document)
    found = msgspec.json.decode(document, type=_CreditNote)
    if not found.id:
        raise ValueError("a credit note without id")
    currency = currency_code(found.currency)
    counted = digits(currency)
    issued = found.created if found.effective_at is None else found.effective_at
    off = found.discount_amount
    if off is not None:
        off += granted(found.pretax_credit_amounts)
    note = AppDocument(
        kind=CREDIT_NOTE,
        external_invoice_id=found.id,
        invoice_number=found.number,
        external_account_id=(found.metadata or {}).get(ACCOUNT_ID) or id_of(found.customer),
        corrects_invoice_id=id_of(found.invoice),
        status=found.status,
        is_billed=found.status != "void",
        currency=currency,
        issued_on=None if issued is None else from_epoch(issued).date(),
        net_amount=stated(negative(found.net_cents()), currency, counted),
        discount_amount=stated(negative(off), currency, counted),
        tax_amount=stated(negative(found.tax_cents()), currency, counted),
        total_amount=stated(negative(found.total), currency, counted),
        content_sha256=sha256_of(content),
        payload=text_of(document),
        updated_at=changed_at(content),
        missing=_ask(found) if found.lines.has_more else None,
    )
    if note.missing is None:
        for position, raw, line in note.parsed("line", found.lines.data, _decode):
            note.add(position, partial(_billing_line, raw, line, found, currency))
    return note


def _ask(note: _CreditNote) -> str:
    return f"fetch GET /v1/credit_notes/{note.id}/lines, all pages, and import them with it"


def _decode(document: msgspec.Raw) -> _Line:
    return msgspec.json.decode(document, type=_Line)


def _billing_line(raw: msgspec.Raw, line: _Line, note: _CreditNote, currency: str) -> BillingLine:
    """`amount` is before discounts and holds inclusive tax, as on an invoice."""
    counted = digits(currency)
    taxes = taxes_of(line.taxes, line.tax_amounts)
    off = line.discount_amount + granted(line.pretax_credit_amounts)
    included = sum(tax.amount for tax in taxes if tax.is_inclusive)
    own, of_note = line.metadata or {}, note.metadata or {}
    quantity = finite(line.quantity)
    return BillingLine(
        external_line_id=line.id,
        external_account_id=own.get(ACCOUNT_ID) or of_note.get(ACCOUNT_ID) or id_of(note.customer),
        external_subscription_id=own.get(SUBSCRIPTION_ID) or of_note.get(SUBSCRIPTION_ID),
        item_type=CHARGE if METRIC_CODE in own else OTHER,
        metric_code=own.get(METRIC_CODE),
        period_from=None,
        period_to=None,
        quantity=None if quantity is None else -quantity,
        amount=-major_units(line.amount - off - included, currency, counted),
        discount_amount=-major_units(off, currency, counted),
        tax_amount=-major_units(total_of(taxes) or 0, currency, counted),
        currency=currency,
        is_proration=False,
        payload=text_of(raw),
    )


def read_refund(document: msgspec.Raw) -> AppDocument:
    """The refund. Its invoice is known where the charge is expanded (before basil). Raises
    ValueError where it cannot be read."""
    content = checked(document)
    found = msgspec.json.decode(document, type=_Refund)
    if not found.id:
        raise ValueError("a refund without id")
    currency = currency_code(found.currency)
    paid = [each for each in (found.charge, found.payment_intent) if isinstance(each, _Paid)]
    invoices = [invoice for each in paid if (invoice := id_of(each.invoice))]
    return AppDocument(
        kind=REFUND,
        external_invoice_id=found.id,
        invoice_number=found.receipt_number,
        external_account_id=(found.metadata or {}).get(ACCOUNT_ID) or id_of(found.customer),
        corrects_invoice_id=invoices[0] if invoices else None,
        status=found.status or "unknown",
        is_billed=found.status not in _GAVE_NOTHING_BACK,
        currency=currency,
        issued_on=None if found.created is None else from_epoch(found.created).date(),
        net_amount=None,
        discount_amount=None,
        tax_amount=None,
        total_amount=stated(negative(found.amount), currency, digits(currency)),
        content_sha256=sha256_of(content),
        payload=text_of(document),
        updated_at=changed_at(content),
    )
