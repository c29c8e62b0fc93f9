"""The wizard that makes invoices from orders."""

from __future__ import annotations

from typing import Any

from sandbox.odoo.environment import Behaviour, Environment
from sandbox.odoo.errors import UserError
from sandbox.odoo.fields import Row
from sandbox.odoo.moves import MOVE, MOVE_LINE, recompute_move
from sandbox.odoo.order_lines import LINE, ORDER, recompute_lines

NOTHING = (
    "Cannot create an invoice. No items are available to invoice.\n\n"
    "To resolve this issue, please ensure that:\n"
    "   \u2022 The products have been delivered before attempting to invoice them.\n"
    "   \u2022 The invoicing policy of the product is configured correctly.\n\n"
    "If you want to invoice based on ordered quantities instead:\n"
    "   \u2022 For consumable or storable products, open the product, go to the 'General"
    " Information' tab and change the 'Invoicing Policy' from 'Delivered Quantities' to 'Ordered"
    " Quantities'.\n"
    "   \u2022 For services (and other products), change the 'Invoicing Policy' to"
    " 'Prepaid/Fixed Price'.\n"
)


def _create_invoices(env: Environment, ids: list[int]) -> Row:
    """One invoice per order, or per customer when the wizard consolidates (Odoo's default)."""
    (wizard,) = (env.row("sale.advance.payment.inv", each) for each in ids)
    groups: dict[tuple[Any, ...], list[int]] = {}
    for order in wizard.get("sale_order_ids", []):
        if not _invoiceable(env, order, wizard["deduct_down_payments"]):
            continue
        row = env.row(ORDER, order)
        key: tuple[Any, ...] = (order,)
        if wizard["consolidated_billing"]:
            key = tuple(
                row.get(name)
                for name in (
                    "partner_invoice_id",
                    "partner_shipping_id",
                    "currency_id",
                    "fiscal_position_id",
                )
            )
        groups.setdefault(key, []).append(order)
    if not groups:
        raise UserError(NOTHING)
    moves = [_invoice(env, orders, wizard["deduct_down_payments"]) for orders in groups.values()]
    single: Row = {"res_id": moves[0]}
    several: Row = {"domain": [["id", "in", moves]]}
    action: Row = {
        "type": "ir.actions.act_window",
        "name": "Invoices",
        "res_model": MOVE,
        "context": {"default_move_type": "out_invoice"},
    }
    return action | (single if len(moves) == 1 else several)


def _invoiceable(env: Environment, order: int, final: bool) -> list[Row]:
    rows = [env.row(LINE, line) for line in env.referring(LINE, "order_id", order)]
    return [
        row
        for row in rows
        if row.get("qty_to_invoice", 0.0) > 0 or (row.get("qty_to_invoice", 0.0) < 0 and final)
    ]


def _invoice(env: Environment, orders: list[int], final: bool) -> int:
    first = env.row(ORDER, orders[0])
    names = ", ".join(env.row(ORDER, order)["name"] for order in orders)
    refs = ", ".join(
        env.row(ORDER, order).get("client_order_ref") or env.row(ORDER, order)["name"]
        for order in orders
    )
    source = [row for order in orders for row in _invoiceable(env, order, final)]
    lines = [
        {
            "sequence": sequence,
            "name": _full_name(env, row),
            "product_id": row.get("product_id"),
            "product_uom_id": row.get("product_uom_id"),
            "quantity": row["qty_to_invoice"],
            "price_unit": row["price_unit"],
            "discount": row.get("discount", 0.0),
            "tax_ids": [[6, 0, row.get("tax_ids", [])]],
            "sale_line_ids": [[6, 0, [row["id"]]]],
        }
        for sequence, row in enumerate(source)
    ]
    (move,) = env.create(
        MOVE,
        [
            {
                "move_type": "out_invoice",
                "partner_id": first["partner_invoice_id"],
                "currency_id": first["currency_id"],
                "fiscal_position_id": first.get("fiscal_position_id"),
                "invoice_user_id": first.get("user_id"),
                "invoice_origin": names,
                "ref": refs,
                "invoice_line_ids": [[0, 0, line] for line in lines],
            }
        ],
    )
    if env.row(MOVE, move)["amount_total"] < 0 and final:
        _switch_to_credit_note(env, move)
    recompute_lines(env, [row["id"] for row in source])
    return move


def _full_name(env: Environment, row: Row) -> str:
    """The order line's words, after the product's name unless they hold it."""
    product = row.get("product_id")
    named = env.display_name("product.product", product) if product else ""
    return str(row["name"]) if named in row["name"] else f"{named}\n{row['name']}"


def _switch_to_credit_note(env: Environment, move: int) -> None:
    env.update(MOVE, move, {"move_type": "out_refund"})
    for line in env.value(MOVE, move, "invoice_line_ids"):
        quantity = -env.value(MOVE_LINE, line, "quantity")
        env.update(MOVE_LINE, line, {"quantity": quantity})
    recompute_move(env, move)


BEHAVIOURS = {"sale.advance.payment.inv": Behaviour(methods={"create_invoices": _create_invoices})}
