"""The wizard that registers a payment of posted invoices."""

from __future__ import annotations

from decimal import Decimal

from sandbox.odoo.environment import Behaviour, Environment
from sandbox.odoo.errors import UserError
from sandbox.odoo.fields import Row, exact
from sandbox.odoo.moves import MOVE, MOVE_LINE


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


BEHAVIOURS = {
    "account.payment.register": Behaviour(
        prepare=_prepare_register, methods={"action_create_payments": _create_payments}
    ),
}
