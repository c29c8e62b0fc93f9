"""Lago's credit note: items that take back all or part of a fee.

Shape: getlago/lago-openapi, CreditNoteObject and CreditNoteItemObject. An item names its amount
before coupons and tax; coupons come off as they did on its fee, and the note states the tax of all
items together. How much of it was credited, refunded or set off is in the payload.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from functools import partial

import msgspec

from ingest.app_billing.amounts import currency_code, finite, major_units, negative, shared, stated
from ingest.app_billing.content import aware, checked, sha256_of, text_of
from ingest.app_billing.lago_fees import Customer, Fee, decode_fee, discounts
from ingest.app_billing.lines import CREDIT_NOTE, AppDocument, BillingLine


class _CreditNote(msgspec.Struct):
    lago_id: str
    currency: str
    number: str | None = None
    lago_invoice_id: str | None = None
    issuing_date: date | None = None
    credit_status: str | None = None
    refund_status: str | None = None
    refund_amount_cents: int = 0
    offset_amount_cents: int = 0
    total_amount_cents: int | None = None
    taxes_amount_cents: int | None = None
    sub_total_excluding_taxes_amount_cents: int | None = None
    coupons_adjustment_amount_cents: int | None = None
    updated_at: datetime | None = None
    customer: Customer | None = None
    items: list[msgspec.Raw] | None = None

    @property
    def is_billed(self) -> bool:
        """A voided credit takes nothing back, unless part of the note was refunded or set off."""
        return self.credit_status != "voided" or bool(
            self.refund_amount_cents or self.offset_amount_cents
        )


class _Item(msgspec.Struct):
    lago_id: str
    amount_cents: int
    fee: msgspec.Raw
    amount_currency: str | None = None


_Parsed = tuple[_Item, Fee]


def read_credit_note(document: msgspec.Raw) -> AppDocument:
    """The credit note with its items, amounts negative. Raises ValueError where it cannot be read
    at all."""
    content = checked(document)
    found = msgspec.json.decode(document, type=_CreditNote)
    if not found.lago_id:
        raise ValueError("a credit note without lago_id")
    currency = currency_code(found.currency)
    note = AppDocument(
        kind=CREDIT_NOTE,
        external_invoice_id=found.lago_id,
        invoice_number=found.number,
        external_account_id=found.customer.external_id if found.customer else None,
        corrects_invoice_id=found.lago_invoice_id,
        status=found.credit_status or found.refund_status or "finalized",
        is_billed=found.is_billed,
        currency=currency,
        issued_on=found.issuing_date,
        net_amount=stated(negative(found.sub_total_excluding_taxes_amount_cents), currency),
        discount_amount=stated(negative(found.coupons_adjustment_amount_cents), currency),
        tax_amount=stated(negative(found.taxes_amount_cents), currency),
        total_amount=stated(negative(found.total_amount_cents), currency),
        content_sha256=sha256_of(content),
        payload=text_of(document),
        updated_at=aware(found.updated_at),
        missing=_ask(found) if found.items is None else None,
    )
    items = note.parsed("item", found.items or [], _decode)
    off = _discounts(found, note, [item for _, _, item in items])
    tax = _taxes(found, [item for _, _, item in items], off)
    for (position, raw, item), cents_off, cents_tax in zip(items, off, tax, strict=True):
        note.add(position, partial(_line, raw, item, cents_off, cents_tax, found))
    return note


def _ask(note: _CreditNote) -> str:
    return f"fetch GET /api/v1/credit_notes/{note.lago_id} and import it as well"


def _decode(document: msgspec.Raw) -> _Parsed:
    item = msgspec.json.decode(document, type=_Item)
    return item, decode_fee(item.fee)


def _discounts(note: _CreditNote, document: AppDocument, items: list[_Parsed]) -> list[int]:
    """As much of the fee's coupons as the item takes back of the fee."""
    weights = [
        fee.precise_coupons_amount_cents * item.amount_cents / fee.amount_cents
        if fee.amount_cents
        else Decimal(0)
        for item, fee in items
    ]
    total = None
    net = note.sub_total_excluding_taxes_amount_cents
    if net is not None and not document.problems:
        total = sum(item.amount_cents for item, _ in items) - net
    return discounts([item.amount_cents for item, _ in items], total, weights)


def _taxes(note: _CreditNote, items: list[_Parsed], off: list[int]) -> list[int]:
    """The note's tax over its items, by what each is taxed with."""
    nets = [item.amount_cents - cents for (item, _), cents in zip(items, off, strict=True)]
    weights = [fee.taxes_rate * net for (_, fee), net in zip(items, nets, strict=True)]
    return shared(note.taxes_amount_cents or 0, weights if any(weights) else [*map(Decimal, nets)])


def _line(
    raw: msgspec.Raw, parsed: _Parsed, cents_off: int, cents_tax: int, note: _CreditNote
) -> BillingLine:
    item, fee = parsed
    currency = currency_code(item.amount_currency or note.currency)
    customer = note.customer.external_id if note.customer else None
    start, end = fee.period()
    units = finite(fee.charged_units())
    # Part of a fee may be a price that was too high: only the whole fee takes its units back.
    whole = units is not None and item.amount_cents == fee.amount_cents
    return BillingLine(
        external_line_id=item.lago_id,
        external_account_id=fee.external_customer_id or customer,
        external_subscription_id=fee.external_subscription_id,
        item_type=fee.item_type,
        metric_code=fee.metric_code,
        period_from=start,
        period_to=end,
        quantity=-units if whole and units is not None else None,
        amount=-major_units(item.amount_cents - cents_off, currency),
        discount_amount=-major_units(cents_off, currency),
        tax_amount=-major_units(cents_tax, currency),
        currency=currency,
        is_proration=fee.is_proration,
        payload=text_of(raw),
    )
