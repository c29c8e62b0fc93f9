"""Lines of a sale.order: prices, taxes, locks, what is left to invoice, and the order's totals."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from sandbox.odoo import threads
from sandbox.odoo.environment import Behaviour, Environment
from sandbox.odoo.errors import UserError, WrongValue
from sandbox.odoo.fields import Row, exact, half_up
from sandbox.odoo.pricelists import line_discount, line_price, shows_discounts
from sandbox.odoo.taxes import Base, included, mapped, of_document, of_line

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


def order_base(row: Row, quantity: str = "product_uom_qty") -> Base:
    price = exact(row.get("price_unit", 0.0)) * (1 - exact(row.get("discount", 0.0)) / 100)
    return Base(price * exact(row.get(quantity, 0.0)), tuple(row.get("tax_ids", [])))


def _prepare_line(env: Environment, row: Row) -> None:
    if not row.get("order_id"):
        raise WrongValue("Expected singleton: sale.order()")
    env.checked(ORDER, [row["order_id"]])
    if row.get("display_type"):
        row |= {"product_uom_qty": 0.0, "price_unit": 0.0}
        return
    if not row.get("product_id"):
        return
    if "price_unit" in row:
        row.setdefault("technical_price_unit", row["price_unit"])
    else:
        row["price_unit"] = row["technical_price_unit"] = line_price(env, row)
    if "discount" not in row:
        row["discount"] = line_discount(env, row)
    row.setdefault("name", product_text(env, row["product_id"]))
    row.setdefault("product_uom_id", env.value("product.product", row["product_id"], "uom_id"))
    row.setdefault("tax_ids", _taxes(env, row))


def product_text(env: Environment, product: int) -> str:
    described = env.value("product.product", product, "description_sale")
    name = str(env.display_name("product.product", product))
    return f"{name}\n{described}" if described else name


def _taxes(env: Environment, row: Row) -> list[int]:
    position = env.value(ORDER, row["order_id"], "fiscal_position_id")
    return mapped(env, position, env.value("product.product", row["product_id"], "taxes_id"))


def _lines_created(env: Environment, ids: list[int]) -> None:
    recompute_lines(env, ids)
    threads.lines_added(env, [env.row(LINE, number) for number in ids])


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
            _reset_price(env, old)
    if "product_uom_qty" in row and "discount" not in names and shows_discounts(env):
        for old in rows:
            _reset_discount(env, old)


def _product_updatable(env: Environment, row: Row) -> bool:
    order = env.row(ORDER, row["order_id"])
    touched = row.get("qty_invoiced", 0.0) > 0 or row.get("qty_delivered", 0.0) > 0
    return order["state"] != "cancel" and not (
        order["state"] == "sale" and (order.get("locked") or touched)
    )


def _reset_price(env: Environment, row: Row) -> None:
    """Odoo's price trap: writing a quantity, even the same one, puts the price back to the
    pricelist, unless the price was written by hand since."""
    if not row.get("product_id") or row.get("qty_invoiced", 0.0) > 0:
        return
    by_hand = half_up(exact(row["price_unit"]), 2) != half_up(
        exact(row.get("technical_price_unit", 0.0)), 2
    )
    if not by_hand:
        price = line_price(env, row)
        env.update(LINE, row["id"], {"price_unit": price, "technical_price_unit": price})


def _reset_discount(env: Environment, row: Row) -> None:
    """Of the same trap, where the feature "Discounts" is on: one by hand goes as well."""
    if row.get("product_id"):
        env.update(LINE, row["id"], {"discount": line_discount(env, row)})


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
    policy = env.value("product.product", row.get("product_id", 0), "invoice_policy")
    delivered = policy != "order"
    counted = "qty_delivered" if delivered else "product_uom_qty"
    left = exact(row.get(counted, 0.0)) - invoiced
    result["qty_to_invoice"] = float(left)
    # Odoo subtracts doubles and rounds then, so what is left of half a cent is 0.00 or -0.01.
    price = row["price_unit"] * (1 - row.get("discount", 0.0) / 100)
    amount = price * row.get(counted, 0.0)
    if included(env, row.get("tax_ids", [])):
        amount = float(of_line(env, order_base(row, counted)).untaxed)
    open_amount = amount - float(untaxed)
    result["untaxed_amount_to_invoice"] = float(half_up(exact(open_amount), 2))
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


def recompute_order(env: Environment, number: int) -> None:
    rows = [env.row(LINE, line) for line in env.referring(LINE, "order_id", number)]
    amounts = of_document(env, [order_base(row) for row in rows if not row.get("display_type")])
    if float(amounts.total) != env.value(ORDER, number, "amount_total"):
        threads.total_changed(env, number)
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


BEHAVIOURS = {
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
