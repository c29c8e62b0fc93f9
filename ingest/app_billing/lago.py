"""Lago's invoices, as its API shows them one by one or an export lists them with their fees.

Fields: getlago/lago-openapi, InvoiceObject and FeeObject.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import msgspec
from sqlalchemy.engine import Engine

from ingest.app_billing.lines import (
    CHARGE,
    OTHER,
    SUBSCRIPTION,
    AppInvoice,
    BillingLine,
    aware,
    currency_code,
    finite,
    major_units,
    payload_text,
)
from ingest.app_billing.load import Format, ImportReport, NotThisExportError, import_files

LAGO = "lago"


def import_lago(engine: Engine, paths: Iterable[Path], *, service_code: str) -> ImportReport:
    """Loads Lago invoices into raw.app_billing_line, one row per fee.

    A file holds `{"invoice": {…}}` or `{"invoices": […]}`, or one such document per line. Only
    finalized invoices load. Fees are taken before coupons and prepaid credits, which Lago keeps on
    the invoice. Raises AppBillingFileError on a file that is no such export.
    """
    lago = Format(LAGO, "Lago invoice export", _invoices, _invoice)
    return import_files(engine, paths, service_code=service_code, format=lago)


class _Export(msgspec.Struct):
    invoice: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    invoices: list[msgspec.Raw] | msgspec.UnsetType = msgspec.UNSET


class _Customer(msgspec.Struct):
    external_id: str | None = None


class _Invoice(msgspec.Struct):
    lago_id: str
    status: str
    currency: str
    number: str | None = None
    issuing_date: date | None = None
    customer: _Customer | None = None
    fees: list[msgspec.Raw] | msgspec.UnsetType = msgspec.UNSET


class _Item(msgspec.Struct):
    type: str
    code: str | None = None


class _Range(msgspec.Struct):
    units: Decimal
    per_unit_amount: Decimal = Decimal(0)
    flat_unit_amount: Decimal = Decimal(0)


class _AmountDetails(msgspec.Struct):
    graduated_ranges: list[_Range] | None = None
    paid_units: Decimal | None = None


class _Fee(msgspec.Struct):
    lago_id: str
    item: _Item
    amount_cents: int
    taxes_amount_cents: int
    units: Decimal | None = None
    amount_currency: str | None = None
    external_customer_id: str | None = None
    external_subscription_id: str | None = None
    from_date: datetime | None = None
    to_date: datetime | None = None
    from_datetime: datetime | None = None
    to_datetime: datetime | None = None
    amount_details: _AmountDetails | None = None


def _invoices(document: msgspec.Raw) -> list[msgspec.Raw]:
    try:
        export = msgspec.json.decode(document, type=_Export)
    except msgspec.ValidationError as error:
        raise NotThisExportError(str(error)) from None
    if not isinstance(export.invoices, msgspec.UnsetType):
        return export.invoices
    if not isinstance(export.invoice, msgspec.UnsetType):
        return [export.invoice]
    raise NotThisExportError('it has neither "invoice" nor "invoices"')


def _invoice(document: msgspec.Raw) -> AppInvoice:
    found = msgspec.json.decode(document, type=_Invoice)
    invoice = AppInvoice(
        external_invoice_id=found.lago_id,
        number=found.number,
        status=found.status,
        billed=found.status == "finalized",
        issued_on=found.issuing_date,
    )
    if isinstance(found.fees, msgspec.UnsetType):
        raise ValueError(f"invoice {found.lago_id} has no fees: export each invoice, not the list")
    for number, fee in enumerate(found.fees, start=1):
        try:
            invoice.lines.append(_line(fee, found))
        except ValueError as error:
            invoice.problems.append((f"fee {number}", str(error)))
    return invoice


def _line(document: msgspec.Raw, invoice: _Invoice) -> BillingLine:
    fee = msgspec.json.decode(document, type=_Fee)
    currency = currency_code(fee.amount_currency or invoice.currency)
    item_type = fee.item.type if fee.item.type in (CHARGE, SUBSCRIPTION) else OTHER
    customer = invoice.customer.external_id if invoice.customer else None
    return BillingLine(
        external_line_id=fee.lago_id,
        external_account_id=fee.external_customer_id or customer,
        external_subscription_id=fee.external_subscription_id,
        item_type=item_type,
        metric_code=fee.item.code if item_type == CHARGE else None,
        period_from=aware(fee.from_date or fee.from_datetime),
        period_to=_exclusive(aware(fee.to_date or fee.to_datetime)),
        quantity=finite(_charged_units(fee)),
        amount=major_units(fee.amount_cents, currency),
        tax_amount=major_units(fee.taxes_amount_cents, currency),
        currency=currency,
        payload=payload_text(document),
    )


def _exclusive(end: datetime | None) -> datetime | None:
    """Lago's periods end with their last second (…:59 or …:59.999)."""
    if end is None or end.second != 59:
        return end
    return end.replace(microsecond=0) + timedelta(seconds=1)


def _charged_units(fee: _Fee) -> Decimal | None:
    """Units without the free ones of a first range at price 0, or of a package."""
    details = fee.amount_details
    if details is None:
        return fee.units
    if details.graduated_ranges is not None:
        return sum(
            (r.units for r in details.graduated_ranges if r.per_unit_amount or r.flat_unit_amount),
            Decimal(0),
        )
    return fee.units if details.paid_units is None else details.paid_units
