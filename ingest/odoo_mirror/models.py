"""What is mirrored: Odoo's models, the fields that somebody reads, and the raw tables they land in.

Two parts: the master data that rating needs, and the billing state that is read again after a push.
"""

from __future__ import annotations

from dataclasses import dataclass

from odoo_gateway import schema
from odoo_gateway.client import Domain


@dataclass(frozen=True)
class Mirrored:
    """One Odoo model and the raw table it lands in; Enterprise's fields where they exist."""

    table: str
    model: str
    fields: tuple[str, ...]
    domain: Domain = ()
    enterprise_fields: tuple[str, ...] = ()


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
    # The names behind the tax_ids of lines.
    Mirrored(
        "tax",
        "account.tax",
        ("name", "amount", "amount_type", "price_include", "active"),
        [("type_tax_use", "=", "sale")],
    ),
    Mirrored(
        "subscription",
        "sale.order",
        (
            "name",
            "state",
            "locked",
            "company_id",
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
            # Of a dual-run draft: what Odoo computes itself, and whether somebody confirmed it.
            "x_fc_dual_run",
            "price_subtotal",
            "price_tax",
            "state",
        ),
        ["|", ("order_id.x_fc_external_id", "!=", False), ("x_fc_dual_run", "=", True)],
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
            "invoice_date_due",
            "invoice_origin",
            "reversed_entry_id",
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
        # The days of service that a line pays for, which Enterprise writes on recurring lines.
        ("deferred_start_date", "deferred_end_date"),
    ),
)
