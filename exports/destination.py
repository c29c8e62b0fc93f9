"""Where the push puts a ledger line in Odoo, and how what stands there is judged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol

from exports.line_form import Form, Precision, describe, line_form, to_cents
from exports.push_problems import Judge, Problem, tax_included
from odoo_gateway.client import Record

Line = Mapping[str, Any]


@dataclass(frozen=True)
class Reading:
    """A line as Odoo has it, net and tax in cents. `tax` is None where the line does not tell;
    `problem` is None where it is what the ledger says."""

    subtotal: Decimal
    tax: Decimal | None
    problem: Problem | None


class Destination(Protocol):
    """A kind of order. Lines come in batches: `look` first, the rest concerns that batch."""

    @property
    def state(self) -> str:
        """Of a line that was read back equal."""

    @property
    def fields(self) -> Sequence[str]:
        """What is read back of a line."""

    def look(self, lines: Sequence[Line]) -> None:
        """Reads what the batch needs of Odoo besides the lines themselves."""

    def problems(self, lines: Sequence[Line]) -> dict[str, Problem]:
        """By line_key, those that must not be created."""

    def prepare(self, lines: Sequence[Line]) -> dict[str, Problem]:
        """Makes what the lines go onto where it is missing; those that it failed for."""

    def order_of(self, line: Line) -> int | None:
        """The order the line belongs on; None where there is none yet."""

    def values(self, line: Line) -> dict[str, Any]:
        """Of the order line to create."""

    def reading(self, line: Line, record: Record) -> Reading:
        """What stands there, in the terms of the ledger."""


class SubscriptionOrders:
    """Live lines: on the subscription's order, delivered and not ordered, for Odoo to invoice."""

    state = "verified"
    fields = ("order_id", "x_fc_line_key", "qty_delivered", "price_unit", "discount", "tax_ids")

    def __init__(self, judge: Judge, precision: Precision) -> None:
        self._judge = judge
        self._precision = precision

    def look(self, lines: Sequence[Line]) -> None:
        return

    def problems(self, lines: Sequence[Line]) -> dict[str, Problem]:
        return self._judge.problems(lines)

    def prepare(self, lines: Sequence[Line]) -> dict[str, Problem]:
        return {}

    def order_of(self, line: Line) -> int | None:
        return int(line["odoo_order_id"])

    def values(self, line: Line) -> dict[str, Any]:
        form = form_of(line, self._precision)
        return common_values(line, form) | {
            "order_id": line["odoo_order_id"],
            "product_uom_qty": 0,  # delivered is what counts; odoo.md: no price reset, no chatter
            "qty_delivered": float(form.quantity),
        }

    def reading(self, line: Line, record: Record) -> Reading:
        taxes = self._judge.taxes
        subtotal = taxes.net(_subtotal(record), record["tax_ids"])
        tax = taxes.tax(subtotal, record["tax_ids"])
        if record["order_id"] != line["odoo_order_id"]:
            problem = Problem(
                "other_order",
                f"Odoo has it on order {record['order_id']}, the ledger on {line['odoo_order_id']}",
            )
            return Reading(subtotal, tax, problem)
        inside = tax_included(taxes.in_price(record["tax_ids"]), "the line")
        return Reading(subtotal, tax, inside or edited(subtotal, line))


def form_of(line: Line, precision: Precision) -> Form:
    return line_form(line["quantity_billed"], line["unit_price"], line["amount"], precision)


def common_values(line: Line, form: Form) -> dict[str, Any]:
    """What a line is wherever it stands."""
    return {
        "product_id": line["odoo_product_id"],
        "name": describe(line),
        "price_unit": float(form.price),
        # Or Odoo puts the one of the customer's price list on it (test_odoo_pricing.py).
        "discount": 0,
        "x_fc_line_key": line["line_key"],
        "x_fc_period_start": line["period_start"].isoformat(),
        "x_fc_period_end": line["period_end"].isoformat(),
    }


def edited(subtotal: Decimal, line: Line) -> Problem | None:
    """A line stands as it was made, or somebody edited it."""
    if subtotal == line["amount"]:
        return None
    return Problem(
        "edited_by_hand",
        f"Odoo has {subtotal}, the ledger {line['amount']}: set quantity, price and discount of the"
        " line back, then push again; bill what is meant otherwise on a line of its own",
    )


def _subtotal(record: Record) -> Decimal:
    """What Odoo invoices of a delivered-policy line, from the shortest decimals of its doubles."""
    quantity, price, discount = (
        Decimal(str(record[name])) for name in ("qty_delivered", "price_unit", "discount")
    )
    return to_cents(quantity, price, 1 - discount / 100)
