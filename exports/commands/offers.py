"""What a plan code sells in Odoo: the lines of a new subscription, and how often it recurs.

The lines are those of the quotation template whose name is the plan code; without one, one of the
product whose internal reference is `<plan code>/base`. Usage is no line: the push adds it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from exports.commands.outcomes import AGAIN, CannotApplyError
from odoo_gateway.client import OdooClient, Record
from odoo_gateway.errors import OdooRefusedError

TEMPLATE, PLAN, ORDER = "sale.order.template", "sale.subscription.plan", "sale.order"
_A_YEAR = {"week": Decimal(52), "month": Decimal(12), "year": Decimal(1)}


@dataclass(frozen=True)
class Recurrence:
    """A sale.subscription.plan: every `value` units."""

    plan_id: int
    value: int
    unit: str


@dataclass(frozen=True)
class Offer:
    """`lines` are values of order lines; `price` is their list price a period, before discounts.
    `recurrence` is None where Odoo has no subscription plans."""

    lines: tuple[Record, ...]
    price: Decimal
    recurrence: Recurrence | None

    @property
    def price_a_year(self) -> Decimal:
        if self.recurrence is None:
            return self.price
        return self.price * _A_YEAR[self.recurrence.unit] / max(self.recurrence.value, 1)


def offer_of(client: OdooClient, plan_code: str, billing_time: str) -> Offer:
    """What a subscription to the plan consists of. Raises CannotApplyError for a plan code that
    Odoo does not know, or whose recurrence nothing there tells."""
    template = _template(client, plan_code)
    lines = _template_lines(client, template) if template else _base_lines(client, plan_code)
    if not lines and not template and not _is_charged(client, plan_code):
        raise CannotApplyError(
            f"Odoo knows no plan {plan_code!r}: make a quotation template of that name, or a"
            f" product with the internal reference {plan_code}/base, {AGAIN}"
        )
    return Offer(
        tuple(lines), _price(client, lines), _recurrence(client, template, plan_code, billing_time)
    )


def _template(client: OdooClient, plan_code: str) -> Record | None:
    try:
        known = client.fields_get(TEMPLATE)
    except OdooRefusedError:  # the app for quotation templates is not installed, or not ours
        return None
    fields = ["name", *(("plan_id",) if "plan_id" in known else ())]
    found = client.search_read(TEMPLATE, [("name", "=", plan_code), ("active", "=", True)], fields)
    if len(found) > 1:
        named = ", ".join(str(each["id"]) for each in found)
        raise CannotApplyError(
            f"quotation templates {named} are all called {plan_code!r}: archive all but one,"
            f" {AGAIN}"
        )
    return found[0] if found else None


def _template_lines(client: OdooClient, template: Record) -> list[Record]:
    rows = client.search_read(
        f"{TEMPLATE}.line",
        [
            ("sale_order_template_id", "=", template["id"]),
            ("display_type", "=", False),
            ("is_optional", "=", False),
        ],
        ["product_id", "product_uom_qty"],
        order="sequence, id",
    )
    return [
        {"product_id": row["product_id"], "product_uom_qty": row["product_uom_qty"]} for row in rows
    ]


def _base_lines(client: OdooClient, plan_code: str) -> list[Record]:
    rows = client.search_read(
        "product.product",
        [("default_code", "=", f"{plan_code}/base"), ("active", "=", True)],
        ["id"],
    )
    if len(rows) > 1:
        raise CannotApplyError(
            f"{len(rows)} products have the internal reference {plan_code}/base: leave it to one,"
            f" {AGAIN}"
        )
    return [{"product_id": row["id"], "product_uom_qty": 1} for row in rows]


def _is_charged(client: OdooClient, plan_code: str) -> bool:
    found = client.search_read("x_fc_charge", [("x_plan_code", "=", plan_code)], ["id"], limit=1)
    return bool(found)


def _price(client: OdooClient, lines: Sequence[Record]) -> Decimal:
    products = sorted({line["product_id"] for line in lines})
    if not products:
        return Decimal(0)
    rows = client.search_read("product.product", [("id", "in", products)], ["list_price"])
    prices = {row["id"]: Decimal(str(row["list_price"])) for row in rows}
    return sum(
        (prices[line["product_id"]] * Decimal(str(line["product_uom_qty"])) for line in lines),
        Decimal(0),
    )


def _recurrence(
    client: OdooClient, template: Record | None, plan_code: str, billing_time: str
) -> Recurrence | None:
    """The template's; else that of every running subscription to the plan with this billing time;
    else the only one that Odoo has."""
    try:
        plans = client.search_read(
            PLAN, [("active", "=", True)], ["name", "billing_period_value", "billing_period_unit"]
        )
    except OdooRefusedError:  # Community, without subscriptions
        return None
    by_id = {plan["id"]: plan for plan in plans}
    chosen = template and template.get("plan_id")
    if not chosen:
        orders = client.search_read(
            ORDER,
            [
                ("x_fc_plan_code", "=", plan_code),
                ("x_fc_billing_time", "=", billing_time),
                ("state", "=", "sale"),
                ("plan_id", "in", sorted(by_id)),
            ],
            ["plan_id"],
        )
        used = {order["plan_id"] for order in orders}
        candidates = used or set(by_id)
        if len(candidates) != 1:
            raise CannotApplyError(
                f"nothing in Odoo tells which recurring plan {plan_code!r} ({billing_time}) has:"
                f" there are {', '.join(sorted(str(by_id[each]['name']) for each in candidates))}."
                " Make the first such subscription there by hand, or name the recurring plan on"
                f" the quotation template {plan_code!r}, {AGAIN}"
                if candidates
                else f"Odoo has no recurring plan: make one (Subscriptions, Configuration), {AGAIN}"
            )
        (chosen,) = candidates
    plan = by_id.get(chosen)
    if plan is None:
        raise CannotApplyError(
            f"the recurring plan of the quotation template {plan_code!r} is archived: choose"
            f" another, {AGAIN}"
        )
    return Recurrence(
        int(chosen), int(plan["billing_period_value"]), str(plan["billing_period_unit"])
    )
