"""What Odoo Enterprise's invoicing cron is assumed to do, as an outsider would do it by RPC.

The cron itself could not be tested; this is the one place that stands for it. It runs on the
double and on Odoo Community with the stub addon. Assumed, from Enterprise's documentation:

* A subscription is due while it is in progress and its next_invoice_date is not after today.
* An invoice dated next_invoice_date bills the recurring lines for the period that starts that day,
  in advance, and everything delivered and not yet invoiced: the usage of the period that ended.
* Invoices are per subscription, posted at once, and next_invoice_date moves on by the plan's
  period, month-end clamped to the day of start_date. Missed periods are invoiced one by one.
* On and after end_date recurring lines are not billed any more; the last usage still is, and the
  subscription is then closed (6_churn).
* Nothing to invoice is no error: only the date moves.

Community bills a line once: what is ordered (or, on products with invoice_policy `delivery`,
delivered) and not yet invoiced. So "a period begins" is written onto a recurring line as one more
period's quantity ordered or delivered. The ordered way cannot write to a locked order.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator, Sequence
from datetime import date, timedelta

from odoo_gateway.client import OdooClient, Record

CHUNK = 50
ORDER, LINE, MOVE = "sale.order", "sale.order.line", "account.move"
ORDER_FIELDS = ("name", "plan_id", "start_date", "next_invoice_date", "end_date", "invoice_ids")
LINE_FIELDS = (
    "product_id",
    "product_uom_qty",
    "price_unit",
    "qty_invoiced",
    "qty_to_invoice",
    "invoice_lines",
)


def invoice_due(client: OdooClient, on: date) -> list[int]:
    """Invoices and posts all that is due on `on`; ids of the account.move made, oldest first.

    Safe to repeat after an interruption: a draft that is lying there is posted, not made again.
    """
    moves: list[int] = []
    while due := _due(client, on):
        for orders in _chunks(due):
            moves += _invoice(client, orders)
    return moves


def _due(client: OdooClient, on: date) -> list[Record]:
    return client.search_read(
        ORDER,
        [
            ("is_subscription", "=", True),
            ("state", "=", "sale"),
            ("subscription_state", "=", "3_progress"),
            ("next_invoice_date", "<=", on.isoformat()),
        ],
        ORDER_FIELDS,
    )


def _chunks(orders: Sequence[Record]) -> Iterator[Sequence[Record]]:
    for start in range(0, len(orders), CHUNK):
        yield orders[start : start + CHUNK]


def _invoice(client: OdooClient, orders: Sequence[Record]) -> list[int]:
    """One period of each of these orders."""
    settled = _dated_invoices(client, orders)
    open_orders = [order for order in orders if order["id"] not in settled]
    drafts = _drafts(client, open_orders)
    fresh = [order for order in open_orders if order["id"] not in drafts]
    _begin_period(client, fresh)
    _create_invoices(client, fresh)
    drafts = _drafts(client, open_orders)
    moves = _post(client, open_orders, drafts)
    _move_on(client, orders)
    return moves


def _dated_invoices(client: OdooClient, orders: Sequence[Record]) -> set[int]:
    """Orders whose invoice of this very date is already posted: a run died before it moved on."""
    rows = client.search_read(
        MOVE,
        [("id", "in", _invoice_ids(orders)), ("state", "=", "posted")],
        ["invoice_date"],
    )
    dates = {row["id"]: row["invoice_date"] for row in rows}
    return {
        order["id"]
        for order in orders
        if any(dates.get(move) == order["next_invoice_date"] for move in order["invoice_ids"])
    }


def _drafts(client: OdooClient, orders: Sequence[Record]) -> dict[int, list[int]]:
    """Order → its draft invoices, read afresh."""
    ids = [order["id"] for order in orders]
    fresh = client.search_read(ORDER, [("id", "in", ids)], ["invoice_ids"])
    rows = client.search_read(
        MOVE, [("id", "in", _invoice_ids(fresh)), ("state", "=", "draft")], ["id"]
    )
    drafts = {row["id"] for row in rows}
    found = {order["id"]: sorted(drafts.intersection(order["invoice_ids"])) for order in fresh}
    return {order: moves for order, moves in found.items() if moves}


def _invoice_ids(orders: Sequence[Record]) -> list[int]:
    return [move for order in orders for move in order["invoice_ids"]]


def _begin_period(client: OdooClient, orders: Sequence[Record]) -> None:
    """Makes every recurring line invoiceable once more, by absolute values, so twice is once."""
    billed = [
        order["id"]
        for order in orders
        if not order["end_date"] or order["next_invoice_date"] < order["end_date"]
    ]
    lines = client.search_read(
        LINE,
        [
            ("order_id", "in", billed),
            ("product_id.recurring_invoice", "=", True),
            ("product_uom_qty", ">", 0),
        ],
        LINE_FIELDS,
    )
    delivered = _on_delivery(client, lines)
    for line in lines:
        if line["qty_to_invoice"] > 0:
            continue
        if line["product_id"] in delivered:
            values = {"qty_delivered": line["qty_invoiced"] + line["product_uom_qty"]}
        else:
            values = _one_more(line)
        client.write(LINE, [line["id"]], values)


def _one_more(line: Record) -> Record:
    """The ordered quantity after one more period; with its price, which Odoo would reset."""
    periods = max(len(line["invoice_lines"]), 1)
    quantity = line["product_uom_qty"] + line["product_uom_qty"] / periods
    return {"product_uom_qty": quantity, "price_unit": line["price_unit"]}


def _on_delivery(client: OdooClient, lines: Sequence[Record]) -> set[int]:
    """The products among these that are invoiced on delivered quantities."""
    products = client.search_read(
        "product.product",
        [
            ("id", "in", sorted({line["product_id"] for line in lines})),
            ("invoice_policy", "=", "delivery"),
        ],
        ["id"],
    )
    return {product["id"] for product in products}


def _create_invoices(client: OdooClient, orders: Sequence[Record]) -> None:
    rows = client.search_read(
        LINE,
        [("order_id", "in", [order["id"] for order in orders]), ("qty_to_invoice", "!=", 0)],
        ["order_id"],
    )
    ids = sorted({row["order_id"] for row in rows})
    if ids:
        wizard = client.create(
            "sale.advance.payment.inv",
            [
                {
                    "sale_order_ids": [(6, 0, ids)],
                    "advance_payment_method": "delivered",
                    # One invoice per service, not one per customer.
                    "consolidated_billing": False,
                }
            ],
        )
        client.call("sale.advance.payment.inv", "create_invoices", wizard)


def _post(client: OdooClient, orders: Sequence[Record], drafts: dict[int, list[int]]) -> list[int]:
    posted: list[int] = []
    by_date: dict[str, list[int]] = {}
    for order in orders:
        by_date.setdefault(order["next_invoice_date"], []).extend(drafts.get(order["id"], []))
    for day, moves in sorted(by_date.items()):
        if moves:
            client.write(MOVE, moves, {"invoice_date": day})
            client.call(MOVE, "action_post", moves)
            posted += moves
    return posted


def _move_on(client: OdooClient, orders: Sequence[Record]) -> None:
    plans = {
        plan["id"]: plan
        for plan in client.search_read(
            "sale.subscription.plan",
            [("id", "in", sorted({order["plan_id"] for order in orders}))],
            ["billing_period_value", "billing_period_unit"],
        )
    }
    changes: dict[tuple[str, bool], list[int]] = {}
    for order in orders:
        following = next_date(order, plans[order["plan_id"]])
        ended = bool(order["end_date"]) and order["next_invoice_date"] >= order["end_date"]
        changes.setdefault((following.isoformat(), ended), []).append(order["id"])
    for (day, ended), ids in changes.items():
        closing = {"subscription_state": "6_churn"} if ended else {}
        client.write(ORDER, ids, {"next_invoice_date": day, **closing})


def next_date(order: Record, plan: Record) -> date:
    """The invoice date after the order's; a month-end start comes back after a short month
    (31 Jan, 28 Feb, 31 Mar)."""
    current = date.fromisoformat(order["next_invoice_date"])
    value, unit = int(plan["billing_period_value"]), str(plan["billing_period_unit"])
    if unit == "week":
        return current + timedelta(weeks=value)
    start = date.fromisoformat(order["start_date"]) if order["start_date"] else current
    month_end = (current + timedelta(days=1)).day == 1
    day = start.day if month_end and start.day > current.day else current.day
    months = current.year * 12 + current.month - 1 + value * (12 if unit == "year" else 1)
    year, month = divmod(months, 12)
    return date(year, month + 1, min(day, monthrange(year, month + 1)[1]))
