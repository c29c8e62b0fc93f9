"""Lago's subscriptions: POST, GET /subscriptions; GET, DELETE /subscriptions/{external_id}."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Annotated, Any

import asyncpg
import msgspec
from litestar import delete, get, post
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import Parameter, QueryParameter

from ingest.api.auth import ServiceRequest
from ingest.api.body import json_only
from ingest.api.commands import record_subscription, record_termination
from ingest.api.database import Connection, Database
from ingest.api.exact import iso_milliseconds, iso_seconds
from ingest.api.fusion import OdooOrder, SubscriptionFusion, odoo_id, odoo_text, told_of
from ingest.api.lifecycle_queries import one_subscription, subscriptions
from ingest.api.marts import Company, lago_id
from ingest.api.payloads import ExactJson
from ingest.api.problems import (
    INVALID,
    RESPONSES,
    Details,
    ErrorBody,
    invalid,
    not_found,
    parameter_missing,
)
from ingest.api.reading import page_meta, selection
from ingest.api.subscription_bodies import (
    STATUSES,
    Subscription,
    SubscriptionAnswer,
    SubscriptionInput,
    SubscriptionRequest,
    SubscriptionsPage,
    asked_of_subscription,
    asked_of_termination,
)

_FORBIDDEN = ResponseSpec(
    ErrorBody, description="`feature_unavailable`: Odoo decides that.", generate_examples=False
)
_WITH_403 = {**RESPONSES, 403: _FORBIDDEN}
_Count = Annotated[
    str | None,
    Parameter(required=False, description="A whole number from 1; per_page to 1000."),
]
_Status = Annotated[
    str | None,
    Parameter(required=False, description="pending, active (default), terminated, canceled."),
]
_Statuses = Annotated[
    list[str] | None,
    QueryParameter(name="status[]", required=False, description="Default: active."),
]
_Text = Annotated[str | None, Parameter(required=False)]
_NOTHING = SubscriptionInput()
_ORDER = "order by created_at desc, external_id"


@post(
    "/subscriptions",
    status_code=200,
    dto=ExactJson[SubscriptionRequest],
    return_dto=None,
    guards=[json_only],
    responses=_WITH_403,
    summary="Create a subscription, or change its plan",
)
async def post_subscription(
    data: SubscriptionRequest, request: ServiceRequest, database: Database, company: Company
) -> SubscriptionAnswer:
    """Records what is asked; `fusion.state` tells later what became of it in Odoo."""
    if data.subscription is None or data.subscription == _NOTHING:
        raise parameter_missing("subscription")
    values = asked_of_subscription(data.subscription)
    await record_subscription(database, request.auth, values)
    return await _find(database, request.auth, values["external_id"], company)


@get("/subscriptions/{external_id:str}", responses=RESPONSES, summary="Read one subscription")
async def get_subscription(
    external_id: str,
    request: ServiceRequest,
    database: Database,
    company: Company,
    status: _Status = None,
) -> SubscriptionAnswer:
    """As Lago: one that is active, unless another status is asked for; else 404."""
    wanted = _statuses("status", [status] if status else None)
    answer = await _find(database, request.auth, external_id, company)
    if answer.subscription.status not in wanted:
        raise not_found("subscription")
    return answer


@delete(
    "/subscriptions/{external_id:str}",
    status_code=200,
    responses=_WITH_403,
    summary="Terminate a subscription",
)
async def delete_subscription(
    external_id: str,
    request: ServiceRequest,
    database: Database,
    company: Company,
    status: _Status = None,
    on_termination_credit_note: _Text = None,
    on_termination_invoice: _Text = None,
) -> SubscriptionAnswer:
    """Today is its last day; one that has not begun is cancelled. A repeat changes nothing."""
    values = asked_of_termination(status, on_termination_credit_note, on_termination_invoice)
    await record_termination(database, request.auth, external_id, values, company.timezone)
    return await _find(database, request.auth, external_id, company)


@get("/subscriptions", responses=RESPONSES, summary="List subscriptions")
async def get_subscriptions(
    request: ServiceRequest,
    database: Database,
    company: Company,
    external_customer_id: _Text = None,
    plan_code: _Text = None,
    status_list: _Statuses = None,
    status: _Status = None,
    page: _Count = None,
    per_page: _Count = None,
) -> SubscriptionsPage:
    """The service's subscriptions, the newest first; the active ones unless told otherwise."""
    filters = {"external_customer_id": external_customer_id, "plan_code": plan_code}
    bad: Details = {name: [INVALID] for name, value in filters.items() if "\x00" in (value or "")}
    if bad:
        raise invalid(bad)
    chosen = selection({"page": page, "per_page": per_page})
    wanted = _statuses("status", [*(status_list or []), *([status] if status else [])] or None)
    conditions = ["status = any($3)"]
    arguments: list[object] = [request.auth, company.timezone, wanted]
    for column, value in filters.items():
        if value:
            arguments.append(value)
            conditions.append(f"{column} = ${len(arguments)}")
    where = "where " + " and ".join(conditions)  # fixed fragments: values travel as arguments
    offset = (chosen.page - 1) * chosen.per_page
    count = subscriptions("count(*)", where)
    one_page = subscriptions("*", f"{where} {_ORDER} limit {chosen.per_page} offset {offset}")

    async def work(connection: Connection) -> tuple[int, list[asyncpg.Record]]:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            total = await connection.fetchval(count, *arguments)
            rows = await connection.fetch(one_page, *arguments)
        return total, rows

    total, rows = await database.run(work)
    return SubscriptionsPage(
        [_subscription(request.auth, row, company) for row in rows],
        page_meta(total, chosen.page, chosen.per_page),
    )


def _statuses(name: str, given: list[str] | None) -> list[str]:
    wanted = given or ["active"]
    if not set(wanted) <= set(STATUSES):
        raise invalid({name: [INVALID]})
    return wanted


async def _find(
    database: Database, service_code: str, external_id: str, company: Company
) -> SubscriptionAnswer:
    if "\x00" in external_id:
        raise not_found("subscription")

    async def work(connection: Connection) -> asyncpg.Record | None:
        return await connection.fetchrow(
            one_subscription(), service_code, company.timezone, external_id
        )

    row = await database.run(work)
    if row is None:
        raise not_found("subscription")
    return SubscriptionAnswer(_subscription(service_code, row, company))


def _subscription(service_code: str, row: asyncpg.Record, company: Company) -> Subscription:
    asked: dict[str, Any] = msgspec.json.decode(row["payload"]) if row["payload"] else {}
    order: dict[str, Any] = msgspec.json.decode(row["order_record"]) if row["order_record"] else {}
    ended = msgspec.json.decode(row["newest_payload"]) if row["kind"] == "termination" else {}
    status = row["status"]
    ends_at = row["ends_at"]
    over = row["received_at"] if row["kind"] == "termination" else ends_at
    return Subscription(
        lago_id=lago_id("subscription", service_code, row["external_id"]),
        external_id=row["external_id"],
        lago_customer_id=lago_id("customer", service_code, row["external_customer_id"]),
        external_customer_id=row["external_customer_id"],
        billing_time=(
            asked.get("billing_time") or odoo_text(order, "x_fc_billing_time") or "calendar"
        ),
        name=asked.get("name") or odoo_text(order, "client_order_ref"),
        plan_code=row["plan_code"],
        plan_amount_cents=None,
        plan_amount_currency=company.currency,
        status=status,
        created_at=iso_seconds(row["created_at"]),
        subscription_at=iso_seconds(row["starts_at"]),
        started_at=(
            iso_milliseconds(row["starts_at"]) if status in ("active", "terminated") else None
        ),
        ending_at=_seconds(ends_at),
        terminated_at=_seconds(over) if status == "terminated" else None,
        canceled_at=_seconds(over) if status == "canceled" else None,
        trial_ended_at=None,
        previous_plan_code=row["previous_plan_code"],
        next_plan_code=row["following_plan_code"],
        downgrade_plan_date=_day(row["following_start"]),
        current_billing_period_started_at=None,
        current_billing_period_ending_at=None,
        on_termination_credit_note=ended.get("on_termination_credit_note"),
        on_termination_invoice=ended.get("on_termination_invoice"),
        fusion=SubscriptionFusion(**told_of(row), odoo=_order(row, order)),
    )


def _order(row: asyncpg.Record, order: Mapping[str, Any]) -> OdooOrder | None:
    if row["order_id"] is None:
        return None
    return OdooOrder(
        order_id=row["order_id"],
        name=odoo_text(order, "name"),
        state=odoo_text(order, "state"),
        subscription_state=odoo_text(order, "subscription_state"),
        partner_id=odoo_id(order, "partner_id"),
        plan_code=odoo_text(order, "x_fc_plan_code"),
        start_date=_day(row["start_date"]),
        end_date=_day(row["end_date"]),
        next_invoice_date=odoo_text(order, "next_invoice_date"),
        mirrored_at=iso_seconds(row["mirrored_at"]),
    )


def _seconds(moment: datetime | None) -> str | None:
    return None if moment is None else iso_seconds(moment)


def _day(day: date | None) -> str | None:
    return None if day is None else day.isoformat()
