"""One provider cost, whoever tells it, and what a cost must be to be taken."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Context, Decimal
from urllib.parse import quote

from babel.numbers import is_currency

COLUMNS = (
    "provider",
    "sku",
    "day",
    "service_code",
    "external_account_id",
    "quantity",
    "amount",
    "currency",
)
# Who told it: a file, Odoo's model of fusion_api, or an app over HTTP.
FUSION_API, ODOO, API = "fusion_api", "odoo", "api"
# Of bytes: a key that is longer cannot stand in an index.
LONGEST_KEY = 2000
# Of an amount or a quantity, before the point and after it: more is a mistake, not a cost, and sums
# of it would have to be rounded.
WHOLE_DIGITS, DECIMALS = 15, 20
TOO_MANY_DIGITS = f"has more than {WHOLE_DIGITS} digits before the point, or {DECIMALS} after it"
EARLIEST_DAY = date(1970, 1, 1)
_TOO_LARGE = Decimal(10) ** WHOLE_DIGITS
_SMALLEST = Decimal(1).scaleb(-DECIMALS)
_WIDE = Context(prec=60)
_CURRENCY = re.compile(r"[A-Z]{3}")
_EXACT = re.compile(r"[+-]?\d+(\.\d+)?", re.ASCII)
_SERVICE = re.compile(r"[a-z][a-z0-9_]{1,30}")


def latest_day() -> date:
    """The last day that a cost can be of: somewhere it is tomorrow already."""
    return datetime.now(UTC).date() + timedelta(days=1)


def is_iso_currency(code: str) -> bool:
    """Of ISO 4217, also one that is out of use: old costs were in it."""
    return bool(_CURRENCY.fullmatch(code)) and is_currency(code)


def fitting(value: Decimal) -> Decimal | None:
    """The amount or quantity with its decimals, zeros beyond DECIMALS dropped; None where it has
    more digits than one can have."""
    if value.copy_abs() >= _TOO_LARGE:
        return None
    cut = value.quantize(_SMALLEST, context=_WIDE)
    if cut != value:
        return None
    exponent = value.as_tuple().exponent
    return cut if isinstance(exponent, int) and exponent < -DECIMALS else value


class UnfitCostError(Exception):
    """A value that makes no cost: in which column, and why it does not fit."""

    def __init__(self, column: str, reason: str) -> None:
        super().__init__(f"{column}: {reason}")
        self.column, self.reason = column, reason


@dataclass(frozen=True)
class CostRow:
    """One provider's cost of one SKU on one local day, `amount` in major units of `currency`,
    negative where it is a credit. No account: the service shares it; no service: all of them do."""

    provider: str
    sku: str
    day: date
    service_code: str | None
    external_account_id: str | None
    quantity: Decimal
    amount: Decimal
    currency: str

    @property
    def cost_key(self) -> str:
        """Derived from provider, SKU, day, service and account: a later telling corrects by it."""
        parts = (
            self.provider,
            self.sku,
            self.day.isoformat(),
            self.service_code or "",
            self.external_account_id or "",
        )
        return "/".join(quote(part, safe="") for part in parts)


def cost_row(values: Mapping[str, str]) -> CostRow:
    """The cost that texts under COLUMNS mean; an empty text is none. Raises UnfitCostError."""

    def unfit(column: str, reason: str) -> UnfitCostError:
        return UnfitCostError(column, f"{values[column]!r} {reason}")

    for column in ("provider", "sku"):
        if not values[column].strip():
            raise unfit(column, "is empty")
    for column in ("provider", "sku", "external_account_id"):
        if "\x00" in values[column]:
            raise unfit(column, "has a NUL character")
    service, account = values["service_code"], values["external_account_id"]
    if service and not _SERVICE.fullmatch(service):
        raise unfit("service_code", "is not a service code such as nexacloud")
    if account and not service:
        raise unfit("service_code", "is empty: an account is one of a service")
    if not is_iso_currency(values["currency"]):
        raise unfit("currency", "is not an ISO 4217 code such as USD")
    try:
        day = date.fromisoformat(values["day"])
    except ValueError:
        raise unfit("day", "is not a date such as 2026-09-30") from None
    numbers: dict[str, Decimal] = {}
    for column in ("quantity", "amount"):
        if not _EXACT.fullmatch(values[column]):
            raise unfit(column, "is not a plain decimal number")
        number = fitting(Decimal(values[column]))
        if number is None:
            # Not shown: it may be as long as the file.
            raise UnfitCostError(column, TOO_MANY_DIGITS)
        numbers[column] = number
    row = CostRow(
        provider=values["provider"],
        sku=values["sku"],
        day=day,
        service_code=service or None,
        external_account_id=account or None,
        quantity=numbers["quantity"],
        amount=numbers["amount"],
        currency=values["currency"],
    )
    if len(row.cost_key) > LONGEST_KEY:
        raise unfit("sku", "is too long, with provider and account")
    return row
