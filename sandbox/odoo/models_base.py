"""Partners, places, currencies, the company and its users."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox.odoo.environment import Behaviour
from sandbox.odoo.errors import ValidationError
from sandbox.odoo.fields import Field, Row, exact
from sandbox.odoo.threads import THREAD

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


def _prepare_rate(env: Environment, row: Row) -> None:
    if "company_rate" in row:
        row["rate"] = row.pop("company_rate")
    if "inverse_company_rate" in row:
        row["rate"] = float(1 / exact(row.pop("inverse_company_rate")))


def _commercial(env: Environment, model: str, number: int) -> int:
    parent = env.value(model, number, "parent_id")
    while parent:
        number, parent = parent, env.value(model, parent, "parent_id")
    return number


MODELS: dict[str, dict[str, Field]] = {
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
        "lang": Field("selection", "Language", default="en_US"),
        "tz": Field("selection", "Timezone"),
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
        "message_ids": THREAD,
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
        "tz": Field("selection", "Timezone"),
        "group_ids": many2many("res.groups", "Groups"),
    },
    "res.groups": {
        "name": Field(label="Name", required=True),
        "implied_ids": many2many("res.groups", "Inherits"),
    },
    "uom.uom": {"name": Field(label="Unit", required=True), "active": ACTIVE},
}


def _partner_name(env: Environment, number: int) -> Any:
    name = env.value("res.partner", number, "name")
    parent = env.value("res.partner", number, "parent_id")
    return f"{env.display_name('res.partner', parent)}, {name}" if parent else name


def _prepare_partner(env: Environment, row: Row) -> None:
    if not row.get("name") and row["type"] == "contact":
        raise ValidationError("The operation cannot be completed: Contacts require a name")


def _check_rates(env: Environment, ids: list[int]) -> None:
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


BEHAVIOURS = {
    "res.partner": Behaviour(
        order="name, id", prepare=_prepare_partner, display_name=_partner_name
    ),
    "res.currency": Behaviour(order="active desc, name"),
    "res.currency.rate": Behaviour(
        order="name desc, id", prepare=_prepare_rate, created=_check_rates
    ),
    "res.country": Behaviour(order="name, id"),
    "res.country.state": Behaviour(order="code, id"),
}
