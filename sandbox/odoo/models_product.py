"""Products and their variants."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox.odoo.environment import Behaviour
from sandbox.odoo.fields import Field, Row
from sandbox.odoo.models_base import ACTIVE, behind, many2many, many2one, selection

if TYPE_CHECKING:
    from sandbox.odoo.environment import Environment


def _variants(env: Environment, model: str, number: int) -> list[int]:
    return env.referring("product.product", "product_tmpl_id", number)


def _variant(env: Environment, model: str, number: int) -> Any:
    return next(iter(_variants(env, model, number)), False)


def _template_code(env: Environment, model: str, number: int) -> Any:
    variant = _variant(env, model, number)
    return env.value("product.product", variant, "default_code") if variant else False


def _company_tax(env: Environment) -> list[int]:
    tax = env.row("res.company", 1).get("account_sale_tax_id")
    return [tax] if tax else []


TEMPLATE: dict[str, Field] = {
    "name": Field(label="Name", required=True),
    "type": selection("Product Type", "consu", "service", "combo", default="consu"),
    "list_price": Field("float", "Sales Price", default=1.0),
    "invoice_policy": selection("Invoicing Policy", "order", "delivery", default="order"),
    "recurring_invoice": Field("boolean", "Recurring"),
    "description_sale": Field("text", "Sales Description"),
    "sale_ok": Field("boolean", "Sales", default=True),
    "uom_id": many2one("uom.uom", "Unit", default=1),
    "taxes_id": many2many("account.tax", "Sales Taxes", default=_company_tax),
    "company_id": many2one("res.company", "Company"),
}

MODELS: dict[str, dict[str, Field]] = {
    "product.template": {
        **TEMPLATE,
        "active": ACTIVE,
        "default_code": Field(label="Internal Reference", compute=_template_code),
        "product_variant_ids": Field(
            "one2many", "Products", relation="product.product", inverse="product_tmpl_id"
        ),
        "product_variant_id": many2one("product.product", "Product", compute=_variant),
    },
    "product.product": {
        **{
            name: behind("product_tmpl_id", name, each.type, each.label, each.relation)
            for name, each in TEMPLATE.items()
        },
        "product_tmpl_id": many2one("product.template", "Product Template", required=True),
        "default_code": Field(label="Internal Reference"),
        "barcode": Field(label="Barcode"),
        "standard_price": Field("float", "Cost"),
        "active": ACTIVE,
        "lst_price": behind("product_tmpl_id", "list_price", "float", "Sales Price"),
    },
}


def _product_name(env: Environment, number: int) -> str:
    code = env.value("product.product", number, "default_code")
    name = env.value("product.product", number, "name")
    return f"[{code}] {name}" if code else str(name)


def _prepare_product(env: Environment, row: Row) -> None:
    """A variant made alone makes its template, as in Odoo."""
    if not row.get("product_tmpl_id"):
        fields = env.models["product.product"]
        shared = {name: row[name] for name in TEMPLATE if name in row}
        if "lst_price" in row:
            shared["list_price"] = row["lst_price"]
        env.context["making_variant"] = True
        (template,) = env.create("product.template", [shared])
        del env.context["making_variant"]
        row["product_tmpl_id"] = template
        for name in [*shared, "lst_price"]:
            if name in row and fields[name].related:
                del row[name]


def _template_created(env: Environment, ids: list[int]) -> None:
    if not env.context.get("making_variant"):
        env.create("product.product", [{"product_tmpl_id": number} for number in ids])


def _template_written(env: Environment, ids: list[int], values: Row) -> None:
    """A variant's write_date moves with its template's."""
    shared = {"active": values["active"]} if "active" in values else {}
    for number in ids:
        env.write("product.product", _variants(env, "product.template", number), shared)


BEHAVIOURS = {
    "product.product": Behaviour(
        order="default_code, name, id", prepare=_prepare_product, display_name=_product_name
    ),
    "product.template": Behaviour(
        order="name, id", created=_template_created, written=_template_written
    ),
}
