"""What a sale.order does: its defaults, its states, its lock."""

from __future__ import annotations

from sandbox.odoo.environment import Behaviour, Environment
from sandbox.odoo.errors import UserError
from sandbox.odoo.fields import Row
from sandbox.odoo.models_sale import invoices
from sandbox.odoo.order_lines import LINE, ORDER, recompute_lines, recompute_order
from sandbox.odoo.taxes import fiscal_position


def _prepare_order(env: Environment, row: Row) -> None:
    if not row.get("name"):
        row["name"] = f"S{env.store.next_id('sequence of sale.order'):05d}"
    partner = row.get("partner_id")
    if not partner:
        return
    env.checked("res.partner", [partner])
    row.setdefault("partner_invoice_id", partner)
    row.setdefault("partner_shipping_id", partner)
    row.setdefault("date_order", f"{env.today} {env.now[11:]}")
    row.setdefault("fiscal_position_id", fiscal_position(env, row["partner_shipping_id"]))
    row.setdefault("currency_id", env.row("product.pricelist", row["pricelist_id"])["currency_id"])
    row["is_subscription"] = bool(row.get("plan_id"))


def _orders_created(env: Environment, ids: list[int]) -> None:
    for number in ids:
        recompute_order(env, number)


def _order_writing(env: Environment, ids: list[int], row: Row, names: set[str]) -> None:
    if "pricelist_id" in names and any(env.value(ORDER, each, "state") == "sale" for each in ids):
        raise UserError("You cannot change the pricelist of a confirmed order !")
    if "plan_id" in names:
        row["is_subscription"] = bool(row["plan_id"])


def _order_written(env: Environment, ids: list[int], values: Row) -> None:
    for number in ids:
        if "partner_id" in values:
            partner = values["partner_id"]
            changes = {"partner_invoice_id": partner, "partner_shipping_id": partner}
            if env.value(ORDER, number, "state") == "draft":
                changes["fiscal_position_id"] = fiscal_position(env, partner)
            env.recompute(ORDER, number, {**changes, **values})
        if "state" in values:
            lines = env.referring(LINE, "order_id", number)
            for line in lines:
                env.update(LINE, line, {})  # their own state follows, and stamps them
            recompute_lines(env, lines)


def _order_deleting(env: Environment, ids: list[int]) -> None:
    if any(env.value(ORDER, number, "state") not in ("draft", "cancel") for number in ids):
        raise UserError(
            "You can not delete a sent quotation or a confirmed sales order. You must first cancel"
            " it."
        )
    for number in ids:
        for line in env.referring(LINE, "order_id", number):
            env.store.put(LINE, line, None)


def _confirm(env: Environment, ids: list[int]) -> bool:
    env.checked(ORDER, ids)
    if any(env.value(ORDER, number, "state") not in ("draft", "sent") for number in ids):
        raise UserError("Some orders are not in a state requiring confirmation.")
    env.write(ORDER, ids, {"state": "sale", "date_order": f"{env.today} {env.now[11:]}"})
    for number in ids:
        row = env.row(ORDER, number)
        if row["is_subscription"]:
            env.write(
                ORDER,
                [number],
                {
                    "subscription_state": "3_progress",
                    "start_date": row.get("start_date") or env.today,
                    "next_invoice_date": row.get("next_invoice_date") or env.today,
                },
            )
    return True


def _cancel(env: Environment, ids: list[int]) -> bool:
    if any(env.value(ORDER, number, "locked") for number in env.checked(ORDER, ids)):
        raise UserError("You cannot cancel a locked order. Please unlock it first.")
    for number in ids:
        for move in invoices(env, ORDER, number):
            if env.value("account.move", move, "state") == "draft":
                env.write("account.move", [move], {"state": "cancel"})
    env.write(ORDER, ids, {"state": "cancel"})
    return True


def _draft(env: Environment, ids: list[int]) -> bool:
    cancelled = [n for n in ids if env.value(ORDER, n, "state") in ("cancel", "sent")]
    env.write(ORDER, cancelled, {"state": "draft"})
    return True


def _lock(env: Environment, ids: list[int]) -> None:
    env.write(ORDER, ids, {"locked": True})


def _unlock(env: Environment, ids: list[int]) -> None:
    env.write(ORDER, ids, {"locked": False})


BEHAVIOURS = {
    ORDER: Behaviour(
        order="date_order desc, id desc",
        prepare=_prepare_order,
        created=_orders_created,
        writing=_order_writing,
        written=_order_written,
        deleting=_order_deleting,
        methods={
            "action_confirm": _confirm,
            "action_cancel": _cancel,
            "action_draft": _draft,
            "action_lock": _lock,
            "action_unlock": _unlock,
        },
    ),
}
