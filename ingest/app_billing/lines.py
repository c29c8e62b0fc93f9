"""What every old biller's document becomes: a row of raw.app_invoice and its lines."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import TypeVar

import msgspec

_Item = TypeVar("_Item")

INVOICE = "invoice"
CREDIT_NOTE = "credit_note"
REFUND = "refund"

CHARGE = "charge"
SUBSCRIPTION = "subscription"
MINIMUM_COMMITMENT = "minimum_commitment"
ADD_ON = "add_on"
CREDIT = "credit"  # prepaid credits that were bought
OTHER = "other"


@dataclass(frozen=True)
class BillingLine:
    """One line of a document. `amount` (net of tax and discounts), `discount_amount` and
    `tax_amount` in major units; on a credit note all three are negative.

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
    discount_amount: Decimal
    tax_amount: Decimal
    currency: str
    is_proration: bool
    payload: str


@dataclass(frozen=True)
class AppDocument:
    """An invoice, credit note or refund. Amounts as it states them, in major units, None where it
    does not; on credit notes and refunds negative. `net_amount` is after discounts and before tax,
    `total_amount` their sum, before prepaid credits and credit notes pay for it.

    `is_billed` is false for drafts and for what was voided. `content_sha256` is of the canonical
    JSON. `updated_at` is the latest instant of its past that it names; where it `is_event`, when
    the event happened that carried it. `problems` are (position, reason) of lines that could not be
    read.

    `missing` says what else has to be fetched where the export has the head without all of its
    lines, as a list call returns it; such a document is only compared with the whole one.
    """

    kind: str
    external_invoice_id: str
    invoice_number: str | None
    external_account_id: str | None
    corrects_invoice_id: str | None
    status: str
    is_billed: bool
    currency: str
    issued_on: date | None
    net_amount: Decimal | None
    discount_amount: Decimal | None
    tax_amount: Decimal | None
    total_amount: Decimal | None
    content_sha256: bytes
    payload: str
    updated_at: datetime | None = None
    is_event: bool = False
    missing: str | None = None
    lines: list[BillingLine] = field(default_factory=list)
    problems: list[tuple[str, str]] = field(default_factory=list)
    _line_ids: set[str] = field(default_factory=set, repr=False)

    @property
    def name(self) -> str:
        """For people: invoice LAG-1-001 (inv-1)."""
        word = self.kind.replace("_", " ")
        number = f" {self.invoice_number}" if self.invoice_number else ""
        return f"{word}{number} ({self.external_invoice_id})"

    def parsed(
        self, word: str, found: Iterable[msgspec.Raw], reader: Callable[[msgspec.Raw], _Item]
    ) -> list[tuple[str, msgspec.Raw, _Item]]:
        """Each line with its position; what cannot be read becomes a problem."""
        items = []
        for number, raw in enumerate(found, start=1):
            try:
                items.append((f"{word} {number}", raw, reader(raw)))
            except ValueError as error:
                self.problems.append((f"{word} {number}", str(error)))
        return items

    def add(self, position: str, make: Callable[[], BillingLine]) -> None:
        """Adds the line; one that cannot be made, or stands twice, becomes a problem."""
        try:
            line = make()
        except ValueError as error:
            self.problems.append((position, str(error)))
            return
        if not line.external_line_id:
            self.problems.append((position, "has no id"))
        elif line.external_line_id in self._line_ids:
            self.problems.append((position, f"{line.external_line_id} stands twice"))
        else:
            self._line_ids.add(line.external_line_id)
            self.lines.append(line)
