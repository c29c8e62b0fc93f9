"""Lago's fee, which stands on invoices and within the items of credit notes.

Shape: getlago/lago-openapi, FeeObject and FeeAmountDetails.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal

import msgspec

from ingest.app_billing.amounts import finite, shared
from ingest.app_billing.content import aware, ordered
from ingest.app_billing.lines import (
    ADD_ON,
    CHARGE,
    CREDIT,
    MINIMUM_COMMITMENT,
    OTHER,
    SUBSCRIPTION,
)

# A fixed charge is a recurring fee of the plan: nothing is counted for it.
_ITEM_TYPES = {
    "charge": CHARGE,
    "subscription": SUBSCRIPTION,
    "fixed_charge": SUBSCRIPTION,
    "commitment": MINIMUM_COMMITMENT,
    "add_on": ADD_ON,
    "credit": CREDIT,
}


class Customer(msgspec.Struct):
    external_id: str | None = None


class Item(msgspec.Struct):
    type: str
    code: str | None = None


class Range(msgspec.Struct):
    units: Decimal
    per_unit_amount: Decimal = Decimal(0)
    flat_unit_amount: Decimal = Decimal(0)


class AmountDetails(msgspec.Struct):
    graduated_ranges: list[Range] | None = None
    paid_units: Decimal | None = None
    plan_amount_cents: int | None = None


class Fee(msgspec.Struct):
    lago_id: str
    item: Item
    amount_cents: int
    taxes_amount_cents: int
    taxes_rate: Decimal = Decimal(0)
    precise_coupons_amount_cents: Decimal = Decimal(0)
    units: Decimal | None = None
    total_aggregated_units: Decimal | None = None
    amount_currency: str | None = None
    external_customer_id: str | None = None
    external_subscription_id: str | None = None
    lago_true_up_parent_fee_id: str | None = None
    from_date: datetime | None = None
    to_date: datetime | None = None
    from_datetime: datetime | None = None
    to_datetime: datetime | None = None
    amount_details: AmountDetails | None = None

    @property
    def item_type(self) -> str:
        return _ITEM_TYPES.get(self.item.type, OTHER)

    @property
    def metric_code(self) -> str | None:
        return self.item.code if self.item_type == CHARGE else None

    @property
    def is_proration(self) -> bool:
        """Whether the fee is for part of a period: less than the plan's amount, or fewer units than
        were counted."""
        plan_amount = self.amount_details.plan_amount_cents if self.amount_details else None
        if self.item.type == "subscription":
            return plan_amount is not None and plan_amount != self.amount_cents
        return (
            self.item_type == CHARGE
            and self.units is not None
            and self.total_aggregated_units is not None
            and self.units < self.total_aggregated_units
        )

    def period(self) -> tuple[datetime | None, datetime | None]:
        """Half-open. Raises ValueError on a time without offset, or an end before the beginning."""
        return ordered(
            aware(self.from_date or self.from_datetime),
            exclusive(aware(self.to_date or self.to_datetime)),
        )

    def charged_units(self) -> Decimal | None:
        """Units without the free ones of a first range at price 0, or of a package. A true-up to a
        minimum has none: its charge's own fee counts them."""
        if self.lago_true_up_parent_fee_id is not None:
            return Decimal(0)
        details = self.amount_details
        if details is None:
            return self.units
        if details.graduated_ranges is not None:
            priced = (
                r for r in details.graduated_ranges if r.per_unit_amount or r.flat_unit_amount
            )
            return sum((each.units for each in priced), Decimal(0))
        return self.units if details.paid_units is None else details.paid_units


def decode_fee(document: msgspec.Raw) -> Fee:
    """Raises ValueError on a fee that lacks what a line needs."""
    fee = msgspec.json.decode(document, type=Fee)
    details = fee.amount_details or AmountDetails()
    for number in (
        *(fee.units, fee.total_aggregated_units, fee.taxes_rate, fee.precise_coupons_amount_cents),
        *(details.paid_units, *(each.units for each in details.graduated_ranges or ())),
    ):
        finite(number)
    return fee


def exclusive(end: datetime | None) -> datetime | None:
    """Lago's periods end with their last second (…:59 or …:59.999). Raises ValueError where the
    calendar ends."""
    if end is None or end.second != 59:
        return end
    try:
        return end.replace(microsecond=0) + timedelta(seconds=1)
    except OverflowError:
        raise ValueError(f"{end.isoformat()} has no second after it") from None


def discounts(amounts: list[int], total: int | None, weights: list[Decimal]) -> list[int]:
    """The cents of discount of each fee. Lago states its share unrounded; in cents the shares are
    made to sum to `total`, what the document says was taken off, by largest fraction. Where no fee
    states a share they follow `amounts`. Without a total each is rounded on its own."""
    if total is None:
        return [int(each.to_integral_value(ROUND_HALF_UP)) for each in weights]
    if not any(weights):
        weights = [Decimal(amount) for amount in amounts]
    return shared(total, weights)
