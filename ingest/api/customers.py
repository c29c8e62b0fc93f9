"""Lago's customers: POST /customers, GET /customers, GET /customers/{external_id}."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import asyncpg
import msgspec
from litestar import get, post
from litestar.params import Parameter

from ingest.api.auth import ServiceRequest
from ingest.api.body import json_only
from ingest.api.commands import record_customer
from ingest.api.customer_bodies import (
    Customer,
    CustomerAnswer,
    CustomerInput,
    CustomerRequest,
    CustomersPage,
    asked_of_customer,
)
from ingest.api.database import Connection, Database
from ingest.api.exact import iso_seconds
from ingest.api.fusion import CustomerFusion, OdooPartner, odoo_text, told_of
from ingest.api.lifecycle_queries import customers, one_customer
from ingest.api.marts import Company, lago_id
from ingest.api.payloads import ExactJson
from ingest.api.problems import RESPONSES, not_found, parameter_missing
from ingest.api.reading import page_meta, selection

_Count = Annotated[
    str | None,
    Parameter(required=False, description="A whole number from 1; per_page to 1000."),
]
_NOTHING = CustomerInput()
_ORDER = "order by created_at desc, external_id"
# Fields that are shown as they were asked for.
_PLAIN = (
    "firstname", "lastname", "customer_type", "legal_name", "legal_number", "url", "logo_url",
    "phone", "address_line1", "address_line2", "city", "zipcode", "state", "country", "currency",
    "timezone", "net_payment_term", "finalize_zero_amount_invoice",
)  # fmt: skip


@post(
    "/customers",
    status_code=200,
    dto=ExactJson[CustomerRequest],
    return_dto=None,
    guards=[json_only],
    responses=RESPONSES,
    summary="Create or update a customer",
)
async def post_customer(
    data: CustomerRequest, request: ServiceRequest, database: Database, company: Company
) -> CustomerAnswer:
    """Records what is asked; `fusion.state` tells later what became of it in Odoo."""
    if data.customer is None or data.customer == _NOTHING:
        raise parameter_missing("customer")
    values = asked_of_customer(data.customer, company.currency)
    await record_customer(database, request.auth, values)
    return await _find(database, request.auth, values["external_id"], company)


@get("/customers/{external_id:str}", responses=RESPONSES, summary="Read one customer")
async def get_customer(
    external_id: str, request: ServiceRequest, database: Database, company: Company
) -> CustomerAnswer:
    """One customer of the service's; 404 `customer_not_found`."""
    return await _find(database, request.auth, external_id, company)


@get("/customers", responses=RESPONSES, summary="List customers")
async def get_customers(
    request: ServiceRequest,
    database: Database,
    company: Company,
    page: _Count = None,
    per_page: _Count = None,
) -> CustomersPage:
    """Everybody whom the service asked for, or whom Odoo links to it, the newest first."""
    chosen = selection({"page": page, "per_page": per_page})
    offset = (chosen.page - 1) * chosen.per_page
    count = customers("count(*)")
    one_page = customers("*", f"{_ORDER} limit {chosen.per_page} offset {offset}")

    async def work(connection: Connection) -> tuple[int, list[asyncpg.Record]]:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            total = await connection.fetchval(count, request.auth)
            rows = await connection.fetch(one_page, request.auth)
        return total, rows

    total, rows = await database.run(work)
    return CustomersPage(
        [_customer(request.auth, row, company) for row in rows],
        page_meta(total, chosen.page, chosen.per_page),
    )


async def _find(
    database: Database, service_code: str, external_id: str, company: Company
) -> CustomerAnswer:
    if "\x00" in external_id:
        raise not_found("customer")

    async def work(connection: Connection) -> asyncpg.Record | None:
        return await connection.fetchrow(one_customer(), service_code, external_id)

    row = await database.run(work)
    if row is None:
        raise not_found("customer")
    return CustomerAnswer(_customer(service_code, row, company))


def _customer(service_code: str, row: asyncpg.Record, company: Company) -> Customer:
    asked: dict[str, Any] = msgspec.json.decode(row["payload"]) if row["payload"] else {}
    partner: dict[str, Any] = msgspec.json.decode(row["partner"]) if row["partner"] else {}
    return Customer(
        lago_id=lago_id("customer", service_code, row["external_id"]),
        sequential_id=None,
        slug=None,
        external_id=row["external_id"],
        billing_entity_code=None,
        name=asked.get("name") or odoo_text(partner, "name"),
        tax_identification_number=(
            asked.get("tax_identification_number") or odoo_text(partner, "vat")
        ),
        email=asked.get("email") or odoo_text(partner, "email"),
        applicable_timezone=asked.get("timezone") or company.timezone,
        skip_invoice_custom_sections=asked.get("skip_invoice_custom_sections", False),
        created_at=iso_seconds(row["created_at"]),
        updated_at=iso_seconds(row["received_at"] or row["created_at"]),
        shipping_address=asked.get("shipping_address", {}),
        billing_configuration=asked.get("billing_configuration", {}),
        integration_customers=asked.get("integration_customers", []),
        metadata=asked.get("metadata", []),
        taxes=[],
        applicable_invoice_custom_sections=[],
        fusion=CustomerFusion(**told_of(row), odoo=_partner(row, partner)),
        **{name: asked.get(name) for name in _PLAIN},
    )


def _partner(row: asyncpg.Record, partner: Mapping[str, Any]) -> OdooPartner | None:
    if row["account_link_id"] is None:
        return None
    return OdooPartner(
        partner_id=row["partner_id"],
        account_link_id=row["account_link_id"],
        name=odoo_text(partner, "name"),
        email=odoo_text(partner, "email"),
        tax_identification_number=odoo_text(partner, "vat"),
        active=bool(partner.get("active", True)),
        mirrored_at=iso_seconds(row["mirrored_at"] or row["linked_at"]),
    )
