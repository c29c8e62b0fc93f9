"""The mirror of Odoo: every record the platform reads, landed in raw.odoo_* as RPC returned it.

First version: every pass reads everything, writes what changed, and marks what is gone. Two parts:
the master data that rating needs, and the billing state that is read again after a push.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.engine import Engine

from odoo_gateway import schema
from odoo_gateway.client import Domain, OdooClient, Record
from odoo_gateway.errors import OdooRefusedError
from warehouse.tables import ODOO_TABLES

PAGE = 2000  # odoo.md: 0.04 ms a row against 0.21 at 500
MANY = 20


@dataclass(frozen=True)
class Mirrored:
    """One Odoo model and the raw table it lands in; Enterprise's fields where they exist."""

    table: str
    model: str
    fields: tuple[str, ...]
    domain: Domain = ()
    enterprise_fields: tuple[str, ...] = ()


@dataclass(frozen=True)
class MirrorCount:
    read: int
    changed: int
    deleted: int


def _names(model: schema.Model) -> tuple[str, ...]:
    """All fields but the one2manys: those are the many2one of the records at the other end."""
    return tuple(field.name for field in model.fields if field.type != "one2many")


_CUSTOMER_INVOICES = [("move_type", "in", ["out_invoice", "out_refund"])]

MASTER = (
    Mirrored("metric", "x_fc_metric", _names(schema.METRIC)),
    Mirrored("charge", "x_fc_charge", _names(schema.CHARGE)),
    Mirrored("charge_tier", "x_fc_charge_tier", _names(schema.CHARGE_TIER)),
    Mirrored(
        "account_link",
        "x_fc_account_link",
        ("x_name", "x_service_code", "x_external_account_id", "x_partner_id"),
    ),
    Mirrored(
        "partner",
        "res.partner",
        ("name", "email", "vat", "country_id", "state_id", "active"),
    ),
    Mirrored(
        "plan",
        "sale.subscription.plan",
        ("name", "billing_period_value", "billing_period_unit", "active"),
    ),
    Mirrored(
        "product",
        "product.product",
        ("name", "default_code", "type", "invoice_policy", "list_price", "active"),
        [("sale_ok", "=", True)],
        ("recurring_invoice",),
    ),
    Mirrored(
        "currency", "res.currency", ("name", "decimal_places", "active"), [("active", "=", True)]
    ),
    Mirrored("currency_rate", "res.currency.rate", ("name", "rate", "currency_id", "company_id")),
    Mirrored(
        "subscription",
        "sale.order",
        (
            "name",
            "state",
            "locked",
            "partner_id",
            "currency_id",
            "x_fc_service_code",
            "x_fc_external_id",
            "x_fc_external_account_id",
            "x_fc_plan_code",
            "x_fc_billing_time",
            "x_fc_trial_end",
            "x_fc_pauses",
        ),
        [("x_fc_external_id", "!=", False)],
        (
            "is_subscription",
            "plan_id",
            "subscription_state",
            "start_date",
            "end_date",
            "next_invoice_date",
        ),
    ),
    # What else stands on a subscription, its base fee above all. Usage lines are of the billing
    # state: rating must not read what it wrote.
    Mirrored(
        "base_line",
        "sale.order.line",
        ("order_id", "product_id", "product_uom_qty", "price_unit", "discount"),
        [("order_id.x_fc_external_id", "!=", False), ("x_fc_line_key", "=", False)],
    ),
)

BILLING = (
    Mirrored(
        "order_line",
        "sale.order.line",
        (
            "order_id",
            "product_id",
            "name",
            "product_uom_qty",
            "qty_delivered",
            "qty_invoiced",
            "price_unit",
            "discount",
            "tax_ids",
            "invoice_status",
            "x_fc_line_key",
        ),
        [("order_id.x_fc_external_id", "!=", False)],
    ),
    Mirrored(
        "invoice",
        "account.move",
        (
            "name",
            "move_type",
            "state",
            "payment_state",
            "partner_id",
            "invoice_date",
            "invoice_origin",
            "currency_id",
            "amount_untaxed",
            "amount_tax",
            "amount_total",
            "amount_residual",
        ),
        _CUSTOMER_INVOICES,
    ),
    Mirrored(
        "invoice_line",
        "account.move.line",
        (
            "move_id",
            "product_id",
            "name",
            "quantity",
            "price_unit",
            "price_subtotal",
            "price_total",
            "tax_ids",
            "sale_line_ids",
        ),
        [
            ("move_id.move_type", "in", ["out_invoice", "out_refund"]),
            ("display_type", "=", "product"),
        ],
    ),
)


class MassDeletionError(Exception):
    """Most records of a model are gone at once: more likely a lost access right than a clean-up."""


def mirror(
    engine: Engine,
    client: OdooClient,
    models: Sequence[Mirrored] = MASTER + BILLING,
    *,
    accept_deletions: bool = False,
) -> dict[str, MirrorCount]:
    """Lands `models` in raw.odoo_*, each in a transaction of its own; counts by table.

    Raises OdooTransientError or OdooRefusedError with Odoo's reason; MassDeletionError, unless
    told to accept them, before more than half of a model's records (20 or more) would be marked
    as deleted: the next billing run would credit all that they were billed. Tables already landed
    stay.
    """
    return {model.table: _mirror_one(engine, client, model, accept_deletions) for model in models}


def _mirror_one(
    engine: Engine, client: OdooClient, model: Mirrored, accept_deletions: bool
) -> MirrorCount:
    table = ODOO_TABLES[model.table]
    fields = _fields(client, model)
    seen: list[int] = []
    changed = 0
    with engine.begin() as connection:
        for page in _pages(client, model, fields):
            seen += [record["id"] for record in page]
            rows = [
                {
                    "id": record["id"],
                    "write_date": _utc(record["write_date"]),
                    "record": record,
                }
                for record in page
            ]
            statement = insert(table)
            same = sa.and_(
                table.c.record == statement.excluded.record, table.c.deleted_at.is_(None)
            )
            result = connection.execute(
                statement.values(rows).on_conflict_do_update(
                    index_elements=[table.c.id],
                    set_={
                        "write_date": statement.excluded.write_date,
                        "record": statement.excluded.record,
                        "mirrored_at": sa.func.clock_timestamp(),
                        "deleted_at": None,
                    },
                    where=sa.not_(same),
                ),
                # Of an insert, SQLAlchemy forgets the count (-1) unless told to keep it.
                execution_options={"preserve_rowcount": True},
            )
            changed += result.rowcount
        live: int = connection.execute(
            sa.select(sa.func.count()).where(table.c.deleted_at.is_(None))
        ).scalar_one()
        deleted = connection.execute(
            sa.update(table)
            .where(
                table.c.deleted_at.is_(None),
                table.c.id.not_in(sa.select(sa.func.unnest(sa.cast(seen, ARRAY(sa.BigInteger))))),
            )
            .values(deleted_at=sa.func.clock_timestamp())
        ).rowcount
        if deleted > live / 2 and live >= MANY and not accept_deletions:
            raise MassDeletionError(
                f"Odoo no longer shows {deleted} of {live} records of {model.model}: check the"
                " rights of ODOO_USER. If they were deleted on purpose, run"
                " `fusion-billing odoo mirror --accept-deletions`."
            )
    return MirrorCount(read=len(seen), changed=changed, deleted=deleted)


def _fields(client: OdooClient, model: Mirrored) -> list[str]:
    try:
        known = client.fields_get(model.model)
    except OdooRefusedError as error:
        if not model.model.startswith("x_fc_"):
            raise
        raise OdooRefusedError(
            f"Odoo has no model {model.model} that this user may read ({error}). "
            "Run `fusion-billing odoo bootstrap`.",
            name=error.name,
        ) from None
    missing = [name for name in model.fields if name not in known]
    if missing:
        raise OdooRefusedError(
            f"Odoo's {model.model} has no {', '.join(missing)}. "
            "Run `fusion-billing odoo bootstrap`."
        )
    optional = [name for name in model.enterprise_fields if name in known]
    return [*model.fields, *optional, "write_date"]


def _pages(client: OdooClient, model: Mirrored, fields: Sequence[str]) -> Iterator[list[Record]]:
    last = 0
    while True:
        page = client.search_read(
            model.model, [*model.domain, ("id", ">", last)], fields, order="id", limit=PAGE
        )
        if page:
            yield page
            last = page[-1]["id"]
        if len(page) < PAGE:
            return


def _utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
