"""Partners, places, currencies, company, products, and the records that describe Odoo itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox.odoo.errors import ValidationError
from sandbox.odoo.fields import Field, Row, exact

if TYPE_CHECKING:
    from sandbox.odoo.environment import Environment


def many2one(relation: str, label: str, **rest: Any) -> Field:
    return Field("many2one", label, relation=relation, **rest)


def many2many(relation: str, label: str, **rest: Any) -> Field:
    return Field("many2many", label, relation=relation, **rest)


def selection(label: str, *keys: str, **rest: Any) -> Field:
    return Field(
        "selection",
        label,
        selection=tuple((key, key.replace("_", " ").title()) for key in keys),
        **rest,
    )


def behind(link: str, target: str, kind: str, label: str, relation: str | None = None) -> Field:
    return Field(kind, label, relation=relation, related=(link, target))


ACTIVE = Field("boolean", "Active", default=True)


def _rate(env: Environment, model: str, number: int) -> float:
    """Units of this currency per unit of the company's, as of today; 1 without a rate."""
    rates = [
        env.row("res.currency.rate", each)
        for each in env.referring("res.currency.rate", "currency_id", number)
    ]
    past = [rate for rate in rates if rate["name"] <= env.today]
    chosen = max(past or rates, key=lambda rate: str(rate["name"]), default=None)
    return float(chosen["rate"]) if chosen else 1.0


def _inverse_rate(env: Environment, model: str, number: int) -> float:
    return float(1 / exact(_rate(env, model, number)))


def _company_rate(env: Environment, model: str, number: int) -> float:
    return float(env.value(model, number, "rate"))


def _company_price(env: Environment, model: str, number: int) -> float:
    return float(1 / exact(env.value(model, number, "rate")))


def prepare_rate(env: Environment, row: Row) -> None:
    if "company_rate" in row:
        row["rate"] = row.pop("company_rate")
    if "inverse_company_rate" in row:
        row["rate"] = float(1 / exact(row.pop("inverse_company_rate")))


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


def _commercial(env: Environment, model: str, number: int) -> int:
    parent = env.value(model, number, "parent_id")
    while parent:
        number, parent = parent, env.value(model, parent, "parent_id")
    return number


PLACES: dict[str, dict[str, Field]] = {
    "res.country": {
        "name": Field(label="Country Name", required=True),
        "code": Field(label="Country Code", required=True),
        "currency_id": many2one("res.currency", "Currency"),
    },
    "res.country.state": {
        "name": Field(label="State Name", required=True),
        "code": Field(label="State Code", required=True),
        "country_id": many2one("res.country", "Country", required=True),
    },
    "res.currency": {
        "name": Field(label="Currency", required=True),
        "symbol": Field(label="Symbol", default="$"),
        "rounding": Field("float", "Rounding Factor", default=0.01),
        "decimal_places": Field("integer", "Decimal Places", default=2),
        "active": ACTIVE,
        "rate": Field("float", "Current Rate", compute=_rate),
        "inverse_rate": Field("float", "Inverse Rate", compute=_inverse_rate),
        "rate_ids": Field("one2many", "Rates", relation="res.currency.rate", inverse="currency_id"),
    },
    "res.currency.rate": {
        "name": Field("date", "Date", required=True, default=lambda env: env.today),
        "rate": Field("float", "Technical Rate", default=1.0),
        "company_rate": Field("float", "Company rate", compute=_company_rate),
        "inverse_company_rate": Field("float", "Inverse company rate", compute=_company_price),
        "currency_id": many2one("res.currency", "Currency", required=True),
        "company_id": many2one("res.company", "Company", default=1),
    },
    "res.partner": {
        "name": Field(label="Name"),
        "active": ACTIVE,
        "email": Field(label="Email"),
        "phone": Field(label="Phone"),
        "street": Field(label="Street"),
        "street2": Field(label="Street2"),
        "city": Field(label="City"),
        "zip": Field(label="Zip"),
        "vat": Field(label="Tax ID"),
        "ref": Field(label="Reference"),
        "comment": Field("html", "Notes"),
        "lang": Field(label="Language", default="en_US"),
        "tz": Field(label="Timezone"),
        "website": Field(label="Website Link"),
        "type": selection(
            "Address Type", "contact", "invoice", "delivery", "other", default="contact"
        ),
        "is_company": Field("boolean", "Is a Company"),
        "customer_rank": Field("integer", "Customer Rank"),
        "country_id": many2one("res.country", "Country"),
        "state_id": many2one("res.country.state", "State"),
        "parent_id": many2one("res.partner", "Related Company"),
        "company_id": many2one("res.company", "Company"),
        "child_ids": Field("one2many", "Contact", relation="res.partner", inverse="parent_id"),
        "commercial_partner_id": many2one("res.partner", "Commercial Entity", compute=_commercial),
        "currency_id": many2one(
            "res.currency",
            "Currency",
            compute=lambda env, *_: env.row("res.company", 1)["currency_id"],
        ),
    },
    "res.company": {
        "name": Field(label="Company Name", required=True),
        "currency_id": many2one("res.currency", "Currency", required=True),
        "country_id": many2one("res.country", "Country"),
        "state_id": many2one("res.country.state", "Fed. State"),
        "partner_id": many2one("res.partner", "Partner"),
        "account_sale_tax_id": many2one("account.tax", "Default Sale Tax"),
        "tax_calculation_rounding_method": selection(
            "Tax Calculation Rounding Method",
            "round_per_line",
            "round_globally",
            default="round_globally",
        ),
    },
    "res.users": {
        "name": Field(label="Name"),
        "login": Field(label="Login", required=True),
        "active": ACTIVE,
        "partner_id": many2one("res.partner", "Partner"),
        "company_id": many2one("res.company", "Company", default=1),
        "tz": Field(label="Timezone"),
        "group_ids": many2many("res.groups", "Groups"),
    },
    "res.groups": {"name": Field(label="Name", required=True)},
    "uom.uom": {"name": Field(label="Unit", required=True), "active": ACTIVE},
}

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

PRODUCTS: dict[str, dict[str, Field]] = {
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
    "product.pricelist": {
        "name": Field(label="Pricelist Name", required=True),
        "currency_id": many2one("res.currency", "Currency", required=True),
        "active": ACTIVE,
    },
}

SYSTEM: dict[str, dict[str, Field]] = {
    "decimal.precision": {
        "name": Field(label="Usage", required=True),
        "digits": Field("integer", "Digits", default=2),
    },
    "ir.config_parameter": {
        "key": Field(label="Key", required=True),
        "value": Field("text", "Value", required=True),
    },
    "ir.model": {
        "name": Field(label="Model Description", required=True),
        "model": Field(label="Model", required=True),
        "order": Field(label="Order", default="id"),
        "info": Field("text", "Information"),
        "state": selection("Type", "manual", "base", default="manual"),
        "transient": Field("boolean", "Transient Model"),
        "field_id": Field("one2many", "Fields", relation="ir.model.fields", inverse="model_id"),
        "access_ids": Field("one2many", "Access", relation="ir.model.access", inverse="model_id"),
    },
    "ir.model.fields": {
        "name": Field(label="Field Name", required=True),
        "model": behind("model_id", "model", "char", "Model Name"),
        "model_id": many2one("ir.model", "Model", required=True),
        "field_description": Field(label="Field Label"),
        "help": Field("text", "Field Help"),
        "ttype": Field(label="Field Type", required=True),
        "relation": Field(label="Related Model Name"),
        "relation_field": Field(label="Relation Field"),
        "selection_ids": Field(
            "one2many",
            "Selection Options",
            relation="ir.model.fields.selection",
            inverse="field_id",
        ),
        "required": Field("boolean", "Required"),
        "on_delete": selection("On Delete", "cascade", "set null", "restrict"),
        "readonly": Field("boolean", "Readonly"),
        "index": Field("boolean", "Indexed"),
        "copied": Field("boolean", "Copied"),
        "store": Field("boolean", "Stored", default=True),
        "related": Field(label="Related Field Definition"),
        "state": selection("Type", "manual", "base", default="manual"),
    },
    "ir.model.fields.selection": {
        "field_id": many2one("ir.model.fields", "Field", required=True),
        "value": Field(label="Value", required=True),
        "name": Field(label="Name", required=True),
        "sequence": Field("integer", "Sequence", default=1000),
    },
    "ir.model.access": {
        "name": Field(label="Name", required=True),
        "model_id": many2one("ir.model", "Model", required=True),
        "group_id": many2one("res.groups", "Group"),
        "active": ACTIVE,
        "perm_read": Field("boolean", "Read Access"),
        "perm_write": Field("boolean", "Write Access"),
        "perm_create": Field("boolean", "Create Access"),
        "perm_unlink": Field("boolean", "Delete Access"),
    },
    "ir.model.data": {
        "name": Field(label="External Identifier", required=True),
        "module": Field(label="Module"),
        "model": Field(label="Model Name", required=True),
        "res_id": Field("integer", "Record ID"),
        "noupdate": Field("boolean", "Non Updatable"),
    },
    "ir.ui.view": {
        "name": Field(label="View Name", required=True),
        "model": Field(label="Model"),
        "type": selection("View Type", "list", "form", "search", "qweb"),
        "arch": Field("text", "View Architecture"),
        "priority": Field("integer", "Sequence", default=16),
        "inherit_id": many2one("ir.ui.view", "Inherited View"),
        "mode": selection("View inheritance mode", "primary", "extension", default="primary"),
        "active": ACTIVE,
    },
    "ir.ui.menu": {
        "name": Field(label="Menu", required=True),
        "parent_id": many2one("ir.ui.menu", "Parent Menu"),
        "action": Field("reference", "Action"),
        "sequence": Field("integer", "Sequence", default=10),
        "web_icon": Field(label="Web Icon File"),
        "group_ids": many2many("res.groups", "Groups"),
        "active": ACTIVE,
    },
    "ir.actions.act_window": {
        "name": Field(label="Action Name", required=True),
        "res_model": Field(label="Destination Model", required=True),
        "view_mode": Field(label="View Mode", default="list,form"),
        "domain": Field(label="Domain Value"),
        "context": Field(label="Context Value", default="{}"),
        "help": Field("html", "Action Description"),
    },
    "ir.actions.server": {
        "name": Field(label="Action Name", required=True),
        "model_id": many2one("ir.model", "Model", required=True),
        "state": selection(
            "Type", "code", "object_write", "object_create", "multi", default="object_write"
        ),
        "code": Field("text", "Python Code"),
    },
}


def partner_name(env: Environment, number: int) -> Any:
    name = env.value("res.partner", number, "name")
    parent = env.value("res.partner", number, "parent_id")
    return f"{env.display_name('res.partner', parent)}, {name}" if parent else name


def product_name(env: Environment, number: int) -> str:
    code = env.value("product.product", number, "default_code")
    name = env.value("product.product", number, "name")
    return f"[{code}] {name}" if code else str(name)


def prepare_partner(env: Environment, row: Row) -> None:
    if not row.get("name") and row["type"] == "contact":
        raise ValidationError("The operation cannot be completed: Contacts require a name")


def check_rates(env: Environment, ids: list[int]) -> None:
    for number in ids:
        row = env.row("res.currency.rate", number)
        same = env.referring("res.currency.rate", "currency_id", row["currency_id"])
        if any(
            env.row("res.currency.rate", each)["name"] == row["name"] and each != number
            for each in same
        ):
            raise ValidationError(
                "The operation cannot be completed: Only one currency rate per day allowed!"
            )


def prepare_product(env: Environment, row: Row) -> None:
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


def template_created(env: Environment, ids: list[int]) -> None:
    if not env.context.get("making_variant"):
        env.create("product.product", [{"product_tmpl_id": number} for number in ids])


def template_written(env: Environment, ids: list[int], values: Row) -> None:
    if "active" in values:
        for number in ids:
            variants = _variants(env, "product.template", number)
            env.write("product.product", variants, {"active": values["active"]})
