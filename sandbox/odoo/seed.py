"""What a fresh Odoo 19 with sale_management, l10n_ca and a Canadian company holds."""

from __future__ import annotations

from typing import Any

from sandbox.odoo.environment import Environment

PROVINCES = {
    "AB": ("Alberta", "5% GST"),
    "BC": ("British Columbia", "12% GST+PST BC"),
    "MB": ("Manitoba", "12% GST+PST MB"),
    "NB": ("New Brunswick", "15% HST"),
    "NL": ("Newfoundland and Labrador", "15% HST"),
    "NS": ("Nova Scotia", "14% HST"),
    "NT": ("Northwest Territories", "5% GST"),
    "NU": ("Nunavut", "5% GST"),
    "ON": ("Ontario", "13% HST"),
    "PE": ("Prince Edward Island", "15% HST"),
    "QC": ("Quebec", "14.975% GST+QST"),
    "SK": ("Saskatchewan", "11% GST+PST SK"),
    "YT": ("Yukon", "5% GST"),
}
SIMPLE_TAXES = {
    "5% GST": 5.0,
    "6% PST SK": 6.0,
    "7% PST BC": 7.0,
    "7% PST MB": 7.0,
    "9.975% QST": 9.975,
    "13% HST": 13.0,
    "14% HST": 14.0,
    "15% HST": 15.0,
    "0% Int": 0.0,
    "0% Exempt": 0.0,
}
GROUP_TAXES = {
    "11% GST+PST SK": ("5% GST", "6% PST SK"),
    "12% GST+PST BC": ("5% GST", "7% PST BC"),
    "12% GST+PST MB": ("5% GST", "7% PST MB"),
    "14.975% GST+QST": ("5% GST", "9.975% QST"),
}
# (module, name): label. The administrator is in all of them but those of settings that are off.
GROUPS = {
    ("base", "group_user"): "Role / User",
    ("base", "group_system"): "Role / Administrator",
    ("sales_team", "group_sale_salesman"): "Sales / User: Own Documents Only",
    ("sales_team", "group_sale_salesman_all_leads"): "Sales / User: All Documents",
    ("sales_team", "group_sale_manager"): "Sales / Administrator",
    ("account", "group_account_invoice"): "Invoicing / Invoicing",
    ("account", "group_account_manager"): "Invoicing / Administrator",
}
SETTINGS = {("sale", "group_discount_per_so_line"): "Discount on lines"}


def seed(env: Environment) -> None:
    """One company (CAD, Ontario), one user, places, taxes, journals, units. Ids start at 1."""
    currencies = _made(
        env, "res.currency", [{"name": "CAD"}, {"name": "USD"}, {"name": "EUR", "symbol": "€"}]
    )
    canada, states = _places(env, currencies)
    (company,) = env.create(
        "res.company",
        [
            {
                "name": "NexaSystems",
                "currency_id": currencies["CAD"],
                "country_id": canada,
                "state_id": states["ON"],
            }
        ],
    )
    env.create("uom.uom", [{"name": "Units"}, {"name": "Hours"}, {"name": "Months"}])
    _taxes(env, canada, states)
    partners = env.create(
        "res.partner",
        [
            {
                "name": "NexaSystems",
                "is_company": True,
                "country_id": canada,
                "state_id": states["ON"],
            },
            {"name": "OdooBot", "active": False},
            {"name": "Administrator", "email": "admin@example.com"},
        ],
    )
    groups = env.create("res.groups", [{"name": label} for label in GROUPS.values()])
    env.create(
        "res.users",
        [
            {"name": "OdooBot", "login": "__system__", "active": False, "partner_id": partners[1]},
            {
                "name": "Administrator",
                "login": "admin",
                "partner_id": partners[2],
                "tz": "America/Toronto",
                "group_ids": [[6, 0, groups]],
            },
        ],
    )
    (hst,) = env.search("account.tax", [("name", "=", "13% HST")])
    env.write("res.company", [company], {"partner_id": partners[0], "account_sale_tax_id": hst})
    env.create("product.pricelist", [{"name": "Default", "currency_id": currencies["CAD"]}])
    _accounting(env)
    env.create(
        "decimal.precision",
        [{"name": "Product Unit"}, {"name": "Product Price"}, {"name": "Discount"}],
    )
    settings = env.create("res.groups", [{"name": label} for label in SETTINGS.values()])
    _external_ids(env, [*groups, *settings], currencies)


def _made(env: Environment, model: str, values: list[dict[str, Any]]) -> dict[str, int]:
    names = [str(each["name"]) for each in values]
    return dict(zip(names, env.create(model, values), strict=True))


def _places(env: Environment, currencies: dict[str, int]) -> tuple[int, dict[str, int]]:
    canada, usa = env.create(
        "res.country",
        [
            {"name": "Canada", "code": "CA", "currency_id": currencies["CAD"]},
            {"name": "United States", "code": "US", "currency_id": currencies["USD"]},
        ],
    )
    env.create(
        "res.country.state",
        [
            {"name": "New York", "code": "NY", "country_id": usa},
            {"name": "California", "code": "CA", "country_id": usa},
        ],
    )
    provinces = env.create(
        "res.country.state",
        [
            {"name": name, "code": code, "country_id": canada}
            for code, (name, _tax) in PROVINCES.items()
        ],
    )
    return canada, dict(zip(PROVINCES, provinces, strict=True))


def _taxes(env: Environment, canada: int, states: dict[str, int]) -> None:
    taxes = _made(
        env,
        "account.tax",
        [
            {"name": name, "amount": rate, "country_id": canada}
            for name, rate in SIMPLE_TAXES.items()
        ],
    )
    taxes |= _made(
        env,
        "account.tax",
        [
            {
                "name": name,
                "amount_type": "group",
                "amount": 100.0,
                "country_id": canada,
                "children_tax_ids": [[6, 0, [taxes[child] for child in children]]],
            }
            for name, children in GROUP_TAXES.items()
        ],
    )
    provincial = {name for _province, name in PROVINCES.values()}
    positions: dict[str, list[int]] = {name: [] for name in [*sorted(provincial), "0% Int"]}
    for sequence, (code, (province, tax)) in enumerate(PROVINCES.items(), start=1):
        positions[tax] += env.create(
            "account.fiscal.position",
            [
                {
                    "name": f"{province} ({code})",
                    "sequence": sequence * 10,
                    "auto_apply": True,
                    "country_id": canada,
                    "state_ids": [[6, 0, [states[code]]]],
                }
            ],
        )
    positions["0% Int"] += env.create(
        "account.fiscal.position",
        [{"name": "International (INTL)", "sequence": 140, "auto_apply": True}],
    )
    for name, applied in positions.items():
        replaces = [taxes[other] for other in sorted(provincial - {name})]
        env.write(
            "account.tax",
            [taxes[name]],
            {
                "fiscal_position_ids": [[6, 0, applied]],
                "original_tax_ids": [[6, 0, replaces]],
            },
        )


def _accounting(env: Environment) -> None:
    env.create(
        "account.journal",
        [
            {"name": "Customer Invoices", "code": "INV", "type": "sale"},
            {"name": "Bank", "code": "BNK1", "type": "bank"},
        ],
    )
    env.create(
        "account.account",
        [
            {"name": "Sales", "code": "411100", "account_type": "income"},
            {"name": "Accounts Receivable", "code": "115100", "account_type": "asset_receivable"},
            {"name": "HST Payable", "code": "213100", "account_type": "liability_current"},
        ],
    )


def _external_ids(env: Environment, groups: list[int], currencies: dict[str, int]) -> None:
    rows = [
        {"module": module, "name": name, "model": "res.groups", "res_id": group}
        for (module, name), group in zip([*GROUPS, *SETTINGS], groups, strict=True)
    ]
    rows += [
        {"module": "base", "name": name, "model": "res.currency", "res_id": number}
        for name, number in currencies.items()
    ]
    rows += [{"module": "base", "name": "main_company", "model": "res.company", "res_id": 1}]
    env.create("ir.model.data", rows)
