"""The x_fc_* fields and models that the platform adds to Odoo. `bootstrap` makes them.

Numbers of the catalogue are text in Odoo: a manual float there is a binary double, and a price of
0.0023 must reach the rating exactly.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Field:
    """One manual field. `selection` holds (value, label) pairs; `relation` a many2one's model."""

    name: str
    label: str
    type: str = "char"
    relation: str | None = None
    selection: tuple[tuple[str, str], ...] = ()
    required: bool = False
    index: bool = False
    help: str = ""


@dataclass(frozen=True)
class Model:
    name: str
    label: str
    fields: tuple[Field, ...]


AGGREGATIONS = (
    ("sum", "Sum"),
    ("count", "Count"),
    ("max", "Maximum"),
    ("last", "Last"),
    ("unique", "Unique count"),
)
CHARGE_MODELS = (("standard", "Standard"),)
BILLING_TIMES = (("calendar", "Calendar"), ("anniversary", "Anniversary"))

NATIVE_FIELDS: dict[str, tuple[Field, ...]] = {
    "sale.order": (
        Field("x_fc_service_code", "Usage: service", index=True),
        Field("x_fc_external_id", "Usage: subscription id in the app", index=True),
        Field("x_fc_external_account_id", "Usage: account id in the app", index=True),
        Field("x_fc_plan_code", "Usage: plan code", index=True),
        Field("x_fc_billing_time", "Usage: billing time", "selection", selection=BILLING_TIMES),
    ),
    "sale.order.line": (
        Field("x_fc_line_key", "Usage: line key", index=True),
        Field("x_fc_period_start", "Usage: period start", "date"),
        Field("x_fc_period_end", "Usage: period end (exclusive)", "date"),
    ),
}

CUSTOM_MODELS: tuple[Model, ...] = (
    Model(
        "x_fc_metric",
        "Usage metric",
        (
            Field("x_name", "Name", required=True),
            Field("x_code", "Code", required=True, index=True),
            Field(
                "x_aggregation", "Aggregation", "selection", selection=AGGREGATIONS, required=True
            ),
            Field(
                "x_field_name", "Property that holds the value", help="Lago events; default: value"
            ),
            Field("x_unit", "Unit", help="As the customer reads it, e.g. hours"),
        ),
    ),
    Model(
        "x_fc_charge",
        "Usage charge",
        (
            Field("x_name", "Name on the invoice", required=True),
            Field("x_code", "Code", required=True, index=True),
            Field("x_plan_code", "Plan code", required=True, index=True),
            Field("x_metric_id", "Metric", "many2one", relation="x_fc_metric", required=True),
            Field(
                "x_charge_model",
                "Pricing model",
                "selection",
                selection=CHARGE_MODELS,
                required=True,
            ),
            Field("x_unit_price", "Unit price", required=True, help="A decimal, e.g. 0.0023"),
            Field("x_included", "Included quantity", help="A decimal; empty is 0"),
            Field("x_currency", "Currency", required=True, help="ISO 4217, e.g. CAD"),
            Field("x_product_id", "Product", "many2one", relation="product.product", required=True),
        ),
    ),
    Model(
        "x_fc_account_link",
        "Usage account link",
        (
            Field("x_name", "Name"),
            Field("x_service_code", "Service", required=True, index=True),
            Field("x_external_account_id", "Account id in the app", required=True, index=True),
            Field("x_partner_id", "Customer", "many2one", relation="res.partner", required=True),
        ),
    ),
)

# Odoo enforces no uniqueness on a manual field by itself; this index does (odoo.md: measured).
UNIQUE_INDEXES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("sale_order_line", ("x_fc_line_key",)),
    ("x_fc_metric", ("x_code",)),
    ("x_fc_charge", ("x_plan_code", "x_code")),
    ("x_fc_account_link", ("x_service_code", "x_external_account_id")),
)
