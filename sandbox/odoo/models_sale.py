"""Orders, their lines, subscription plans, and the wizard that invoices them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.odoo.fields import Field
from sandbox.odoo.models_base import ACTIVE, behind, many2many, many2one, selection
from sandbox.odoo.threads import THREAD

if TYPE_CHECKING:
    from sandbox.odoo.environment import Environment


def _invoice_lines(env: Environment, model: str, number: int) -> list[int]:
    return env.referring("account.move.line", "sale_line_ids", number)


def invoices(env: Environment, model: str, number: int) -> list[int]:
    """The invoices and credit notes of an order, newest last."""
    moves: set[int] = set()
    for line in env.referring("sale.order.line", "order_id", number):
        for move_line in env.store.referring("account.move.line", "sale_line_ids", line):
            moves.add(env.value("account.move.line", move_line, "move_id"))
    return sorted(moves)


def _invoice_count(env: Environment, model: str, number: int) -> int:
    return len(invoices(env, model, number))


ORDER_STATES = ("draft", "sent", "sale", "cancel")
INVOICE_STATES = ("upselling", "invoiced", "to invoice", "no")
SUBSCRIPTION_STATES = (
    "1_draft",
    "2_renewal",
    "3_progress",
    "4_paused",
    "5_renewed",
    "6_churn",
    "7_upsell",
)

MODELS: dict[str, dict[str, Field]] = {
    "sale.subscription.plan": {
        "name": Field(label="Name", required=True),
        "active": ACTIVE,
        "billing_period_value": Field("integer", "Duration", required=True, default=1),
        "billing_period_unit": selection(
            "Unit", "week", "month", "year", required=True, default="month"
        ),
    },
    "sale.order": {
        "name": Field(label="Order Reference", required=True),
        "partner_id": many2one("res.partner", "Customer", required=True),
        "partner_invoice_id": many2one("res.partner", "Invoice Address", required=True),
        "partner_shipping_id": many2one("res.partner", "Delivery Address", required=True),
        "state": selection("Status", *ORDER_STATES, default="draft"),
        "locked": Field("boolean", "Locked"),
        "date_order": Field("datetime", "Order Date", required=True),
        "client_order_ref": Field(label="Customer Reference"),
        "origin": Field(label="Source Document"),
        "note": Field("html", "Terms and conditions"),
        "company_id": many2one("res.company", "Company", required=True, default=1),
        "currency_id": many2one("res.currency", "Currency"),
        "pricelist_id": many2one("product.pricelist", "Pricelist", default=1),
        "fiscal_position_id": many2one("account.fiscal.position", "Fiscal Position"),
        "user_id": many2one("res.users", "Salesperson", default=2),
        "order_line": Field(
            "one2many", "Order Lines", relation="sale.order.line", inverse="order_id"
        ),
        "amount_untaxed": Field("monetary", "Untaxed Amount"),
        "amount_tax": Field("monetary", "Taxes"),
        "amount_total": Field("monetary", "Total"),
        "invoice_status": selection("Invoice Status", *INVOICE_STATES, default="no"),
        "invoice_ids": many2many("account.move", "Invoices", compute=invoices),
        "message_ids": THREAD,
        "invoice_count": Field("integer", "Invoice Count", compute=_invoice_count),
        # Enterprise's subscription fields, as documented.
        "is_subscription": Field("boolean", "Recurring"),
        "plan_id": many2one("sale.subscription.plan", "Recurring Plan", on_delete="set null"),
        "subscription_state": selection("Subscription Status", *SUBSCRIPTION_STATES),
        "start_date": Field("date", "Start Date"),
        "next_invoice_date": Field("date", "Date of Next Invoice"),
        "end_date": Field("date", "End Date"),
    },
    "sale.order.line": {
        "order_id": many2one("sale.order", "Order Reference", required=True),
        "sequence": Field("integer", "Sequence", default=10),
        "name": Field("text", "Description", required=True),
        "product_id": many2one("product.product", "Product"),
        "product_uom_id": many2one("uom.uom", "Unit"),
        "product_uom_qty": Field("float", "Quantity", default=1.0, digits="Product Unit"),
        "price_unit": Field("float", "Unit Price", shown_digits="Product Price"),
        "technical_price_unit": Field("float", "Technical Price Unit"),
        "discount": Field("float", "Discount (%)", digits="Discount"),
        "tax_ids": many2many("account.tax", "Taxes"),
        "display_type": selection("Display Type", "line_section", "line_subsection", "line_note"),
        "is_downpayment": Field("boolean", "Is a down payment"),
        "qty_delivered": Field("float", "Delivery Quantity", digits="Product Unit"),
        "qty_invoiced": Field("float", "Invoiced Quantity", digits="Product Unit"),
        "qty_to_invoice": Field("float", "Quantity To Invoice", digits="Product Unit"),
        "invoice_status": selection("Invoice Status", *INVOICE_STATES, default="no"),
        "price_subtotal": Field("monetary", "Subtotal"),
        "price_tax": Field("float", "Total Tax"),
        "price_total": Field("monetary", "Total"),
        "untaxed_amount_invoiced": Field("monetary", "Untaxed Invoiced Amount"),
        "untaxed_amount_to_invoice": Field("monetary", "Untaxed Amount To Invoice"),
        "invoice_lines": many2many("account.move.line", "Invoice Lines", compute=_invoice_lines),
        "state": behind("order_id", "state", "selection", "Order Status"),
        "order_partner_id": behind("order_id", "partner_id", "many2one", "Customer", "res.partner"),
        "company_id": behind("order_id", "company_id", "many2one", "Company", "res.company"),
        "currency_id": behind("order_id", "currency_id", "many2one", "Currency", "res.currency"),
        "product_template_id": behind(
            "product_id", "product_tmpl_id", "many2one", "Product Template", "product.template"
        ),
    },
    "sale.order.template": {
        "name": Field(label="Quotation Template", required=True),
        "active": ACTIVE,
        "company_id": many2one("res.company", "Company"),
        "sequence": Field("integer", "Sequence", default=10),
        "sale_order_template_line_ids": Field(
            "one2many",
            "Lines",
            relation="sale.order.template.line",
            inverse="sale_order_template_id",
        ),
    },
    "sale.order.template.line": {
        "sale_order_template_id": many2one(
            "sale.order.template", "Quotation Template Reference", required=True
        ),
        "sequence": Field("integer", "Sequence", default=10),
        "product_id": many2one("product.product", "Product"),
        "name": Field("text", "Description"),
        "product_uom_qty": Field("float", "Quantity", default=1.0, digits="Product Unit"),
        "display_type": selection("Display Type", "line_section", "line_subsection", "line_note"),
        "is_optional": Field("boolean", "Optional Line"),
    },
    "sale.advance.payment.inv": {
        "advance_payment_method": selection(
            "Create Invoice", "delivered", "percentage", "fixed", required=True, default="delivered"
        ),
        "sale_order_ids": many2many("sale.order", "Orders"),
        "consolidated_billing": Field("boolean", "Consolidated Billing", default=True),
        "deduct_down_payments": Field("boolean", "Deduct down payments", default=True),
    },
}
