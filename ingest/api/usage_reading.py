"""GET /customers/{id}/current_usage and /past_usage: what a customer used, as Lago tells it."""

from __future__ import annotations

from datetime import date, datetime
from itertools import groupby
from operator import itemgetter
from typing import Annotated, Any, NamedTuple
from zoneinfo import ZoneInfo

import asyncpg
from litestar import get
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import Parameter

from ingest.api.auth import ServiceRequest
from ingest.api.database import Connection, Database
from ingest.api.marts import Company, lago_id, read_marts
from ingest.api.problems import (
    INVALID,
    MANDATORY,
    RESPONSES,
    ErrorBody,
    ProblemError,
    invalid,
    not_found,
)
from ingest.api.reading import page_meta, selection
from ingest.api.usage_answers import (
    ChargeUsage,
    CustomerUsage,
    CustomerUsageAnswer,
    UsagePeriodsPage,
    charge_usage,
    code_of_charge,
    customer_usage,
)
from ingest.api.usage_queries import (
    ACTIVE_PERIOD,
    CHARGES_BILLED,
    CHARGES_USED,
    CUSTOMER,
    METRIC,
)

_NO_SUBSCRIPTION = ResponseSpec(
    ErrorBody, description="`no_active_subscription`.", generate_examples=False
)

_Wanted = Annotated[str | None, Parameter(required=False, description="The app's subscription id.")]
_Metric = Annotated[str | None, Parameter(required=False, description="A metric's code.")]
_Charge = Annotated[str | None, Parameter(required=False, description="A charge's code.")]
_Taxes = Annotated[
    str | None, Parameter(required=False, description="Accepted; taxes are Odoo's and always 0.")
]
_Count = Annotated[str | None, Parameter(required=False, description="A whole number from 1.")]


class Wanted(NamedTuple):
    """Whose usage: ids in the app's words, and the charges and metrics to keep (None: all)."""

    external_customer_id: str
    external_subscription_id: str
    charge_code: str | None = None
    metric_code: str | None = None


@get(
    "/customers/{external_customer_id:str}/current_usage",
    responses={**RESPONSES, 405: _NO_SUBSCRIPTION},
    summary="Read a subscription's usage of its current period",
)
async def get_current_usage(
    external_customer_id: str,
    request: ServiceRequest,
    database: Database,
    company: Company,
    external_subscription_id: _Wanted = None,
    apply_taxes: _Taxes = None,
    filter_by_charge_code: _Charge = None,
    filter_by_metric_code: _Metric = None,
    charge_code: _Charge = None,
    billable_metric_code: _Metric = None,
) -> CustomerUsageAnswer:
    """The period of today, folded from every counter committed so far.

    404 `customer_not_found`, 405 `no_active_subscription`, 404 `charge_not_found`.
    """
    wanted = Wanted(
        external_customer_id,
        external_subscription_id or "",
        filter_by_charge_code or charge_code or None,
        filter_by_metric_code or billable_metric_code or None,
    )
    today = datetime.now(ZoneInfo(company.timezone)).date()
    return CustomerUsageAnswer(await current_usage(database, request.auth, wanted, company, today))


@get(
    "/customers/{external_customer_id:str}/past_usage",
    responses=RESPONSES,
    summary="Read a subscription's billed periods",
)
async def get_past_usage(
    external_customer_id: str,
    request: ServiceRequest,
    database: Database,
    company: Company,
    external_subscription_id: _Wanted = None,
    billable_metric_code: _Metric = None,
    periods_count: _Count = None,
    page: _Count = None,
    per_page: _Count = None,
) -> UsagePeriodsPage:
    """What the ledger billed, the newest period first.

    404 `customer_not_found`, 404 `billable_metric_not_found`, 422 without a subscription.
    """
    if not external_subscription_id:
        raise invalid({"external_subscription_id": [MANDATORY]})
    pages = selection({"page": page, "per_page": per_page})
    newest = _periods(periods_count)
    wanted = Wanted(
        external_customer_id, external_subscription_id, None, billable_metric_code or None
    )
    periods = await past_usage(database, request.auth, wanted, company)
    periods = periods[:newest]
    first = (pages.page - 1) * pages.per_page
    return UsagePeriodsPage(
        periods[first : first + pages.per_page],
        page_meta(len(periods), pages.page, pages.per_page),
    )


def _periods(text: str | None) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and int(text[:12]) > 0):
        raise invalid({"periods_count": [INVALID]})
    return int(text[:12])


async def current_usage(
    database: Database, service_code: str, wanted: Wanted, company: Company, day: date
) -> CustomerUsage:
    """The usage of the period that holds the company's `day`. Raises ProblemError 404, 405, 503."""
    _require_storable(wanted)

    async def work(connection: Connection) -> tuple[Any, list[asyncpg.Record]] | ProblemError:
        if not await connection.fetchval(CUSTOMER, service_code, wanted.external_customer_id):
            return not_found("customer")
        period = await connection.fetchrow(
            ACTIVE_PERIOD,
            service_code,
            wanted.external_customer_id,
            wanted.external_subscription_id,
            day,
            company.timezone,
        )
        if period is None:
            return ProblemError(405, code="no_active_subscription")
        rows = await connection.fetch(
            CHARGES_USED,
            service_code,
            wanted.external_subscription_id,
            period["plan_code"],
            period["starts_at"],
            period["ends_at"],
            company.timezone,
            period["period_start"],
        )
        return period, rows

    found = await read_marts(database, work)
    if isinstance(found, ProblemError):
        raise found
    period, rows = found
    plan_code = period["plan_code"]
    kept = [row for row in rows if _keeps(wanted, plan_code, row)]
    if not kept and (wanted.charge_code or wanted.metric_code):
        raise not_found("charge")
    return customer_usage(
        period["starts_at"],
        period["ends_at"],
        period["period_end"],
        [charge_usage(plan_code, row, row["amount_precise"]) for row in kept],
        currency=company.currency,
    )


async def past_usage(
    database: Database, service_code: str, wanted: Wanted, company: Company
) -> list[CustomerUsage]:
    """Every period of which the ledger billed a line, the newest first. Raises ProblemError."""
    _require_storable(wanted)

    async def work(connection: Connection) -> list[asyncpg.Record] | ProblemError:
        if not await connection.fetchval(CUSTOMER, service_code, wanted.external_customer_id):
            return not_found("customer")
        metric = wanted.metric_code
        if metric and not await connection.fetchval(METRIC, service_code, metric):
            return not_found("billable_metric")
        rows: list[asyncpg.Record] = await connection.fetch(
            CHARGES_BILLED,
            service_code,
            f"{service_code}:{wanted.external_customer_id}",
            f"{service_code}:{wanted.external_subscription_id}",
            company.timezone,
            metric,
        )
        return rows

    found = await read_marts(database, work)
    if isinstance(found, ProblemError):
        raise found
    return [
        _billed_period(list(rows), company)
        for _, rows in groupby(found, key=itemgetter("period_start"))
    ]


def _billed_period(rows: list[asyncpg.Record], company: Company) -> CustomerUsage:
    last = max(rows, key=itemgetter("period_end"))
    invoice = last["period_invoice_id"]
    return customer_usage(
        last["starts_at"],
        last["ends_at"],
        last["period_end"],
        [_billed_charge(row) for row in rows],
        currency=company.currency,
        lago_invoice_id=None if invoice is None else lago_id("invoice", str(invoice)),
    )


def _billed_charge(row: asyncpg.Record) -> ChargeUsage:
    return charge_usage(row["plan_code"], row, row["amount"])


def _keeps(wanted: Wanted, plan_code: str, row: asyncpg.Record) -> bool:
    code = code_of_charge(plan_code, row["charge_key"])
    return wanted.charge_code in (None, code) and wanted.metric_code in (None, row["metric_code"])


def _require_storable(wanted: Wanted) -> None:
    """PostgreSQL's text holds no NUL: nothing of ours can be called so."""
    if "\0" in wanted.external_customer_id:
        raise not_found("customer")
    for name, value in wanted._asdict().items():
        if "\0" in (value or ""):
            raise invalid({name: [INVALID]})
