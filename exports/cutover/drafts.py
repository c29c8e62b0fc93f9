"""Dual-run drafts: what Odoo would bill, on a quotation that bills nothing.

One quotation per subscription and period, of the subscription's customer, price list and fiscal
position, found again by its key. Its lines order their quantity, so that Odoo computes subtotal and
tax itself, and deliver nothing: even a confirmed draft has nothing to invoice, for usage products
are invoiced by delivered quantities (seen on Odoo 19; tests/contract/test_odoo_drafts.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from exports.create_once import create_once
from exports.destination import Line, Reading, common_values, edited, form_of
from exports.line_form import Precision, period_text, to_cents
from exports.push_problems import Judge, Problem, tax_included
from odoo_gateway.client import OdooClient, Record

ORDER, KEY = "sale.order", "x_fc_dual_run_key"
QUOTATIONS_PER_CREATE = 100
# What the draft takes over from the subscription's order; what is unset there Odoo works out.
TAKEN_OVER = (
    "partner_id",
    "partner_invoice_id",
    "partner_shipping_id",
    "pricelist_id",
    "fiscal_position_id",
)


def key_of(line: Line) -> str:
    """Subscription and first day: `nexacloud:sub_1:2026-09-01`."""
    return f"{line['subscription_key']}:{line['period_start']}"


class Drafts:
    """Lines of dual-run periods."""

    state = "drafted"
    fields = (
        "order_id",
        "x_fc_line_key",
        "qty_delivered",
        "price_subtotal",
        "price_tax",
        "tax_ids",
        "state",
    )

    def __init__(self, client: OdooClient, judge: Judge, precision: Precision) -> None:
        self._client = client
        self._judge = judge
        self._precision = precision
        self._quotations: dict[str, Record] = {}

    def look(self, lines: Sequence[Line]) -> None:
        keys = sorted({key_of(line) for line in lines})
        self._quotations = self._read(keys)

    def _read(self, keys: Sequence[str]) -> dict[str, Record]:
        found = self._client.search_read(
            ORDER, [(KEY, "in", list(keys))], [KEY, "name", "state", "currency_id"]
        )
        return {record[KEY]: record for record in found}

    def problems(self, lines: Sequence[Line]) -> dict[str, Problem]:
        found = self._judge.problems(lines, as_drafts=True)
        for line in lines:
            quotation = self._quotations.get(key_of(line))
            problem = quotation and self._of_quotation(quotation, line)
            if problem:
                found[line["line_key"]] = problem
        return found

    def _of_quotation(self, quotation: Record, line: Line) -> Problem | None:
        currency = self._judge.currencies.get(quotation["currency_id"])
        if currency != line["currency"]:
            return Problem(
                "currency_differs",
                f"draft {quotation['name']} is in {currency}, the line in {line['currency']}:"
                f" delete the draft, give the subscription an order in {line['currency']}, then"
                " push again",
            )
        return _left_as_draft(quotation["state"], str(quotation["name"]))

    def prepare(self, lines: Sequence[Line]) -> dict[str, Problem]:
        missing = {key_of(line): line for line in lines if key_of(line) not in self._quotations}
        if not missing:
            return {}
        orders = {line["odoo_order_id"] for line in missing.values()}
        sources = {
            record["id"]: record
            for record in self._client.search_read(
                ORDER, [("id", "in", sorted(orders))], ["name", *TAKEN_OVER]
            )
        }
        rows = [
            _quotation(key, line, sources[line["odoo_order_id"]])
            for key, line in missing.items()
            if line["odoo_order_id"] in sources
        ]
        refused: dict[str, Problem] = {}
        for at in range(0, len(rows), QUOTATIONS_PER_CREATE):
            batch = rows[at : at + QUOTATIONS_PER_CREATE]
            refused |= create_once(self._client, ORDER, KEY, batch)
        self._quotations |= self._read(list(missing))
        gone = Problem(
            "order_missing", "the subscription's order went while its draft was made: push again"
        )
        return {
            line["line_key"]: refused.get(key_of(line), gone)
            for line in lines
            if key_of(line) not in self._quotations
        }

    def order_of(self, line: Line) -> int | None:
        quotation = self._quotations.get(key_of(line))
        return int(quotation["id"]) if quotation else None

    def values(self, line: Line) -> dict[str, Any]:
        form = form_of(line, self._precision)
        return common_values(line, form) | {
            "order_id": self.order_of(line),
            "product_uom_qty": float(form.quantity),
            "x_fc_dual_run": True,
        }

    def reading(self, line: Line, record: Record) -> Reading:
        # Odoo subtracts doubles to the tax: 21.47 - 19.0 is 2.469999999999999.
        subtotal, tax = (
            to_cents(Decimal(str(record[name]))) for name in ("price_subtotal", "price_tax")
        )
        return Reading(subtotal, tax, self._judged(line, record, subtotal))

    def _judged(self, line: Line, record: Record, subtotal: Decimal) -> Problem | None:
        if record["order_id"] != self.order_of(line):
            return Problem(
                "other_order",
                f"Odoo has it on order {record['order_id']}, not on the dual-run draft"
                f" {key_of(line)}",
            )
        if record["qty_delivered"]:
            return Problem(
                "edited_by_hand",
                f"Odoo has a delivered quantity of {record['qty_delivered']}, which it would"
                " invoice once the draft is confirmed: set it to 0",
            )
        inside = self._judge.taxes.in_price(record["tax_ids"])
        return (
            _left_as_draft(record["state"], str(record["order_id"]))
            or tax_included(inside, "the line")
            or edited(subtotal, line)
        )


def _left_as_draft(state: str, name: str) -> Problem | None:
    if state == "sale":
        return Problem(
            "draft_confirmed",
            f"dual-run draft {name} was confirmed: cancel it, then set it to quotation",
        )
    if state == "cancel":
        return Problem(
            "draft_cancelled", f"dual-run draft {name} is cancelled: set it to quotation"
        )
    return None


def _quotation(key: str, line: Line, source: Record) -> dict[str, Any]:
    period = period_text(line["period_start"], line["period_end"])
    return {name: source[name] for name in TAKEN_OVER if source[name]} | {
        "client_order_ref": f"Dual-run draft, do not confirm: usage of {source['name']}, {period}",
        "origin": source["name"],
        KEY: key,
    }
