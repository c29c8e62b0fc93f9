"""Journals, invoices, their lines, and the wizard that registers a payment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.odoo.fields import Field
from sandbox.odoo.models_base import ACTIVE, behind, many2many, many2one, selection

if TYPE_CHECKING:
    from sandbox.odoo.environment import Environment

MOVE_TYPES = ("entry", "out_invoice", "out_refund", "in_invoice", "in_refund")
PAYMENT_STATES = ("not_paid", "in_payment", "paid", "partial", "reversed", "blocked")
PRODUCT_LINES = ("product", "line_section", "line_note")


def _product_lines(env: Environment, model: str, number: int) -> list[int]:
    return [
        line
        for line in env.referring("account.move.line", "move_id", number)
        if env.value("account.move.line", line, "display_type") in PRODUCT_LINES
    ]


def _signed(name: str) -> Field:
    def compute(env: Environment, model: str, number: int) -> float:
        amount = float(env.value(model, number, name))
        return -amount if env.value(model, number, "move_type") == "out_refund" else amount

    return Field("monetary", f"{name} signed", compute=compute)


def _payments(env: Environment, model: str, number: int) -> list[int]:
    return env.store.referring("account.payment", "invoice_ids", number)


MODELS: dict[str, dict[str, Field]] = {
    "account.journal": {
        "name": Field(label="Journal Name", required=True),
        "code": Field(label="Sequence Prefix", required=True),
        "type": selection("Type", "sale", "purchase", "cash", "bank", "general"),
        "active": ACTIVE,
        "company_id": many2one("res.company", "Company", default=1),
    },
    "account.account": {
        "name": Field(label="Account Name", required=True),
        "code": Field(label="Code"),
        "account_type": Field("selection", "Type"),
        "active": ACTIVE,
    },
    "account.move": {
        "name": Field(label="Number"),
        "move_type": selection("Type", *MOVE_TYPES, required=True, default="entry"),
        "state": selection("Status", "draft", "posted", "cancel", required=True, default="draft"),
        "payment_state": selection("Payment Status", *PAYMENT_STATES, default="not_paid"),
        "partner_id": many2one("res.partner", "Partner"),
        "commercial_partner_id": behind(
            "partner_id", "commercial_partner_id", "many2one", "Commercial Entity", "res.partner"
        ),
        "date": Field("date", "Date", required=True, default=lambda env: env.today),
        "invoice_date": Field("date", "Invoice/Bill Date"),
        "invoice_date_due": Field("date", "Due Date"),
        "invoice_origin": Field(label="Origin"),
        "ref": Field(label="Reference"),
        "payment_reference": Field(label="Payment Reference"),
        "narration": Field("html", "Terms and Conditions"),
        "company_id": many2one("res.company", "Company", default=1),
        "currency_id": many2one("res.currency", "Currency"),
        "journal_id": many2one("account.journal", "Journal", default=1),
        "fiscal_position_id": many2one("account.fiscal.position", "Fiscal Position"),
        "invoice_user_id": many2one("res.users", "Salesperson", default=2),
        "reversed_entry_id": many2one("account.move", "Reversal of", on_delete="set null"),
        "line_ids": Field(
            "one2many", "Journal Items", relation="account.move.line", inverse="move_id"
        ),
        "invoice_line_ids": Field(
            "one2many",
            "Invoice lines",
            relation="account.move.line",
            inverse="move_id",
            compute=_product_lines,
        ),
        "amount_untaxed": Field("monetary", "Untaxed Amount"),
        "amount_tax": Field("monetary", "Tax"),
        "amount_total": Field("monetary", "Total"),
        "amount_residual": Field("monetary", "Amount Due"),
        "amount_untaxed_signed": _signed("amount_untaxed"),
        "amount_tax_signed": _signed("amount_tax"),
        "amount_total_signed": _signed("amount_total"),
        "amount_residual_signed": _signed("amount_residual"),
        "matched_payment_ids": many2many("account.payment", "Payments", compute=_payments),
    },
    "account.move.line": {
        "move_id": many2one("account.move", "Journal Entry", required=True),
        "sequence": Field("integer", "Sequence", default=10),
        "name": Field(label="Label"),
        "display_type": selection(
            "Display Type",
            "product",
            "tax",
            "payment_term",
            "line_section",
            "line_note",
            default="product",
        ),
        "product_id": many2one("product.product", "Product"),
        "product_uom_id": many2one("uom.uom", "Unit"),
        "quantity": Field("float", "Quantity", digits="Product Unit"),
        "price_unit": Field("float", "Unit Price"),
        "discount": Field("float", "Discount (%)", digits="Discount"),
        "tax_ids": many2many("account.tax", "Taxes"),
        "tax_line_id": many2one("account.tax", "Originator Tax"),
        "price_subtotal": Field("monetary", "Subtotal"),
        "price_total": Field("monetary", "Total"),
        "balance": Field("monetary", "Balance"),
        "debit": Field("monetary", "Debit"),
        "credit": Field("monetary", "Credit"),
        "amount_currency": Field("monetary", "Amount in Currency"),
        "account_id": many2one("account.account", "Account"),
        "sale_line_ids": many2many("sale.order.line", "Sales Order Lines"),
        # Enterprise's accounting: the days of service that a line pays for, both inclusive.
        "deferred_start_date": Field("date", "Start Date"),
        "deferred_end_date": Field("date", "End Date"),
        "parent_state": behind("move_id", "state", "selection", "Status"),
        "move_type": behind("move_id", "move_type", "selection", "Type"),
        "move_name": behind("move_id", "name", "char", "Number"),
        "date": behind("move_id", "date", "date", "Date"),
        "invoice_date": behind("move_id", "invoice_date", "date", "Invoice/Bill Date"),
        "partner_id": behind("move_id", "partner_id", "many2one", "Partner", "res.partner"),
        "journal_id": behind("move_id", "journal_id", "many2one", "Journal", "account.journal"),
        "currency_id": behind("move_id", "currency_id", "many2one", "Currency", "res.currency"),
        "company_id": behind("move_id", "company_id", "many2one", "Company", "res.company"),
    },
    "account.payment": {
        "name": Field(label="Number"),
        "state": selection("State", "draft", "in_process", "paid", "canceled", default="paid"),
        "payment_type": selection("Payment Type", "outbound", "inbound", default="inbound"),
        "amount": Field("monetary", "Amount"),
        "date": Field("date", "Date", default=lambda env: env.today),
        "memo": Field(label="Memo"),
        "partner_id": many2one("res.partner", "Customer"),
        "currency_id": many2one("res.currency", "Currency"),
        "journal_id": many2one("account.journal", "Journal", default=2),
        "invoice_ids": many2many("account.move", "Invoices"),
    },
    "account.payment.register": {
        "amount": Field("monetary", "Amount"),
        "payment_date": Field("date", "Payment Date", default=lambda env: env.today),
        "communication": Field(label="Memo"),
        "journal_id": many2one("account.journal", "Journal", default=2),
        "group_payment": Field("boolean", "Group Payments"),
        "move_ids": many2many("account.move", "Invoices"),
    },
}
