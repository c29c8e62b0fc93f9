"""What every old biller's invoice becomes: lines of raw.app_billing_line."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal

import msgspec

from warehouse.currencies import minor_digits

# Where Stripe's "cents" are not the minor unit: its zero-decimal and special currencies.
_COUNTED_OTHERWISE = {"ISK": 2, "MGA": 0, "UGX": 2}

CHARGE = "charge"
SUBSCRIPTION = "subscription"
OTHER = "other"


@dataclass(frozen=True)
class BillingLine:
    """One line of an invoice. `amount` (net of tax and discounts) and `tax_amount` in major units.

    `quantity` is what was charged for: units above the app's own free ones, where it says so.
    `period_to` is exclusive. `payload` is the line as exported, JSON text.
    """

    external_line_id: str
    external_account_id: str | None
    external_subscription_id: str | None
    item_type: str
    metric_code: str | None
    period_from: datetime | None
    period_to: datetime | None
    quantity: Decimal | None
    amount: Decimal
    tax_amount: Decimal
    currency: str
    payload: str


@dataclass(frozen=True)
class AppInvoice:
    """One invoice of an export. `billed` is false for drafts and voided ones.

    `problems` are (position, reason) of lines that could not be read.
    """

    external_invoice_id: str
    number: str | None
    status: str
    billed: bool
    issued_on: date | None
    lines: list[BillingLine] = field(default_factory=list)
    problems: list[tuple[str, str]] = field(default_factory=list)


def major_units(minor: int | Decimal, currency: str) -> Decimal:
    """Cents to dollars, exactly, by the currency's number of digits (JPY 0, CAD 2, KWD 3)."""
    digits = _COUNTED_OTHERWISE.get(currency, minor_digits(currency))
    return Decimal(minor).scaleb(-digits)


def currency_code(text: str) -> str:
    """The ISO code in capitals. Raises ValueError on anything else."""
    code = text.upper()
    if not (len(code) == 3 and code.isascii() and code.isalpha()):
        raise ValueError(f"{text!r} is not an ISO 4217 currency")
    return code


def finite(number: Decimal | None) -> Decimal | None:
    """The same number. Raises ValueError on NaN and infinity, which JSON text can spell."""
    if number is not None and not number.is_finite():
        raise ValueError(f"{number} is not a number")
    return number


def aware(instant: datetime | None) -> datetime | None:
    """The same instant. Raises ValueError on a time without offset: nobody knows which it is."""
    if instant is not None and instant.tzinfo is None:
        raise ValueError(f"{instant.isoformat()} has no offset")
    return instant


def payload_text(document: msgspec.Raw) -> str:
    """The JSON text for a jsonb column. Raises ValueError where PostgreSQL would refuse it."""
    text = bytes(document).decode()
    if "\\u0000" in text:
        raise ValueError("holds a NUL character")
    return text
