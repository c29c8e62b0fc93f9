"""Puts the demo world into Odoo through RPC: what people keep there by hand in real life.

Every record is looked up by its own key first (code, reference, external id), so seeding again, or
after a break, adds only what is missing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from random import Random
from typing import Any, TypeVar

from odoo_gateway.client import OdooClient
from sandbox.catalogue import CURRENCY, ChargeSpec, PlanSpec
from sandbox.companies import Client
from sandbox.model import Subscription, World

BATCH = 50  # orders per call: a call over 120 s would kill Odoo's worker
CALENDAR_PLAN = "Monthly, from the 1st"
ANNIVERSARY_PLAN = "Monthly, from the start date"

Values = Mapping[str, Any]
T = TypeVar("T")


def seed(client: OdooClient, world: World) -> None:
    """Makes metrics, products, charges, plans, customers, links, USD rates and confirmed orders.

    The x_fc_* fields and models must be there (`odoo bootstrap`). Raises OdooTransientError or
    OdooRefusedError.
    """
    metrics = _ensure(
        client,
        "x_fc_metric",
        ("x_code",),
        [
            {
                "x_name": metric.name,
                "x_code": metric.code,
                "x_aggregation": metric.aggregation,
                "x_field_name": metric.field_name or False,
                "x_unit": metric.unit,
            }
            for metric in world.metrics
        ],
    )
    products = _ensure(client, "product.product", ("default_code",), _products(world.plans))
    _ensure(
        client,
        "x_fc_charge",
        ("x_plan_code", "x_code"),
        [
            {
                "x_name": charge.name,
                "x_code": charge.code,
                "x_plan_code": plan.code,
                "x_metric_id": metrics[charge.code,],
                "x_charge_model": "standard",
                "x_unit_price": str(charge.unit_price),
                "x_included": str(charge.included),
                "x_currency": CURRENCY,
                "x_product_id": products[usage_product_code(plan, charge),],
            }
            for plan in world.plans
            for charge in plan.charges
        ],
    )
    partners = _ensure(client, "res.partner", ("ref",), _partners(client, world.clients))
    _ensure(
        client,
        "x_fc_account_link",
        ("x_service_code", "x_external_account_id"),
        [
            {
                "x_name": f"{account.service_code}:{account.external_id}",
                "x_service_code": account.service_code,
                "x_external_account_id": account.external_id,
                "x_partner_id": partners[account.client_code,],
            }
            for account in world.accounts
            if account.linked
        ],
    )
    _seed_rates(client, world)
    orders = _ensure(
        client,
        "sale.order",
        ("x_fc_service_code", "x_fc_external_id"),
        _orders(client, world, partners, products),
    )
    _confirm(client, world, orders)


def base_product_code(plan: PlanSpec) -> str:
    """The internal reference of a plan's recurring base product."""
    return f"{plan.code}/base"


def usage_product_code(plan: PlanSpec, charge: ChargeSpec) -> str:
    """The internal reference of a charge's product: the charge key."""
    return f"{plan.code}/{charge.code}"


def _products(plans: Iterable[PlanSpec]) -> list[Values]:
    """Services. A usage product is invoiced by delivered quantity, at the price on its line, and
    once: a recurring product would be billed again every period."""
    rows: list[Values] = []
    for plan in plans:
        common = {"type": "service", "sale_ok": True}
        rows.append(
            {
                **common,
                "name": plan.name,
                "default_code": base_product_code(plan),
                "invoice_policy": "order",
                "recurring_invoice": True,
                "list_price": float(plan.base_fee),
            }
        )
        rows += [
            {
                **common,
                "name": f"{plan.name}: {charge.name}",
                "default_code": usage_product_code(plan, charge),
                "invoice_policy": "delivery",
                "recurring_invoice": False,
                "list_price": 0.0,
            }
            for charge in plan.charges
        ]
    return rows


def _partners(client: OdooClient, companies: Iterable[Client]) -> list[Values]:
    countries = {
        record["code"]: record["id"]
        for record in client.search_read(
            "res.country", [("code", "in", ["CA", "US"])], ["id", "code"]
        )
    }
    states = {
        (record["country_id"], record["code"]): record["id"]
        for record in client.search_read(
            "res.country.state",
            [("country_id", "in", sorted(countries.values()))],
            ["id", "code", "country_id"],
        )
    }
    return [
        {
            "ref": company.code,
            "name": company.name,
            "is_company": True,
            "street": company.street,
            "city": company.city,
            "zip": company.postal_code,
            "country_id": countries[company.country],
            "state_id": states[countries[company.country], company.province],
            "email": company.email,
        }
        for company in companies
    ]


def _seed_rates(client: OdooClient, world: World) -> None:
    """USD per CAD on every business day, about 0.73 as in 2026, from ten days before the world."""
    (dollar,) = client.search_read("res.currency", [("name", "=", "USD")], ["id", "active"])
    if not dollar["active"]:
        client.write("res.currency", [dollar["id"]], {"active": True})
    rng = Random(f"fusion:{world.seed}:{world.first}:rates")
    rates: list[Values] = []
    ten_thousandths = 7_300
    day = world.first - timedelta(days=10)
    while day <= world.demo_date:
        if day.weekday() < 5:
            ten_thousandths = min(7_420, max(7_180, ten_thousandths + rng.randint(-22, 22)))
            rates.append(
                {
                    "name": day.isoformat(),
                    "currency_id": dollar["id"],
                    "rate": ten_thousandths / 10_000,
                }
            )
        day += timedelta(days=1)
    _ensure(client, "res.currency.rate", ("currency_id", "name"), rates)


def _plan_ids(client: OdooClient) -> dict[str, int]:
    """One recurrence per billing time. Enterprise aligns invoices to the 1st with
    `billing_first_day`; where that field is missing, next_invoice_date alone does it."""
    aligns = "billing_first_day" in client.fields_get("sale.subscription.plan")
    rows: list[Values] = [
        {
            "name": name,
            "billing_period_value": 1,
            "billing_period_unit": "month",
            **({"billing_first_day": name == CALENDAR_PLAN} if aligns else {}),
        }
        for name in (CALENDAR_PLAN, ANNIVERSARY_PLAN)
    ]
    ids = _ensure(client, "sale.subscription.plan", ("name",), rows)
    return {"calendar": ids[CALENDAR_PLAN,], "anniversary": ids[ANNIVERSARY_PLAN,]}


def _orders(
    client: OdooClient,
    world: World,
    partners: Mapping[tuple[Any, ...], int],
    products: Mapping[tuple[Any, ...], int],
) -> list[Values]:
    plan_ids = _plan_ids(client)
    plans = {plan.code: plan for plan in world.plans}
    return [
        {
            "partner_id": partners[sub.client_code,],
            "plan_id": plan_ids[sub.billing_time],
            "start_date": sub.start_date.isoformat(),
            "next_invoice_date": sub.next_invoice_date.isoformat(),
            "end_date": _day(sub.end_date),
            "client_order_ref": sub.external_id,
            "x_fc_service_code": sub.service_code,
            "x_fc_external_id": sub.external_id,
            "x_fc_external_account_id": sub.external_account_id,
            "x_fc_plan_code": sub.plan_code,
            "x_fc_billing_time": sub.billing_time,
            "order_line": [
                (
                    0,
                    0,
                    {
                        "product_id": products[base_product_code(plans[sub.plan_code]),],
                        "product_uom_qty": 1,
                        "price_unit": float(plans[sub.plan_code].base_fee),
                    },
                )
            ],
        }
        for sub in world.subscriptions
    ]


def _confirm(client: OdooClient, world: World, orders: Mapping[tuple[Any, ...], int]) -> None:
    """Confirms what is still a quotation, then puts back the dates that confirming set to today."""
    ours = sorted(orders.values())
    drafts = client.search_read(
        "sale.order", [("id", "in", ours), ("state", "in", ["draft", "sent"])], ["id"]
    )
    fresh = [record["id"] for record in drafts]
    for batch in _batches(fresh):
        client.call("sale.order", "action_confirm", batch)
    subscription_of: dict[int, Subscription] = {
        orders[sub.service_code, sub.external_id]: sub for sub in world.subscriptions
    }
    confirmed = client.search_read(
        "sale.order",
        [("id", "in", fresh)],
        ["id", "start_date", "next_invoice_date", "end_date"],
    )
    for record in confirmed:
        sub = subscription_of[record["id"]]
        wanted = {
            "start_date": _day(sub.start_date),
            "next_invoice_date": _day(sub.next_invoice_date),
            "end_date": _day(sub.end_date),
        }
        wrong = {name: value for name, value in wanted.items() if record[name] != value}
        if wrong:
            client.write("sale.order", [record["id"]], wrong)


def _day(day: date | None) -> str | bool:
    return False if day is None else day.isoformat()


def _ensure(
    client: OdooClient, model: str, keys: tuple[str, ...], rows: Sequence[Values]
) -> dict[tuple[Any, ...], int]:
    """Ids by key, of records found or created now."""
    wanted = sorted({row[keys[-1]] for row in rows})
    found = client.search_read(model, [(keys[-1], "in", wanted)], ["id", *keys])
    ids = {tuple(record[key] for key in keys): int(record["id"]) for record in found}
    missing = [row for row in rows if tuple(row[key] for key in keys) not in ids]
    for batch in _batches(missing):
        for row, number in zip(batch, client.create(model, batch), strict=True):
            ids[tuple(row[key] for key in keys)] = number
    return ids


def _batches(rows: Sequence[T]) -> Iterable[Sequence[T]]:
    return (rows[start : start + BATCH] for start in range(0, len(rows), BATCH))
