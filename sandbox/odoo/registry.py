"""All models of the double, and an environment on a store."""

from __future__ import annotations

from datetime import date

from sandbox.odoo import (
    invoicing,
    manual,
    models_account,
    models_base,
    models_product,
    models_sale,
    models_system,
    moves,
    order_lines,
    orders,
    payments,
    pricelists,
    taxes,
    threads,
)
from sandbox.odoo.environment import LOG_FIELDS, Behaviour, Environment
from sandbox.odoo.fields import Field
from sandbox.odoo.seed import seed
from sandbox.odoo.storage import Store

LABELS = {
    "res.partner": "Contact",
    "res.users": "User",
    "res.company": "Companies",
    "res.country": "Country",
    "res.country.state": "Country state",
    "res.currency": "Currency",
    "res.currency.rate": "Currency Rate",
    "product.template": "Product",
    "product.product": "Product Variant",
    "sale.subscription.plan": "Subscription Plan (stub)",
    "sale.order": "Sales Order",
    "sale.order.line": "Sales Order Line",
    "sale.order.template": "Quotation Template",
    "sale.order.template.line": "Quotation Template Line",
    "account.move": "Journal Entry",
    "account.move.line": "Journal Item",
    "account.tax": "Tax",
}

PARTS = (
    models_base,
    models_product,
    pricelists,
    models_system,
    taxes,
    models_sale,
    models_account,
    threads,
)

BEHAVIOURS: dict[str, Behaviour] = {
    **models_base.BEHAVIOURS,
    **models_product.BEHAVIOURS,
    **pricelists.BEHAVIOURS,
    **taxes.BEHAVIOURS,
    **orders.BEHAVIOURS,
    **order_lines.BEHAVIOURS,
    **invoicing.BEHAVIOURS,
    **moves.BEHAVIOURS,
    **payments.BEHAVIOURS,
    **manual.BEHAVIOURS,
}


def environment(store: Store, today: date | None = None) -> Environment:
    """An environment on `store`: seeded when the store is new, as it was left when it is not."""
    models: dict[str, dict[str, Field]] = {}
    for part in PARTS:
        models |= {name: {**LOG_FIELDS, **fields} for name, fields in part.MODELS.items()}
    labels = {name: LABELS.get(name, name) for name in models}
    env = Environment(store, models, labels, BEHAVIOURS, today)
    env.begin({"tracking_disable": True})
    if store.rows("res.company"):
        manual.load(env)
    else:
        with store.transaction():
            seed(env)
            manual.describe(env)
    return env
