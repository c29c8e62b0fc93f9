"""What travels about subscriptions: Lago's fields, and what became of it in Odoo."""

from __future__ import annotations

from typing import Annotated, Any

from litestar.openapi.spec import Schema
from msgspec import Meta, Struct

from ingest.api.asked import Asked, is_before
from ingest.api.customer_bodies import Choice, FreeObject, Text
from ingest.api.fusion import SubscriptionFusion
from ingest.api.payloads import Identifier, PageMeta
from ingest.api.problems import INVALID, ProblemError

BILLING_TIMES = ("calendar", "anniversary")
STATUSES = ("pending", "active", "terminated", "canceled")

PlanCode = Annotated[
    Any,
    Meta(
        extra_json_schema={
            "description": "The shared plan code, 1 to 255 characters.",
            "extra": {"any_of": [Schema(type="string")]},
        }
    ),
]
Moment = Annotated[
    Any,
    Meta(
        extra_json_schema={
            "description": "ISO-8601: a date, or a date-time (UTC without an offset).",
            "extra": {"any_of": [Schema(type="string"), Schema(type="null")]},
        }
    ),
]


class SubscriptionInput(Struct):
    """A subscription as an app asks for it; the same id on another plan is a change of plan."""

    external_customer_id: Identifier = None
    plan_code: PlanCode = None
    external_id: Identifier = None
    name: Text = None
    billing_time: Choice = None
    subscription_at: Moment = None
    ending_at: Moment = None
    plan_overrides: FreeObject = None


class SubscriptionRequest(Struct):
    """One subscription under its root key."""

    subscription: SubscriptionInput | None = None


REQUIRED = {
    "SubscriptionInput": ["external_customer_id", "plan_code", "external_id"],
    "SubscriptionRequest": ["subscription"],
}


def asked_of_subscription(sent: SubscriptionInput) -> dict[str, Any]:
    """The given fields in their one spelling. Raises ProblemError 422 with all that is wrong;
    403 for prices of its own: those are kept in Odoo, and dropping them would bill wrongly."""
    asked = Asked()
    asked.identifier("external_customer_id", sent.external_customer_id)
    asked.code("plan_code", sent.plan_code)
    asked.identifier("external_id", sent.external_id)
    asked.text("name", sent.name)
    asked.choice("billing_time", sent.billing_time, BILLING_TIMES)
    asked.moment("subscription_at", sent.subscription_at)
    asked.moment("ending_at", sent.ending_at)
    asked.free("plan_overrides", sent.plan_overrides, dict)
    begins, ends = (asked.values.get(name) for name in ("subscription_at", "ending_at"))
    if begins and ends and is_before(ends, begins):
        asked.errors["ending_at"] = [INVALID]
    values = asked.checked()
    if values.pop("plan_overrides", None):
        raise ProblemError(403, code="feature_unavailable")
    return values


def asked_of_termination(
    status: str | None, credit_note: str | None, invoice: str | None
) -> dict[str, Any]:
    """The given options. Raises ProblemError 422 for unknown words; 403 for what Odoo decides
    alone: final usage is always invoiced, credit notes are made there."""
    asked = Asked()
    asked.choice("status", status, ("pending", "active"))
    asked.choice("on_termination_credit_note", credit_note, ("skip", "credit", "refund", "offset"))
    asked.choice("on_termination_invoice", invoice, ("generate", "skip"))
    values = asked.checked()
    wanted = (values.get("on_termination_credit_note"), values.get("on_termination_invoice"))
    if wanted[0] not in (None, "skip") or wanted[1] not in (None, "generate"):
        raise ProblemError(403, code="feature_unavailable")
    return values


class Subscription(Struct):
    """Lago's subscription; null where no such thing is kept. Fees of a plan are Odoo's."""

    lago_id: str
    external_id: str
    lago_customer_id: str
    external_customer_id: str
    billing_time: str
    name: str | None
    plan_code: str
    plan_amount_cents: None
    plan_amount_currency: str
    status: str
    created_at: str
    subscription_at: str
    started_at: str | None
    ending_at: str | None
    terminated_at: str | None
    canceled_at: str | None
    trial_ended_at: None
    previous_plan_code: str | None
    next_plan_code: str | None
    downgrade_plan_date: str | None
    current_billing_period_started_at: None
    current_billing_period_ending_at: None
    on_termination_credit_note: str | None
    on_termination_invoice: str | None
    fusion: SubscriptionFusion


class SubscriptionAnswer(Struct):
    subscription: Subscription


class SubscriptionsPage(Struct):
    subscriptions: list[Subscription]
    meta: PageMeta
