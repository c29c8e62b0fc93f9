"""What travels about customers: Lago's fields, and what became of it in Odoo."""

from __future__ import annotations

from typing import Annotated, Any

from litestar.openapi.spec import Schema
from msgspec import Meta, Struct

from ingest.api.asked import Asked
from ingest.api.fusion import CustomerFusion
from ingest.api.payloads import Identifier, PageMeta

LONGEST_TERM_DAYS = 3_650


def _nullable(kind: str, description: str) -> Meta:
    kinds = [Schema(type=kind), Schema(type="null")]  # type: ignore[arg-type]
    return Meta(extra_json_schema={"description": description, "extra": {"any_of": kinds}})


Text = Annotated[Any, _nullable("string", "At most 255 characters.")]
Link = Annotated[Any, _nullable("string", "An address in the web, at most 2,000 characters.")]
Email = Annotated[Any, _nullable("string", "One e-mail address.")]
Country = Annotated[Any, _nullable("string", "ISO 3166, e.g. CA.")]
Currency = Annotated[Any, _nullable("string", "The company's: COMPANY_CURRENCY.")]
Zone = Annotated[Any, _nullable("string", "IANA, e.g. America/Toronto.")]
Choice = Annotated[Any, _nullable("string", "One of Lago's words.")]
Days = Annotated[Any, _nullable("integer", "Days, 0 to 3,650.")]
Flag = Annotated[Any, _nullable("boolean", "True or false.")]
FreeObject = Annotated[Any, _nullable("object", "Kept as sent, at most 64 KiB.")]
FreeList = Annotated[Any, _nullable("array", "Kept as sent, at most 64 KiB.")]


class CustomerInput(Struct):
    """A customer as an app asks for it; what is null or absent stays as it is."""

    external_id: Identifier = None
    name: Text = None
    firstname: Text = None
    lastname: Text = None
    customer_type: Choice = None
    legal_name: Text = None
    legal_number: Text = None
    tax_identification_number: Text = None
    email: Email = None
    phone: Text = None
    url: Link = None
    logo_url: Link = None
    address_line1: Text = None
    address_line2: Text = None
    city: Text = None
    zipcode: Text = None
    state: Text = None
    country: Country = None
    currency: Currency = None
    timezone: Zone = None
    net_payment_term: Days = None
    finalize_zero_amount_invoice: Choice = None
    skip_invoice_custom_sections: Flag = None
    shipping_address: FreeObject = None
    billing_configuration: FreeObject = None
    integration_customers: FreeList = None
    metadata: FreeList = None
    tax_codes: FreeList = None


class CustomerRequest(Struct):
    """One customer under its root key."""

    customer: CustomerInput | None = None


REQUIRED = {"CustomerInput": ["external_id"], "CustomerRequest": ["customer"]}

_TEXTS = ("name", "firstname", "lastname", "legal_name", "legal_number",
    "tax_identification_number", "phone", "address_line1", "address_line2", "city", "zipcode",
    "state")  # fmt: skip
_FREE: dict[str, type[dict[str, Any]] | type[list[Any]]] = {
    "shipping_address": dict,
    "billing_configuration": dict,
    "integration_customers": list,
    "metadata": list,
    "tax_codes": list,
}


def asked_of_customer(sent: CustomerInput, currency: str) -> dict[str, Any]:
    """The given fields in their one spelling. Raises ProblemError 422 with all that is wrong,
    another currency than the company's included: nothing is priced in it."""
    asked = Asked()
    asked.identifier("external_id", sent.external_id)
    for field in _TEXTS:
        asked.text(field, getattr(sent, field))
    for field in ("url", "logo_url"):
        asked.text(field, getattr(sent, field), 2_000)
    for field, kind in _FREE.items():
        asked.free(field, getattr(sent, field), kind)
    asked.email("email", sent.email)
    asked.country("country", sent.country)
    asked.choice("currency", sent.currency, (currency,))
    asked.time_zone("timezone", sent.timezone)
    asked.choice("customer_type", sent.customer_type, ("company", "individual"))
    asked.choice(
        "finalize_zero_amount_invoice",
        sent.finalize_zero_amount_invoice,
        ("inherit", "finalize", "skip"),
    )
    asked.whole("net_payment_term", sent.net_payment_term, LONGEST_TERM_DAYS)
    asked.flag("skip_invoice_custom_sections", sent.skip_invoice_custom_sections)
    return asked.checked()


class Customer(Struct):
    """Lago's customer as asked for; what nobody asked for is as Odoo has it.

    `sequential_id` and `slug` are null: no such thing is kept.
    """

    lago_id: str
    sequential_id: None
    slug: None
    external_id: str
    billing_entity_code: None
    name: str | None
    firstname: str | None
    lastname: str | None
    customer_type: str | None
    legal_name: str | None
    legal_number: str | None
    tax_identification_number: str | None
    email: str | None
    phone: str | None
    url: str | None
    logo_url: str | None
    address_line1: str | None
    address_line2: str | None
    city: str | None
    zipcode: str | None
    state: str | None
    country: str | None
    currency: str | None
    timezone: str | None
    applicable_timezone: str
    net_payment_term: int | None
    finalize_zero_amount_invoice: str | None
    skip_invoice_custom_sections: bool
    created_at: str
    updated_at: str
    shipping_address: dict[str, Any]
    billing_configuration: dict[str, Any]
    integration_customers: list[Any]
    metadata: list[Any]
    taxes: list[Any]
    applicable_invoice_custom_sections: list[Any]
    fusion: CustomerFusion


class CustomerAnswer(Struct):
    customer: Customer


class CustomersPage(Struct):
    customers: list[Customer]
    meta: PageMeta
