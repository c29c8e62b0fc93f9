"""All models of the double, and an environment on a store."""

from __future__ import annotations

from datetime import date

from sandbox.odoo import invoicing, manual, models_account, models_base, models_sale, orders, taxes
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
    "account.move": "Journal Entry",
    "account.move.line": "Journal Item",
    "account.tax": "Tax",
}

BEHAVIOURS: dict[str, Behaviour] = {
    "res.partner": Behaviour(
        order="name, id",
        prepare=models_base.prepare_partner,
        display_name=models_base.partner_name,
    ),
    "res.currency": Behaviour(order="active desc, name"),
    "res.currency.rate": Behaviour(
        order="name desc, id",
        prepare=models_base.prepare_rate,
        created=models_base.check_rates,
    ),
    "res.country": Behaviour(order="name, id"),
    "res.country.state": Behaviour(order="code, id"),
    "product.product": Behaviour(
        order="default_code, name, id",
        prepare=models_base.prepare_product,
        display_name=models_base.product_name,
    ),
    "product.template": Behaviour(
        order="name, id",
        created=models_base.template_created,
        written=models_base.template_written,
    ),
    "account.tax": Behaviour(order="sequence, id"),
    "account.fiscal.position": Behaviour(order="sequence, id"),
    **orders.BEHAVIOURS,
    **invoicing.BEHAVIOURS,
    **manual.BEHAVIOURS,
}


def environment(store: Store, today: date | None = None) -> Environment:
    """An environment on `store`: seeded when the store is new, as it was left when it is not."""
    models: dict[str, dict[str, Field]] = {}
    for part in (
        models_base.PLACES,
        models_base.PRODUCTS,
        models_base.SYSTEM,
        taxes.MODELS,
        models_sale.MODELS,
        models_account.MODELS,
    ):
        models |= {name: {**LOG_FIELDS, **fields} for name, fields in part.items()}
    labels = {name: LABELS.get(name, name) for name in models}
    env = Environment(store, models, labels, BEHAVIOURS, today)
    env.begin({})
    if store.rows("res.company"):
        manual.load(env)
    else:
        with store.transaction():
            seed(env)
            manual.describe(env)
    return env
