"""Cases as raw rows: what the mirror would have read of Odoo, and what the endpoint stored."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg
from trials import Case, Charge
from vectors import plain

SERVICE = "conformance"
CODE = "usage"  # of every case's charge
CURRENCY = "CAD"
_MANY_DAYS = timedelta(days=40)


@dataclass
class Records:
    """Odoo records and counters on their way into raw."""

    odoo: dict[str, list[dict[str, Any]]]
    counters: list[tuple[Any, ...]]

    def add(self, model: str, **values: Any) -> int:
        """One record, as search_read would have answered it: false where a field is unset."""
        number = len(self.odoo[model]) + 1
        unset = {name: False if value is None else value for name, value in values.items()}
        self.odoo[model].append({"id": number, **unset})
        return number


def name_of(place: int) -> str:
    """External subscription id, plan and metric code of a case."""
    return f"case{place:04d}"


def records_of(cases: Sequence[Case], customers: Iterable[tuple[str, str]]) -> Records:
    records = Records(defaultdict(list), [])
    records.add("currency", name=CURRENCY)
    partner = records.add("partner", name="Conformance", email=None, vat=None, active=True)
    for service, external_id in ((SERVICE, "acct"), *customers):
        records.add(
            "account_link",
            x_name=f"{service}:{external_id}",
            x_service_code=service,
            x_external_account_id=external_id,
            x_partner_id=partner,
        )
    product = records.add(
        "product", name="Usage", default_code="USAGE", invoice_policy="delivery",
        list_price=0, recurring_invoice=False,
    )  # fmt: skip
    base = records.add(
        "product", name="Base fee", default_code="BASE", invoice_policy="order",
        list_price=0, recurring_invoice=True,
    )  # fmt: skip
    plans: dict[tuple[str, int], int] = {}
    for place, case in enumerate(cases):
        interval = (case.schedule.unit, case.schedule.value)
        if interval not in plans:
            plans[interval] = records.add(
                "plan", name=" ".join(map(str, interval)),
                billing_period_unit=interval[0], billing_period_value=interval[1],
            )  # fmt: skip
        _add_case(records, case, name_of(place), plans[interval], partner, product, base)
    _add_clock(records, cases)
    return records


def _add_case(
    records: Records, case: Case, name: str, plan: int, partner: int, product: int, base: int
) -> None:
    metric = records.add(
        "metric",
        x_name=name,
        x_code=name,
        x_aggregation=case.metric.aggregation,
        x_field_name=case.metric.field_name,
        x_unit=None,
        x_recurring=case.metric.recurring,
        x_rounding_function=case.metric.rounding_function,
        x_rounding_precision=str(case.metric.rounding_precision or 0),
        x_metric_filters=case.metric.filters and json.dumps(case.metric.filters),
    )
    for charge in case.charges:
        _add_charge(records, charge, name, metric, product)
    order = records.add(
        "subscription",
        name=f"S-{name}",
        state="sale",
        subscription_state="3_progress",
        x_fc_service_code=SERVICE,
        x_fc_external_id=name,
        x_fc_external_account_id="acct",
        x_fc_plan_code=name,
        x_fc_billing_time=case.schedule.billing_time,
        x_fc_trial_end=None,
        x_fc_pauses=None,
        partner_id=partner,
        plan_id=plan,
        start_date=case.schedule.start.isoformat(),
        end_date=case.schedule.end and case.schedule.end.isoformat(),
    )
    if case.base_fee:
        records.add(
            "base_line",
            order_id=order,
            product_id=base,
            product_uom_qty=1,
            # Odoo's own JSON has a binary double here; text keeps these cents exact.
            price_unit=plain(case.base_fee),
            discount=0,
        )
    for number, event in enumerate(case.events):
        records.counters.append(
            (
                name,
                f"{name}-{number:04d}",
                name,
                event.at,
                json.dumps(event.properties),
                event.cents,
            )
        )


def _add_charge(records: Records, charge: Charge, name: str, metric: int, product: int) -> None:
    is_commitment = charge.model == "minimum_commitment"
    made = records.add(
        "charge",
        x_name=f"{name} {charge.variant}".strip(),
        x_code="minimum_commitment" if is_commitment else CODE,
        x_plan_code=name,
        x_metric_id=None if is_commitment else metric,
        x_charge_model=charge.model,
        x_included=None,
        x_currency=CURRENCY,
        x_product_id=product,
        x_filter=charge.filter and json.dumps(charge.filter),
        x_variant=charge.variant or None,
        x_pricing_group_keys=",".join(charge.group_keys) or None,
        x_prorated=charge.prorated,
        x_min_amount=None if charge.min_amount is None else plain(charge.min_amount),
        x_valid_from=None,
        x_valid_to=None,
        **{term: plain(value) for term, value in charge.terms.items()},
    )
    tiers = [
        records.add(
            "charge_tier",
            x_charge_id=made,
            x_from=plain(tier.from_value),
            x_to=None if tier.to_value is None else plain(tier.to_value),
            x_unit_price=plain(tier.unit_price),
            x_flat_amount=plain(tier.flat_amount),
            x_rate=plain(tier.rate),
        )
        for tier in charge.tiers
    ]
    records.odoo["charge"][-1]["x_tier_ids"] = tiers


def _add_clock(records: Records, cases: Sequence[Case]) -> None:
    """Periods exist up to the last counter of anybody; so somebody else goes on using something."""
    last = max(
        (
            max([case.period_start, *(event.at.date() for event in case.events)])
            + (timedelta(days=370) if case.schedule.unit == "year" else 3 * _MANY_DAYS)
            for case in cases
        ),
        default=date(2023, 1, 1),
    )
    at = datetime(last.year, last.month, last.day, tzinfo=UTC)
    records.counters.append(("somebody-else", "clock", "clock", at, "{}", None))


def land(connection: psycopg.Connection[Any], records: Records) -> None:
    for model, rows in records.odoo.items():
        with connection.cursor() as cursor:
            cursor.executemany(
                f"insert into raw.odoo_{model} (id, write_date, record) values (%s, now(), %s)",
                [(row["id"], json.dumps(row, default=_json)) for row in rows],
            )
    with connection.cursor() as cursor:
        batch = cursor.execute(
            "insert into raw.ingest_batch (service_code, counters) values (%s, %s)"
            " returning batch_id",
            [SERVICE, len(records.counters)],
        ).fetchone()
        assert batch is not None
        # Received after all of it happened, in the order of the vector: what decides between
        # events of one moment.
        last = max(at for _, _, _, at, _, _ in records.counters)
        cursor.executemany(
            "insert into raw.usage_counter (service_code, external_subscription_id, transaction_id,"
            " batch_id, code, kind, window_start, window_end, properties,"
            " precise_total_amount_cents, payload_hash, received_at)"
            " values (%s, %s, %s, %s, %s, 'event', %s, %s, %s, %s, '',"
            " %s + %s * interval '1 microsecond')",
            [
                (
                    SERVICE,
                    subscription,
                    transaction,
                    batch[0],
                    code,
                    at,
                    at,
                    properties,
                    cents,
                    last,
                    no,
                )
                for no, (subscription, transaction, code, at, properties, cents) in enumerate(
                    records.counters
                )
            ],
        )


def _json(value: object) -> Any:
    if isinstance(value, Decimal):
        return plain(value)
    raise TypeError(f"{value!r} in a record")
