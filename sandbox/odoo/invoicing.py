"""Invoices: the wizard that makes them from orders, their totals, posting and payment."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from sandbox.odoo.environment import Behaviour, Environment
from sandbox.odoo.errors import UserError
from sandbox.odoo.fields import Row, exact
from sandbox.odoo.models_account import PRODUCT_LINES
from sandbox.odoo.orders import LINE, ORDER, order_base, product_text, recompute_lines
from sandbox.odoo.taxes import Amounts, fiscal_position, mapped, of_document, of_line

MOVE, MOVE_LINE = "account.move", "account.move.line"
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
PREFIXES = {"out_invoice": "INV", "out_refund": "RINV", "entry": "MISC"}
INCOME, RECEIVABLE, TAX_DUE = 1, 2, 3


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
            "name": row["name"],
            "product_id": row["product_id"],
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


def _switch_to_credit_note(env: Environment, move: int) -> None:
    env.update(MOVE, move, {"move_type": "out_refund"})
    for line in env.value(MOVE, move, "invoice_line_ids"):
        quantity = -env.value(MOVE_LINE, line, "quantity")
        env.update(MOVE_LINE, line, {"quantity": quantity})
    recompute_move(env, move)


# --- totals


def recompute_move(env: Environment, move: int) -> None:
    """Line and document totals, and the tax and receivable lines that balance them."""
    lines = [env.row(MOVE_LINE, line) for line in env.referring(MOVE_LINE, "move_id", move)]
    goods = [line for line in lines if line["display_type"] == "product"]
    sign = 1 if env.row(MOVE, move)["move_type"] == "out_refund" else -1
    amounts = of_document(env, [order_base(line, "quantity") for line in goods])
    for line, balance in zip(goods, _balances(env, goods, amounts), strict=True):
        own = of_line(env, order_base(line, "quantity"))
        values = {"price_subtotal": float(own.untaxed), "price_total": float(own.total)}
        env.recompute(MOVE_LINE, line["id"], values | _entry(sign * balance))
    for line in lines:
        if line["display_type"] in ("tax", "payment_term"):
            env.store.put(MOVE_LINE, line["id"], None)
    for tax, amount in amounts.taxes.items():
        if amount:
            _balancing(env, move, "tax", sign * amount, env.row("account.tax", tax)["name"], tax)
    _balancing(env, move, "payment_term", -sign * amounts.total, False, False)
    env.recompute(
        MOVE,
        move,
        {
            "amount_untaxed": float(amounts.untaxed),
            "amount_tax": float(amounts.tax),
            "amount_total": float(amounts.total),
            "amount_residual": float(amounts.total),
        },
    )


def _balances(env: Environment, goods: list[Row], amounts: Amounts) -> list[Decimal]:
    """Each line's share of the document's untaxed total; the cents that rounding the total once
    leaves over go to the largest line."""
    own = [of_line(env, order_base(line, "quantity")).untaxed for line in goods]
    if own:
        largest = max(range(len(own)), key=lambda position: abs(own[position]))
        own[largest] += amounts.untaxed - sum(own)
    return own


def _entry(balance: Decimal) -> Row:
    amount = float(balance)
    return {
        "balance": amount,
        "amount_currency": amount,
        "debit": max(amount, 0.0),
        "credit": max(-amount, 0.0),
    }


def _balancing(
    env: Environment, move: int, kind: str, balance: Decimal, name: Any, tax: Any
) -> None:
    number = env.store.next_id(MOVE_LINE)
    row = {
        "id": number,
        "move_id": move,
        "display_type": kind,
        "name": name,
        "tax_line_id": tax,
        "account_id": TAX_DUE if kind == "tax" else RECEIVABLE,
        "sequence": 10000 if kind == "tax" else 12000,
        "create_uid": 2,
        "write_uid": 2,
        "create_date": env.now,
        "write_date": env.now,
    }
    env.store.put(MOVE_LINE, number, row | _entry(balance))


# --- moves


def _prepare_move(env: Environment, row: Row) -> None:
    row.setdefault("invoice_date_due", row.get("invoice_date") or env.today)
    if row.get("partner_id"):
        row.setdefault("fiscal_position_id", fiscal_position(env, row["partner_id"]))
    row.setdefault("currency_id", env.row("res.company", 1)["currency_id"])


def _moves_created(env: Environment, ids: list[int]) -> None:
    for number in ids:
        recompute_move(env, number)


def _moves_written(env: Environment, ids: list[int], values: Row) -> None:
    if "state" in values:
        _recompute_orders(env, ids)


def _moves_deleting(env: Environment, ids: list[int]) -> None:
    for number in ids:
        if env.row(MOVE, number)["state"] == "posted":
            raise UserError(
                "You can't delete a posted journal item. Don’t play games with your accounting"
                " records; reset the journal entry to draft before deleting it."
            )
    for number in ids:
        touched = _sale_lines(env, number)
        for line in env.referring(MOVE_LINE, "move_id", number):
            env.store.put(MOVE_LINE, line, None)
        recompute_lines(env, touched)


def _sale_lines(env: Environment, move: int) -> list[int]:
    lines = env.value(MOVE, move, "invoice_line_ids")
    return sorted({each for line in lines for each in env.value(MOVE_LINE, line, "sale_line_ids")})


def _recompute_orders(env: Environment, moves: Iterable[int]) -> None:
    recompute_lines(env, sorted({each for move in moves for each in _sale_lines(env, move)}))


def _prepare_move_line(env: Environment, row: Row) -> None:
    if row["display_type"] not in PRODUCT_LINES:
        return
    row.setdefault("quantity", 1.0)
    row.setdefault("account_id", INCOME)
    product = row.get("product_id")
    if product and row["display_type"] == "product":
        row.setdefault("name", product_text(env, product))
        row.setdefault("price_unit", env.value("product.product", product, "list_price"))
        position = env.value(MOVE, row["move_id"], "fiscal_position_id")
        taxes = env.value("product.product", product, "taxes_id")
        row.setdefault("tax_ids", mapped(env, position, taxes))


def _move_lines_written(env: Environment, ids: list[int], values: Row) -> None:
    """On a draft invoice everything follows; on a posted one the line changes and no total does."""
    for move in {env.row(MOVE_LINE, number)["move_id"] for number in ids}:
        if env.row(MOVE, move)["state"] == "draft":
            recompute_move(env, move)
            _recompute_orders(env, [move])


def _post(env: Environment, ids: list[int]) -> bool:
    rows = [env.row(MOVE, number) for number in ids]
    posted = [row for row in rows if row["state"] != "draft"]
    if posted:
        raise UserError(
            "\n".join(
                f"The entry {row.get('name')} (id {row['id']}) must be in draft." for row in posted
            )
        )
    for row in rows:
        day = row.get("invoice_date") or env.today
        name = row.get("name") or _number(env, row["move_type"], day)
        values = {
            "state": "posted",
            "name": name,
            "invoice_date": day,
            "date": day,
            "invoice_date_due": max(str(row.get("invoice_date_due") or day), str(day)),
            "payment_reference": row.get("payment_reference") or name,
        }
        if not row["amount_total"]:
            values["payment_state"] = "paid"
        env.write(MOVE, [row["id"]], values)
        for line in env.referring(MOVE_LINE, "move_id", row["id"]):
            if env.value(MOVE_LINE, line, "display_type") == "payment_term":
                origin = row.get("ref")
                env.update(MOVE_LINE, line, {"name": f"{origin} - {name}" if origin else name})
    return False


def _number(env: Environment, move_type: str, day: str) -> str:
    prefix = f"{PREFIXES[move_type]}/{day[:4]}"
    return f"{prefix}/{env.store.next_id(f'sequence of {prefix}'):05d}"


def _to_draft(env: Environment, ids: list[int]) -> None:
    env.write(MOVE, ids, {"state": "draft"})


def _to_cancelled(env: Environment, ids: list[int]) -> None:
    env.write(MOVE, ids, {"state": "cancel"})


# --- payment


def _prepare_register(env: Environment, row: Row) -> None:
    moves = env.context.get("active_ids", [])
    if env.context.get("active_model") == MOVE_LINE:
        moves = sorted({env.value(MOVE_LINE, line, "move_id") for line in moves})
    row["move_ids"] = moves
    due = sum((exact(env.row(MOVE, move)["amount_residual"]) for move in moves), Decimal(0))
    row.setdefault("amount", float(due))
    row.setdefault("communication", ", ".join(str(env.row(MOVE, each)["name"]) for each in moves))


def _create_payments(env: Environment, ids: list[int]) -> Row:
    made: list[int] = []
    for wizard in (env.row("account.payment.register", number) for number in ids):
        if any(env.row(MOVE, move)["state"] != "posted" for move in wizard["move_ids"]):
            raise UserError("You can only register payment for posted journal entries.")
        left = exact(wizard["amount"])
        for move in wizard["move_ids"]:
            row = env.row(MOVE, move)
            due = exact(row["amount_residual"])
            paid = due if len(wizard["move_ids"]) > 1 else min(left, due)
            made += env.create(
                "account.payment",
                [
                    {
                        "name": f"PBNK1/{wizard['payment_date'][:4]}/{move:05d}",
                        "amount": float(paid),
                        "date": wizard["payment_date"],
                        "memo": wizard["communication"],
                        "partner_id": row["partner_id"],
                        "currency_id": row["currency_id"],
                        "invoice_ids": [[6, 0, [move]]],
                    }
                ],
            )
            state = "paid" if paid == due else "partial"
            env.update(MOVE, move, {"amount_residual": float(due - paid), "payment_state": state})
    return {"type": "ir.actions.act_window", "res_model": "account.payment", "res_id": made[-1]}


def _register_payment(env: Environment, ids: list[int]) -> Row:
    lines = [line for move in ids for line in env.referring(MOVE_LINE, "move_id", move)]
    return {
        "name": "Pay",
        "type": "ir.actions.act_window",
        "res_model": "account.payment.register",
        "context": {"active_model": MOVE_LINE, "active_ids": lines},
    }


def _move_name(env: Environment, number: int) -> str:
    row = env.row(MOVE, number)
    kind = "Credit Note" if row["move_type"] == "out_refund" else "Invoice"
    ref = f" ({row['ref']})" if row.get("ref") else ""
    if row["state"] == "posted":
        return f"{row['name']}{ref}"
    return f"Draft {kind}{' ' + row['name'] if row.get('name') else ''}{ref}"


BEHAVIOURS = {
    "sale.advance.payment.inv": Behaviour(methods={"create_invoices": _create_invoices}),
    MOVE: Behaviour(
        order="date desc, name desc, invoice_date desc, id desc",
        prepare=_prepare_move,
        created=_moves_created,
        written=_moves_written,
        deleting=_moves_deleting,
        display_name=_move_name,
        methods={
            "action_post": _post,
            "button_draft": _to_draft,
            "button_cancel": _to_cancelled,
            "action_register_payment": _register_payment,
        },
    ),
    MOVE_LINE: Behaviour(
        order="date desc, move_name desc, id",
        prepare=_prepare_move_line,
        written=_move_lines_written,
    ),
    "account.payment.register": Behaviour(
        prepare=_prepare_register, methods={"action_create_payments": _create_payments}
    ),
}
