"""What a sale.order and its lines do: prices, taxes, locks, what is left to invoice."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from sandbox.odoo.environment import Behaviour, Environment
from sandbox.odoo.errors import UserError, ValidationError, WrongValue
from sandbox.odoo.fields import Row, exact, half_up
from sandbox.odoo.models_sale import invoices
from sandbox.odoo.taxes import Base, fiscal_position, mapped, of_document, of_line

ORDER, LINE = "sale.order", "sale.order.line"
PROTECTED = (
    "discount",
    "name",
    "price_unit",
    "product_id",
    "product_uom_id",
    "product_uom_qty",
    "tax_ids",
)
# What a write of these makes Odoo compute again.
AMOUNT_FIELDS = {"product_uom_qty", "price_unit", "discount", "tax_ids", "product_id"}


def order_base(row: Row, quantity: str = "product_uom_qty") -> Base:
    price = exact(row.get("price_unit", 0.0)) * (1 - exact(row.get("discount", 0.0)) / 100)
    return Base(price * exact(row.get(quantity, 0.0)), tuple(row.get("tax_ids", [])))


# --- orders


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
            recompute_lines(env, env.referring(LINE, "order_id", number))


def _order_deleting(env: Environment, ids: list[int]) -> None:
    if any(env.value(ORDER, number, "state") not in ("draft", "cancel") for number in ids):
        raise UserError(
            "You can not delete a sent quotation or a confirmed sales order. You must first cancel"
            " it."
        )
    for number in ids:
        for line in env.referring(LINE, "order_id", number):
            env.store.put(LINE, line, None)


def recompute_order(env: Environment, number: int) -> None:
    rows = [env.row(LINE, line) for line in env.referring(LINE, "order_id", number)]
    amounts = of_document(env, [order_base(row) for row in rows if not row.get("display_type")])
    env.recompute(
        ORDER,
        number,
        {
            "amount_untaxed": float(amounts.untaxed),
            "amount_tax": float(amounts.tax),
            "amount_total": float(amounts.total),
            "invoice_status": _order_status(env, number, rows),
        },
    )


def _order_status(env: Environment, number: int, lines: list[Row]) -> str:
    states = {row["invoice_status"] for row in lines if not row.get("display_type")}
    if env.value(ORDER, number, "state") != "sale" or not states:
        return "no"
    if "to invoice" in states:
        return "to invoice"
    if states == {"invoiced"}:
        return "invoiced"
    return "upselling" if states <= {"invoiced", "upselling"} else "no"


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


# --- lines


def _prepare_line(env: Environment, row: Row) -> None:
    if not row.get("order_id"):
        raise WrongValue("Expected singleton: sale.order()")
    env.checked(ORDER, [row["order_id"]])
    if row.get("display_type"):
        row |= {"product_uom_qty": 0.0, "price_unit": 0.0}
        return
    if not row.get("product_id"):
        if row.get("name"):
            raise ValidationError(
                "The operation cannot be completed: Missing required fields on accountable sale"
                " order line."
            )
        return
    if "price_unit" in row:
        row.setdefault("technical_price_unit", row["price_unit"])
    else:
        row["price_unit"] = row["technical_price_unit"] = _list_price(env, row)
    row.setdefault("name", product_text(env, row["product_id"]))
    row.setdefault("product_uom_id", env.value("product.product", row["product_id"], "uom_id"))
    row.setdefault("tax_ids", _taxes(env, row))


def product_text(env: Environment, product: int) -> str:
    described = env.value("product.product", product, "description_sale")
    name = str(env.display_name("product.product", product))
    return f"{name}\n{described}" if described else name


def _list_price(env: Environment, row: Row) -> float:
    return float(env.value("product.product", row["product_id"], "list_price"))


def _taxes(env: Environment, row: Row) -> list[int]:
    position = env.value(ORDER, row["order_id"], "fiscal_position_id")
    return mapped(env, position, env.value("product.product", row["product_id"], "taxes_id"))


def _lines_created(env: Environment, ids: list[int]) -> None:
    recompute_lines(env, ids)


def _line_writing(env: Environment, ids: list[int], row: Row, names: set[str]) -> None:
    rows = [env.row(LINE, number) for number in ids]
    if "product_id" in names:
        for old in rows:
            if old.get("product_id") != row["product_id"] and not _product_updatable(env, old):
                raise UserError("You cannot modify the product of this order line.")
    if "price_unit" not in names:
        row.pop("technical_price_unit", None)
    protected = [name for name in PROTECTED if name in names]
    if protected and any(env.value(ORDER, old["order_id"], "locked") for old in rows):
        labels = "\n".join(env.models[LINE][name].label for name in protected)
        raise UserError(
            f"It is forbidden to modify the following fields in a locked order:\n{labels}"
        )
    if "product_uom_qty" in row and "price_unit" not in names:
        for old in rows:
            if old["product_uom_qty"] != row["product_uom_qty"]:
                _reset_price(env, old)


def _product_updatable(env: Environment, row: Row) -> bool:
    order = env.row(ORDER, row["order_id"])
    touched = row.get("qty_invoiced", 0.0) > 0 or row.get("qty_delivered", 0.0) > 0
    return order["state"] != "cancel" and not (
        order["state"] == "sale" and (order.get("locked") or touched)
    )


def _reset_price(env: Environment, row: Row) -> None:
    """Odoo's price trap: unless it was set by hand, the price goes back to the pricelist."""
    if not row.get("product_id") or row.get("qty_invoiced", 0.0) > 0:
        return
    by_hand = half_up(exact(row["price_unit"]), 2) != half_up(
        exact(row.get("technical_price_unit", 0.0)), 2
    )
    if not by_hand:
        price = _list_price(env, row)
        env.update(LINE, row["id"], {"price_unit": price, "technical_price_unit": price})


def _lines_written(env: Environment, ids: list[int], values: Row) -> None:
    if values.get("product_id"):
        for number in ids:
            row = env.row(LINE, number)
            if "name" not in values:
                env.update(LINE, number, {"name": product_text(env, row["product_id"])})
            if "price_unit" not in values:
                _reset_price(env, row)
            env.update(LINE, number, {"tax_ids": _taxes(env, row)})
    recompute_lines(env, ids)


def _lines_deleting(env: Environment, ids: list[int]) -> None:
    for number in ids:
        row = env.row(LINE, number)
        if env.value(LINE, number, "state") == "sale" and not row.get("display_type"):
            raise UserError(
                "Once a sales order is confirmed, you can't remove one of its lines (we need to"
                " track if something gets invoiced or delivered).\n"
                "                Set the quantity to 0 instead."
            )


def _lines_deleted(env: Environment, rows: list[Row]) -> None:
    for order in {row["order_id"] for row in rows}:
        recompute_order(env, order)


def recompute_lines(env: Environment, ids: Iterable[int]) -> None:
    """Amounts and what is left to invoice of these lines, then the totals of their orders."""
    orders = set()
    for number in ids:
        row = env.row(LINE, number)
        orders.add(row["order_id"])
        env.recompute(LINE, number, {**_amounts(env, row), **_invoicing(env, row)})
    for order in sorted(orders):
        recompute_order(env, order)


def _amounts(env: Environment, row: Row) -> Row:
    amounts = of_line(env, order_base(row))
    subtotal, total = float(amounts.untaxed), float(amounts.total)
    # Odoo subtracts floats here too: 21.47 - 19.0 is 2.469999999999999 there.
    return {"price_subtotal": subtotal, "price_total": total, "price_tax": total - subtotal}


def _invoicing(env: Environment, row: Row) -> Row:
    invoiced = untaxed = Decimal(0)
    for number in env.store.referring("account.move.line", "sale_line_ids", row["id"]):
        line = env.row("account.move.line", number)
        move = env.row("account.move", line["move_id"])
        sign = -1 if move["move_type"] == "out_refund" else 1
        if move["state"] != "cancel":
            invoiced += sign * exact(line["quantity"])
        if move["state"] == "posted":
            untaxed += sign * exact(line["price_subtotal"])
    result: Row = {
        "qty_invoiced": float(invoiced),
        "untaxed_amount_invoiced": float(untaxed),
        "qty_to_invoice": 0.0,
        "untaxed_amount_to_invoice": 0.0,
        "invoice_status": "no",
    }
    if env.value(ORDER, row["order_id"], "state") != "sale" or row.get("display_type"):
        return result
    delivered = env.value("product.product", row["product_id"], "invoice_policy") == "delivery"
    counted = "qty_delivered" if delivered else "product_uom_qty"
    left = exact(row.get(counted, 0.0)) - invoiced
    result["qty_to_invoice"] = float(left)
    result["untaxed_amount_to_invoice"] = float(
        half_up(order_base(row, counted).amount, 2) - untaxed
    )
    if left:
        result["invoice_status"] = "to invoice"
    elif not delivered and row.get("qty_delivered", 0.0) > row["product_uom_qty"] >= 0:
        result["invoice_status"] = "upselling"
    elif invoiced >= exact(row["product_uom_qty"]):
        result["invoice_status"] = "invoiced"
    return result


def _web_save_multi(
    env: Environment,
    ids: list[int],
    vals_list: list[Row],
    specification: Row | None = None,
    next_id: Any = None,
) -> list[Row]:
    for number, values in zip(ids, vals_list, strict=True):
        env.write(LINE, [number], values)
    return env.read(LINE, ids, ["id", *(specification or {})])


def _line_name(env: Environment, number: int) -> str:
    row = env.row(LINE, number)
    order = env.row(ORDER, row["order_id"])
    text = str(row["name"]).split("\n", 1)[0]
    return f"{order['name']} - {text} ({env.display_name('res.partner', order['partner_id'])})"


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
    LINE: Behaviour(
        order="order_id, sequence, id",
        prepare=_prepare_line,
        created=_lines_created,
        writing=_line_writing,
        written=_lines_written,
        deleting=_lines_deleting,
        deleted=_lines_deleted,
        display_name=_line_name,
        methods={"web_save_multi": _web_save_multi},
    ),
}
