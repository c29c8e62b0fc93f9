"""The doctor's look at Odoo: the right one, with what the platform needs in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal, InvalidOperation
from functools import partial

from cli.doctor_odoo_push import journals, rights, subscriptions
from cli.findings import Finding, failed, ok, warning
from exports.usage_lines import precision_of
from odoo_gateway import schema
from odoo_gateway.bootstrap import plan
from odoo_gateway.client import OdooClient
from odoo_gateway.connect import connect_from
from odoo_gateway.errors import OdooError, OdooRefusedError
from warehouse.settings import Settings

SERIES = "19"
# Enterprise's Subscriptions app, as documented; odoo.md lists what we rely on.
SUBSCRIPTION_FIELDS = (
    "is_subscription",
    "plan_id",
    "subscription_state",
    "start_date",
    "end_date",
    "next_invoice_date",
)
ACCESS_ERROR = "odoo.exceptions.AccessError"
BOOTSTRAP = "Run `fusion-billing odoo bootstrap`."
Check = Callable[[OdooClient], Iterator[Finding]]


def findings(settings: Settings) -> Iterator[Finding]:
    """One failed line where Odoo is away or says no; every other check still runs."""
    if not settings.odoo_url:
        yield warning(
            "Odoo",
            "ODOO_URL is not set",
            "Put it into .env, or run `fusion-billing up` for a stand-in.",
        )
        return
    try:
        client = connect_from(settings, timeout=20)
    except OdooError as error:
        yield failed("Odoo", str(error), "Mend ODOO_URL, ODOO_DB, ODOO_USER or ODOO_API_KEY.")
        return
    checks: dict[str, Check] = {
        "Odoo": partial(_version, url=settings.odoo_url),
        "Odoo edition": _edition,
        "Odoo fields": _fields,
        "Odoo precision": _precision,
        "Odoo currency": partial(_currency, settings=settings),
        "Odoo taxes": partial(_taxes, settings=settings),
        "Odoo products": _products,
        "Odoo rights": rights,
        "Odoo journals": journals,
        "Odoo subscriptions": subscriptions,
    }
    for name, check in checks.items():
        try:
            yield from check(client)
        except OdooError as error:
            yield _away(name, error, settings)


def _away(check: str, error: OdooError, settings: Settings) -> Finding:
    """What the doctor alone wants to read is no need of the platform: the check of the rights
    names those."""
    if isinstance(error, OdooRefusedError) and error.name == ACCESS_ERROR:
        return warning(
            check,
            f"not checked: {settings.odoo_user} may not read what it looks at",
            "Nothing to do, unless `Odoo rights` failed. To check it once, run the doctor as an"
            " administrator.",
        )
    return failed(check, str(error), "Run `fusion-billing doctor` again when it is mended.")


def _version(client: OdooClient, *, url: str) -> Iterator[Finding]:
    series = client.version().series
    if series.removeprefix("saas~").split(".")[0] == SERIES:
        yield ok("Odoo", f"{series} at {url}")
    else:
        yield failed("Odoo", f"{series} at {url}", f"This release is made for Odoo {SERIES}.")


def _edition(client: OdooClient) -> Iterator[Finding]:
    enterprise = client.version().enterprise
    known = client.fields_get("sale.order")
    missing = [name for name in SUBSCRIPTION_FIELDS if name not in known]
    name = "Enterprise" if enterprise else "Community"
    if missing:
        yield failed(
            "Odoo edition",
            f"{name}; sale.order has no {', '.join(missing)}",
            "Install the app Subscriptions (sale_subscription, part of Enterprise).",
        )
    elif enterprise:
        yield ok("Odoo edition", "Enterprise with Subscriptions")
    else:
        yield warning(
            "Odoo edition",
            "Community, with subscription fields that are not Enterprise's own",
            "Good for trying out; recurring invoices need Enterprise's Subscriptions.",
        )


def _fields(client: OdooClient) -> Iterator[Finding]:
    try:
        missing = [str(step) for step in plan(client)]
    except OdooRefusedError as error:
        if error.name != ACCESS_ERROR:
            raise
        yield from _seen_fields(client)
        return
    if missing:
        more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
        yield failed("Odoo fields", f"missing: {', '.join(missing[:3])}{more}", BOOTSTRAP)
    else:
        yield ok("Odoo fields", "x_fc_* fields, models, rights, unique indexes and views are there")


def _seen_fields(client: OdooClient) -> Iterator[Finding]:
    """As far as a user sees who is no administrator."""
    wanted = {
        **schema.NATIVE_FIELDS,
        **{model.name: model.fields for model in schema.CUSTOM_MODELS},
    }
    missing = []
    for model, fields in wanted.items():
        try:
            known = client.fields_get(model)
        except OdooRefusedError:
            missing.append(f"model {model}")
            continue
        missing += [f"field {model}.{each.name}" for each in fields if each.name not in known]
    if missing:
        yield failed("Odoo fields", f"missing: {', '.join(missing[:3])}", BOOTSTRAP)
    else:
        yield warning(
            "Odoo fields",
            "x_fc_* fields and models are there; not checked, as only an administrator may read"
            " them: unique indexes, rights and views",
            "Run the doctor once as the administrator who ran `fusion-billing odoo bootstrap`.",
        )


def _precision(client: OdooClient) -> Iterator[Finding]:
    digits = precision_of(client)
    price, unit = digits.price, digits.quantity
    found = f"Product Price {price} digits, Product Unit {unit}"
    finer = [
        f"{row['x_plan_code']}/{row['x_code']} at {row['x_unit_price']}"
        for row in _charges(client)
        if _digits(row["x_unit_price"]) > price
    ]
    if finer:
        yield warning(
            "Odoo precision",
            f"{found}; prices finer than that: {', '.join(sorted(finer))}. Their lines are pushed "
            "as one unit at the line's amount, the quantity and the price stand in its text",
            "Nothing to do. To see quantity × price where it comes out in whole cents, raise"
            " Product Price in Odoo (Settings, Technical, Decimal Accuracy).",
        )
    else:
        yield ok(
            "Odoo precision",
            f"{found}; a quantity or price with more is pushed as one unit at the line's amount",
        )


def _currency(client: OdooClient, *, settings: Settings) -> Iterator[Finding]:
    code = settings.company_currency
    currencies = client.search_read("res.currency", [("name", "=", code)], ["id", "active"])
    company = _company(client, settings)
    if not currencies or not currencies[0]["active"]:
        yield failed(
            "Odoo currency",
            f"{code} is not active",
            f"Activate {code} in Odoo (Invoicing, Configuration, Currencies).",
        )
    elif company["currency_id"] != currencies[0]["id"]:
        yield failed(
            "Odoo currency",
            f"the company {company['name']} does not keep its books in {code}",
            "Set COMPANY_CURRENCY to the company's, or use the company that keeps them in it.",
        )
    else:
        yield ok("Odoo currency", f"{company['name']} keeps its books in {code}")


def _taxes(client: OdooClient, *, settings: Settings) -> Iterator[Finding]:
    taxes = client.search_read(
        "account.tax", [("type_tax_use", "=", "sale"), ("active", "=", True)], ["id", "name"]
    )
    names = {row["id"]: str(row["name"]) for row in taxes}
    hst = [name for name in names.values() if "HST" in name.upper()]
    default = _company(client, settings)["account_sale_tax_id"]
    if not hst:
        yield failed(
            "Odoo taxes",
            f"{len(names)} sale taxes, none of them HST",
            "Install the Canadian localization (l10n_ca), or make the taxes in Odoo.",
        )
    elif default not in names:
        yield warning(
            "Odoo taxes",
            f"{', '.join(hst)}, but the company has no default sale tax",
            "Set it in Odoo (Invoicing, Configuration, Settings): a customer without a province "
            "gets it.",
        )
    else:
        yield ok("Odoo taxes", f"{', '.join(hst)}; default {names[default]}")


def _products(client: OdooClient) -> Iterator[Finding]:
    charges = _charges(client)
    if not charges:
        yield warning(
            "Odoo products", "the catalogue has no charges", "Enter them in Odoo (Usage billing)."
        )
        return
    numbers = sorted({row["x_product_id"] for row in charges if row["x_product_id"]})
    wrong = []
    known = client.fields_get("product.product")
    recurring = [name for name in ("recurring_invoice",) if name in known]
    fields = ["display_name", "invoice_policy", "active", *recurring]
    for row in client.search_read("product.product", [("id", "in", numbers)], fields):
        reasons = [
            *(["invoiced by ordered quantity"] if row["invoice_policy"] != "delivery" else []),
            *(["recurring"] if row.get("recurring_invoice") else []),
            *(["archived"] if not row["active"] else []),
        ]
        if reasons:
            wrong.append(f"{row['display_name']} ({', '.join(reasons)})")
    if wrong:
        yield failed(
            "Odoo products",
            f"usage would be billed wrongly with {'; '.join(wrong)}",
            "Set Invoicing Policy to delivered quantities and Recurring to no on these products.",
        )
    else:
        yield ok("Odoo products", f"{len(numbers)} for usage, all invoiced by delivered quantity")


def _charges(client: OdooClient) -> list[dict[str, str]]:
    """The catalogue; empty before bootstrap."""
    fields = ["x_plan_code", "x_code", "x_unit_price", "x_product_id"]
    try:
        return client.search_read("x_fc_charge", [], fields)
    except OdooRefusedError as error:
        if error.name == ACCESS_ERROR:
            raise
        return []


def _company(client: OdooClient, settings: Settings) -> dict[str, object]:
    """The company of ODOO_USER: where its orders and invoices are made."""
    (user,) = client.search_read(
        "res.users", [("login", "=", settings.odoo_user)], ["company_id"], limit=1
    )
    (company,) = client.search_read(
        "res.company",
        [("id", "=", user["company_id"])],
        ["name", "currency_id", "account_sale_tax_id"],
    )
    return company


def _digits(price: str) -> int:
    """Decimal digits of a catalogue price; 0 where it is no number, which rating refuses itself."""
    try:
        exponent = Decimal(price).normalize().as_tuple().exponent
    except InvalidOperation:
        return 0
    return max(0, -exponent) if isinstance(exponent, int) else 0
