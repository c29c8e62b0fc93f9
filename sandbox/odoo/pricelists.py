"""Price lists: the price and the discount that an order line takes from one.

As seen on Odoo 19: a percentage rule lowers the price, unless the feature "Discounts" is on: then
the line keeps the full price and takes the percentage as its discount, even where the client gave a
price of its own. Rules by formula and fixed prices never make a discount.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from sandbox.odoo.environment import Behaviour
from sandbox.odoo.fields import Field, Row, exact
from sandbox.odoo.models_base import ACTIVE, many2one, selection

if TYPE_CHECKING:
    from sandbox.odoo.environment import Environment

ITEM = "product.pricelist.item"
MODELS: dict[str, dict[str, Field]] = {
    "product.pricelist": {
        "name": Field(label="Pricelist Name", required=True),
        "currency_id": many2one("res.currency", "Currency", required=True, default=1),
        "sequence": Field("integer", "Sequence", default=16),
        "active": ACTIVE,
        "item_ids": Field("one2many", "Pricelist Rules", relation=ITEM, inverse="pricelist_id"),
    },
    ITEM: {
        "pricelist_id": many2one(
            "product.pricelist", "Pricelist", required=True, on_delete="cascade"
        ),
        "applied_on": selection(
            "Apply On", "3_global", "1_product", required=True, default="3_global"
        ),
        "product_tmpl_id": many2one("product.template", "Product"),
        "compute_price": selection(
            "Price Type", "fixed", "percentage", "formula", required=True, default="fixed"
        ),
        "fixed_price": Field("float", "Fixed Price"),
        "percent_price": Field("float", "Percentage Price"),
        "price_discount": Field("float", "Price Discount"),
        "price_surcharge": Field("float", "Extra Fee"),
    },
}
BEHAVIOURS = {ITEM: Behaviour(order="applied_on, id desc")}


def line_price(env: Environment, line: Row) -> float:
    """What the line costs where the client gives no price."""
    listed = exact(env.value("product.product", line["product_id"], "list_price"))
    rule = _rule(env, line)
    if rule is None or (rule["compute_price"] == "percentage" and shows_discounts(env)):
        return float(listed)
    return float(_price(rule, listed))


def line_discount(env: Environment, line: Row) -> float:
    """In percent: of a percentage off a price that is not 0, while the feature is on."""
    rule = _rule(env, line)
    if rule is None or rule["compute_price"] != "percentage" or not shows_discounts(env):
        return 0.0
    listed = exact(env.value("product.product", line["product_id"], "list_price"))
    if not listed:
        return 0.0
    return float((listed - _price(rule, listed)) / listed * 100)


def shows_discounts(env: Environment) -> bool:
    """The setting "Discounts": every internal user is in its group."""
    discounts = _group(env, "sale", "group_discount_per_so_line")
    everyone = _group(env, "base", "group_user")
    return discounts in env.value("res.groups", everyone, "implied_ids")


def _group(env: Environment, module: str, name: str) -> int:
    found = env.search("ir.model.data", [("module", "=", module), ("name", "=", name)])
    return int(env.row("ir.model.data", found[0])["res_id"]) if found else 0


def _rule(env: Environment, line: Row) -> Row | None:
    pricelist = env.value("sale.order", line["order_id"], "pricelist_id")
    template = env.value("product.product", line["product_id"], "product_tmpl_id")
    rules = [env.row(ITEM, number) for number in env.referring(ITEM, "pricelist_id", pricelist)]
    rules.sort(key=lambda rule: (rule["applied_on"], -rule["id"]))
    for rule in rules:
        if rule["applied_on"] == "3_global" or rule.get("product_tmpl_id") == template:
            return rule
    return None


def _price(rule: Row, listed: Decimal) -> Decimal:
    match rule["compute_price"]:
        case "fixed":
            return exact(rule.get("fixed_price", 0.0))
        case "percentage":
            return listed * (1 - exact(rule.get("percent_price", 0.0)) / 100)
        case _:
            kept = 1 - exact(rule.get("price_discount", 0.0)) / 100
            return listed * kept + exact(rule.get("price_surcharge", 0.0))
