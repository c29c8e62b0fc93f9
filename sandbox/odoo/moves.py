"""Invoices and credit notes: their totals, the lines that balance them, posting."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from sandbox.odoo.environment import Behaviour, Environment
from sandbox.odoo.errors import UserError
from sandbox.odoo.fields import Row
from sandbox.odoo.models_account import PRODUCT_LINES
from sandbox.odoo.order_lines import order_base, product_text, recompute_lines
from sandbox.odoo.taxes import Amounts, fiscal_position, mapped, of_document, of_line

MOVE, MOVE_LINE = "account.move", "account.move.line"
PREFIXES = {"out_invoice": "INV", "out_refund": "RINV", "entry": "MISC"}
INCOME, RECEIVABLE, TAX_DUE = 1, 2, 3


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


def _prepare_move(env: Environment, row: Row) -> None:
    row.setdefault("invoice_date_due", row.get("invoice_date") or env.today)
    if row.get("partner_id"):
        row.setdefault("fiscal_position_id", fiscal_position(env, row["partner_id"]))
    row.setdefault("currency_id", env.row("res.company", 1)["currency_id"])


def _moves_created(env: Environment, ids: list[int]) -> None:
    for number in ids:
        recompute_move(env, number)


def _moves_written(env: Environment, ids: list[int], values: Row) -> None:
    for number in ids:
        if env.row(MOVE, number)["state"] == "draft" and not values:
            # Only lines were written: they came as commands.
            recompute_move(env, number)
    if "state" in values or not values:
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
    """On a draft everything follows; on a posted move the line and its order do, no total does."""
    moves = {env.row(MOVE_LINE, number)["move_id"] for number in ids}
    for number in ids:
        line = env.row(MOVE_LINE, number)
        if line["display_type"] == "product":
            own = of_line(env, order_base(line, "quantity"))
            amounts = {"price_subtotal": float(own.untaxed), "price_total": float(own.total)}
            env.recompute(MOVE_LINE, number, amounts)
    for move in moves:
        if env.row(MOVE, move)["state"] == "draft":
            recompute_move(env, move)
    _recompute_orders(env, sorted(moves))


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


def _move_name(env: Environment, number: int) -> str:
    row = env.row(MOVE, number)
    kind = "Credit Note" if row["move_type"] == "out_refund" else "Invoice"
    ref = f" ({row['ref']})" if row.get("ref") else ""
    if row["state"] == "posted":
        return f"{row['name']}{ref}"
    return f"Draft {kind}{' ' + row['name'] if row.get('name') else ''}{ref}"


def _register_payment(env: Environment, ids: list[int]) -> Row:
    lines = [line for move in ids for line in env.referring(MOVE_LINE, "move_id", move)]
    return {
        "name": "Pay",
        "type": "ir.actions.act_window",
        "res_model": "account.payment.register",
        "context": {"active_model": MOVE_LINE, "active_ids": lines},
    }


BEHAVIOURS = {
    MOVE: Behaviour(
        order="date desc, name desc, invoice_date desc, id desc",
        prepare=_prepare_move,
        created=_moves_created,
        written=_moves_written,
        deleting=_moves_deleting,
        display_name=_move_name,
        methods={
            "action_post": _post,
            "action_register_payment": _register_payment,
            "button_draft": _to_draft,
            "button_cancel": _to_cancelled,
        },
    ),
    MOVE_LINE: Behaviour(
        order="date desc, move_name desc, id",
        prepare=_prepare_move_line,
        written=_move_lines_written,
    ),
}
