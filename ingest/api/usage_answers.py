"""What current and past usage look like: Lago's fields. Units are strings, money is in cents."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from msgspec import Struct

from ingest.api.exact import iso_seconds
from ingest.api.marts import AGGREGATION_TYPES, cents, lago_id, units
from ingest.api.payloads import PageMeta

_SECOND = timedelta(seconds=1)
_DAY = timedelta(days=1)


class UsedMetric(Struct):
    lago_id: str
    name: str
    code: str
    aggregation_type: str | None


class UsedCharge(Struct):
    lago_id: str
    code: str
    charge_model: str
    invoice_display_name: str | None


class ChargeUsage(Struct):
    """One charge of the plan: what was used, and what it costs beyond the quota."""

    units: str
    total_aggregated_units: str
    events_count: int
    amount_cents: int
    amount_currency: str
    pricing_unit_details: None
    charge: UsedCharge
    billable_metric: UsedMetric
    filters: list[dict[str, str]]
    grouped_usage: list[dict[str, str]]
    presentation_breakdowns: list[dict[str, str]]


class CustomerUsage(Struct):
    """A subscription's period. `taxes_amount_cents` is 0: taxes are computed by Odoo alone."""

    from_datetime: str
    to_datetime: str
    issuing_date: str
    currency: str
    amount_cents: int
    total_amount_cents: int
    taxes_amount_cents: int
    lago_invoice_id: str | None
    charges_usage: list[ChargeUsage]


class CustomerUsageAnswer(Struct):
    customer_usage: CustomerUsage


class UsagePeriodsPage(Struct):
    usage_periods: list[CustomerUsage]
    meta: PageMeta


def charge_usage(plan_code: str, row: Any, amount: Decimal) -> ChargeUsage:
    """A charge from a row of usage_queries, at `amount` of the row's currency."""
    quantity = units(row["quantity_used"])
    aggregation = row["aggregation"]
    return ChargeUsage(
        units=quantity,
        total_aggregated_units=quantity,
        events_count=row["counters"],
        amount_cents=cents(amount, row["currency"]),
        amount_currency=row["currency"],
        pricing_unit_details=None,
        charge=UsedCharge(
            lago_id=lago_id("charge", row["charge_key"]),
            code=code_of_charge(plan_code, row["charge_key"]),
            charge_model=row["charge_model"],
            invoice_display_name=row["charge_name"],
        ),
        billable_metric=UsedMetric(
            lago_id=lago_id("metric", row["metric_code"]),
            name=row["metric_name"],
            code=row["metric_code"],
            aggregation_type=AGGREGATION_TYPES.get(aggregation, aggregation),
        ),
        filters=[],
        grouped_usage=[],
        presentation_breakdowns=[],
    )


def code_of_charge(plan_code: str, charge_key: str) -> str:
    """The charge's own code: its key without the plan's."""
    return charge_key.removeprefix(f"{plan_code}/")


def customer_usage(
    starts_at: datetime,
    ends_at: datetime,
    period_end: date,
    charges: Iterable[ChargeUsage],
    *,
    currency: str,
    lago_invoice_id: str | None = None,
) -> CustomerUsage:
    """A period over its charges. `currency` is the company's, for a period without any."""
    listed = list(charges)
    amount = sum(charge.amount_cents for charge in listed)
    return CustomerUsage(
        from_datetime=iso_seconds(starts_at),
        to_datetime=iso_seconds(ends_at - _SECOND),
        issuing_date=(period_end - _DAY).isoformat(),
        currency=listed[0].amount_currency if listed else currency,
        amount_cents=amount,
        total_amount_cents=amount,
        taxes_amount_cents=0,
        lago_invoice_id=lago_invoice_id,
        charges_usage=listed,
    )
