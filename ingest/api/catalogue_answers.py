"""What metrics and plans look like: Lago's fields, null where we keep no such thing."""

from __future__ import annotations

from msgspec import Struct

from ingest.api.payloads import PageMeta


class BillableMetric(Struct):
    """`unit` is ours: as the customer reads it."""

    lago_id: str
    name: str
    code: str
    description: str | None
    aggregation_type: str
    field_name: str | None
    unit: str | None
    weighted_interval: None
    recurring: bool
    expression: None
    rounding_function: None
    rounding_precision: None
    created_at: str
    active_subscriptions_count: int
    draft_invoices_count: int
    plans_count: int
    filters: list[dict[str, str]]


class BillableMetricAnswer(Struct):
    billable_metric: BillableMetric


class BillableMetricsPage(Struct):
    billable_metrics: list[BillableMetric]
    meta: PageMeta


class ChargeProperties(Struct):
    """`amount` a unit beyond `included`, in the currency's major unit; both decimals."""

    amount: str
    included: str


class PlanCharge(Struct):
    lago_id: str
    lago_billable_metric_id: str
    billable_metric_code: str
    code: str
    invoice_display_name: str | None
    created_at: str
    charge_model: str
    pay_in_advance: bool
    invoiceable: bool
    regroup_paid_fees: None
    prorated: bool
    min_amount_cents: int
    properties: ChargeProperties
    filters: list[dict[str, str]]
    taxes: list[dict[str, str]]


class Plan(Struct):
    """`amount_cents` is null: the base fee is a line of each subscription in Odoo."""

    lago_id: str
    name: str
    invoice_display_name: str | None
    created_at: str
    code: str
    interval: str | None
    description: str | None
    amount_cents: int | None
    amount_currency: str
    trial_period: None
    pay_in_advance: bool | None
    bill_charges_monthly: bool | None
    customers_count: int
    active_subscriptions_count: int
    draft_invoices_count: int
    parent_id: None
    charges: list[PlanCharge]
    usage_thresholds: list[dict[str, str]]
    taxes: list[dict[str, str]]


class PlanAnswer(Struct):
    plan: Plan


class PlansPage(Struct):
    plans: list[Plan]
    meta: PageMeta
