"""Sales taxes by province, and Odoo's arithmetic of lines and documents.

A line's own figures are rounded on the line. A document's are not their sum under the rounding
method of Canadian charts, `round_globally`: there the unrounded lines are added up, and the total
and each tax are rounded once (account.tax, `_round_base_lines_tax_details`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sandbox.odoo.environment import Behaviour
from sandbox.odoo.fields import Field, half_up
from sandbox.odoo.models_base import ACTIVE, many2many, many2one, selection

if TYPE_CHECKING:
    from sandbox.odoo.environment import Environment


def _price_include(env: Environment, model: str, number: int) -> bool:
    """The company's default is the other way round: "tax_excluded"."""
    return bool(env.value(model, number, "price_include_override") == "tax_included")


MODELS: dict[str, dict[str, Field]] = {
    "account.tax": {
        "name": Field(label="Tax Name", required=True),
        "type_tax_use": selection("Tax Type", "sale", "purchase", "none", default="sale"),
        "amount_type": selection(
            "Tax Computation", "group", "fixed", "percent", "division", default="percent"
        ),
        "amount": Field("float", "Amount"),
        "price_include": Field("boolean", "Price Include", compute=_price_include),
        "price_include_override": selection("Included in Price", "tax_included", "tax_excluded"),
        "description": Field("html", "Description"),
        "invoice_label": Field(label="Label on Invoices"),
        "sequence": Field("integer", "Sequence", default=1),
        "active": ACTIVE,
        "children_tax_ids": many2many("account.tax", "Children Taxes"),
        "original_tax_ids": many2many("account.tax", "Replaces"),
        "fiscal_position_ids": many2many("account.fiscal.position", "Fiscal Position"),
        "country_id": many2one("res.country", "Country"),
        "company_id": many2one("res.company", "Company", default=1),
    },
    "account.fiscal.position": {
        "name": Field(label="Fiscal Position", required=True),
        "sequence": Field("integer", "Sequence", default=10),
        "auto_apply": Field("boolean", "Detect Automatically"),
        "country_id": many2one("res.country", "Country"),
        "state_ids": many2many("res.country.state", "Federal States"),
        "active": ACTIVE,
    },
}


BEHAVIOURS = {
    "account.tax": Behaviour(order="sequence, id"),
    "account.fiscal.position": Behaviour(order="sequence, id"),
}


@dataclass(frozen=True)
class Amounts:
    """Of one line or one document, rounded to cents; `taxes` by account.tax id."""

    untaxed: Decimal
    taxes: dict[int, Decimal]

    @property
    def tax(self) -> Decimal:
        return sum(self.taxes.values(), Decimal(0))

    @property
    def total(self) -> Decimal:
        return self.untaxed + self.tax


@dataclass(frozen=True)
class Base:
    """A line before rounding: quantity times price, and the taxes that apply to it."""

    amount: Decimal
    taxes: tuple[int, ...]


def fiscal_position(env: Environment, partner: int) -> Any:
    """The fiscal position that Odoo detects, or False. A Canadian customer without a province gets
    the one for abroad, as on a real server; one without a country gets none."""
    country = env.value("res.partner", partner, "country_id")
    state = env.value("res.partner", partner, "state_id")
    if not country:
        return False
    for number in env.search(
        "account.fiscal.position", [("auto_apply", "=", True)], order="sequence"
    ):
        row = env.row("account.fiscal.position", number)
        if row.get("country_id") and row["country_id"] != country:
            continue
        if row.get("state_ids") and state not in row["state_ids"]:
            continue
        return number
    return False


def mapped(env: Environment, position: Any, taxes: Iterable[int]) -> list[int]:
    """The product's taxes as the fiscal position replaces them."""
    result: list[int] = []
    for tax in taxes:
        replacing = [
            number
            for number in env.store.referring("account.tax", "original_tax_ids", tax)
            if position and position in env.value("account.tax", number, "fiscal_position_ids")
        ]
        result += [number for number in replacing or [tax] if number not in result]
    return result


def parts(env: Environment, taxes: Iterable[int]) -> list[tuple[int, Decimal]]:
    """(tax, rate as a fraction), groups such as GST+QST taken apart."""
    rates: list[tuple[int, Decimal]] = []
    for tax in taxes:
        row = env.row("account.tax", tax)
        if row["amount_type"] == "group":
            rates += parts(env, row.get("children_tax_ids", []))
        else:
            rates.append((tax, Decimal(repr(row.get("amount", 0.0))) / 100))
    return rates


def included(env: Environment, taxes: Iterable[int]) -> Decimal:
    """What the taxes that prices include add to a net amount, as a fraction of it."""
    rates = [rate for tax, rate in parts(env, taxes) if _price_include(env, "account.tax", tax)]
    return sum(rates, Decimal(0))


def of_line(env: Environment, base: Base) -> Amounts:
    """Every part rounded half-up to cents."""
    net = _net(env, base)
    return Amounts(
        half_up(net, 2),
        {tax: half_up(net * rate, 2) for tax, rate in parts(env, base.taxes)},
    )


def _net(env: Environment, base: Base) -> Decimal:
    return base.amount / (1 + included(env, base.taxes))


def of_document(env: Environment, bases: list[Base]) -> Amounts:
    """The totals of an order or invoice, by the company's rounding method."""
    per_line = env.row("res.company", 1)["tax_calculation_rounding_method"] == "round_per_line"
    untaxed = Decimal(0)
    taxes: dict[int, Decimal] = defaultdict(Decimal)
    for base in bases:
        net = _net(env, base)
        amount = half_up(net, 2) if per_line else net
        untaxed += amount
        for tax, rate in parts(env, base.taxes):
            taxes[tax] += half_up(amount * rate, 2) if per_line else amount * rate
    return Amounts(half_up(untaxed, 2), {tax: half_up(each, 2) for tax, each in taxes.items()})
