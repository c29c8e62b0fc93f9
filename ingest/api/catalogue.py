"""GET /billable_metrics and GET /plans: the catalogue as Odoo has it, as far as a service uses it.

The catalogue's records name no service. A plan is a service's when a subscription of the service
is on it, a metric when such a plan charges for it: so no app reads another's prices.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from operator import itemgetter
from typing import Annotated, Any, TypeVar

import asyncpg
from litestar import get
from litestar.params import Parameter

from ingest.api.auth import ServiceRequest
from ingest.api.catalogue_answers import (
    BillableMetric,
    BillableMetricAnswer,
    BillableMetricsPage,
    ChargeProperties,
    Plan,
    PlanAnswer,
    PlanCharge,
    PlansPage,
)
from ingest.api.database import Connection, Database
from ingest.api.exact import iso_seconds
from ingest.api.marts import AGGREGATION_TYPES, Company, lago_id, read_marts
from ingest.api.payloads import PageMeta
from ingest.api.problems import RESPONSES, not_found
from ingest.api.reading import page_meta, selection
from ingest.api.usage_answers import code_of_charge

ItemT = TypeVar("ItemT")

_Count = Annotated[
    str | None,
    Parameter(required=False, description="A whole number from 1; per_page to 1000."),
]

# dim_plan does not exist: Odoo's own plans are intervals, and ours are the codes on subscriptions.
_METRICS = """
select
    metric.metric_code,
    metric.metric_name,
    metric.aggregation,
    metric.field_name,
    metric.unit,
    service.created_at,
    count(distinct charge.plan_code) as plans
from marts.dim_metric as metric
inner join marts.dim_charge as charge on metric.metric_code = charge.metric_code
cross join ops.service
where
    service.service_code = $1
    and charge.plan_code in (
        select plan_code from marts.dim_subscription where service_code = $1
    )
group by 1, 2, 3, 4, 5, 6
order by metric.metric_code
"""

_PLANS = """
with

used as (
    select
        subscription.plan_code,
        service.created_at,
        mode() within group (order by case
            when billing_period_unit = 'week' and billing_period_value = 1 then 'weekly'
            when billing_period_unit = 'month' and billing_period_value = 1 then 'monthly'
            when billing_period_unit = 'month' and billing_period_value = 3 then 'quarterly'
            when billing_period_unit = 'month' and billing_period_value = 6 then 'semiannual'
            when billing_period_unit = 'year' and billing_period_value = 1 then 'yearly'
        end) as billing_interval
    from marts.dim_subscription as subscription
    inner join ops.service on subscription.service_code = service.service_code
    where subscription.service_code = $1 and subscription.plan_code is not null
    group by 1, 2
)

select
    used.*,
    charge.charge_key,
    charge.charge_name,
    charge.charge_model,
    charge.metric_code,
    charge.unit_price,
    charge.quantity_included,
    charge.currency
from used
left join marts.dim_charge as charge on used.plan_code = charge.plan_code
order by used.plan_code, charge.charge_key
"""


@get("/billable_metrics", responses=RESPONSES, summary="List metrics")
async def get_billable_metrics(
    request: ServiceRequest, database: Database, page: _Count = None, per_page: _Count = None
) -> BillableMetricsPage:
    """The metrics that the service's plans charge for, by code."""
    chosen = selection({"page": page, "per_page": per_page})
    metrics = await _metrics(database, request.auth)
    return BillableMetricsPage(*_page(metrics, chosen.page, chosen.per_page))


@get("/billable_metrics/{code:str}", responses=RESPONSES, summary="Read one metric")
async def get_billable_metric(
    code: str, request: ServiceRequest, database: Database
) -> BillableMetricAnswer:
    """One metric of the service's; 404 `billable_metric_not_found`."""
    for metric in await _metrics(database, request.auth):
        if metric.code == code:
            return BillableMetricAnswer(metric)
    raise not_found("billable_metric")


@get("/plans", responses=RESPONSES, summary="List plans")
async def get_plans(
    request: ServiceRequest,
    database: Database,
    company: Company,
    page: _Count = None,
    per_page: _Count = None,
) -> PlansPage:
    """The plans that the service's subscriptions are on, by code, with their charges."""
    chosen = selection({"page": page, "per_page": per_page})
    plans = await _plans(database, request.auth, company)
    return PlansPage(*_page(plans, chosen.page, chosen.per_page))


@get("/plans/{code:str}", responses=RESPONSES, summary="Read one plan")
async def get_plan(
    code: str, request: ServiceRequest, database: Database, company: Company
) -> PlanAnswer:
    """One plan of the service's; 404 `plan_not_found`."""
    for plan in await _plans(database, request.auth, company):
        if plan.code == code:
            return PlanAnswer(plan)
    raise not_found("plan")


def _page(items: Sequence[ItemT], page: int, per_page: int) -> tuple[list[ItemT], PageMeta]:
    first = (page - 1) * per_page
    return list(items[first : first + per_page]), page_meta(len(items), page, per_page)


async def _metrics(database: Database, service_code: str) -> list[BillableMetric]:
    async def work(connection: Connection) -> list[asyncpg.Record]:
        rows: list[asyncpg.Record] = await connection.fetch(_METRICS, service_code)
        return rows

    return [_metric(row) for row in await read_marts(database, work)]


def _metric(row: Any) -> BillableMetric:
    return BillableMetric(
        lago_id=lago_id("metric", row["metric_code"]),
        name=row["metric_name"],
        code=row["metric_code"],
        description=None,
        aggregation_type=AGGREGATION_TYPES.get(row["aggregation"], row["aggregation"]),
        field_name=row["field_name"],
        unit=row["unit"],
        weighted_interval=None,
        recurring=False,
        expression=None,
        rounding_function=None,
        rounding_precision=None,
        created_at=iso_seconds(row["created_at"]),
        active_subscriptions_count=0,
        draft_invoices_count=0,
        plans_count=row["plans"],
        filters=[],
    )


async def _plans(database: Database, service_code: str, company: Company) -> list[Plan]:
    async def work(connection: Connection) -> list[asyncpg.Record]:
        rows: list[asyncpg.Record] = await connection.fetch(_PLANS, service_code)
        return rows

    found = await read_marts(database, work)
    return [_plan(list(rows), company) for _, rows in groupby(found, key=itemgetter("plan_code"))]


def _plan(rows: list[asyncpg.Record], company: Company) -> Plan:
    code = rows[0]["plan_code"]
    created_at = iso_seconds(rows[0]["created_at"])
    return Plan(
        lago_id=lago_id("plan", code),
        name=code,
        invoice_display_name=None,
        created_at=created_at,
        code=code,
        interval=rows[0]["billing_interval"],
        description=None,
        amount_cents=None,
        amount_currency=rows[0]["currency"] or company.currency,
        trial_period=None,
        pay_in_advance=None,
        bill_charges_monthly=None,
        customers_count=0,
        active_subscriptions_count=0,
        draft_invoices_count=0,
        parent_id=None,
        charges=[_charge(row, created_at) for row in rows if row["charge_key"] is not None],
        usage_thresholds=[],
        taxes=[],
    )


def _charge(row: asyncpg.Record, created_at: str) -> PlanCharge:
    return PlanCharge(
        lago_id=lago_id("charge", row["charge_key"]),
        lago_billable_metric_id=lago_id("metric", row["metric_code"]),
        billable_metric_code=row["metric_code"],
        code=code_of_charge(row["plan_code"], row["charge_key"]),
        invoice_display_name=row["charge_name"],
        created_at=created_at,
        charge_model=row["charge_model"],
        pay_in_advance=False,
        invoiceable=True,
        regroup_paid_fees=None,
        prorated=False,
        min_amount_cents=0,
        properties=ChargeProperties(
            amount=format(row["unit_price"], "f"), included=format(row["quantity_included"], "f")
        ),
        filters=[],
        taxes=[],
    )
