"""What the invoicing wizard bills, once, and what posting and paying do."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from odoo_world import World

from odoo_gateway.client import OdooClient
from odoo_gateway.errors import OdooRefusedError

pytestmark = pytest.mark.odoo_real
LINE, MOVE, MOVE_LINE = "sale.order.line", "account.move", "account.move.line"
AMOUNTS = ("amount_untaxed", "amount_tax", "amount_total", "amount_residual")


def _goods(odoo: OdooClient, move: int, *fields: str) -> list[dict[str, object]]:
    domain = [("move_id", "=", move), ("display_type", "=", "product")]
    return odoo.search_read(MOVE_LINE, domain, fields)


def test_the_wizard_bills_what_was_delivered(odoo: OdooClient, world: World) -> None:
    """3 × 0.7 + 2.00 = 4.10, HST 0.533 → 0.53."""
    order = world.order()
    lines = [world.delivered(order, 0.7, 3, name="Calls"), world.delivered(order, 2.0, 1)]
    world.invoice(order)
    (move,) = world.moves(
        order,
        *AMOUNTS,
        "state",
        "move_type",
        "name",
        "invoice_date",
        "payment_state",
        "invoice_origin",
        "partner_id",
    )
    name = world.read("sale.order", order, "name")["name"]
    assert [move[field] for field in AMOUNTS] == [4.1, 0.53, 4.63, 4.63]
    assert (move["state"], move["move_type"]) == ("draft", "out_invoice")
    assert (move["name"], move["invoice_date"], move["payment_state"]) == (False, False, "not_paid")
    assert move["invoice_origin"] == name
    rows = _goods(
        odoo,
        move["id"],
        "name",
        "quantity",
        "price_unit",
        "price_subtotal",
        "price_total",
        "sale_line_ids",
    )
    assert [row["sale_line_ids"] for row in rows] == [[lines[0]], [lines[1]]]
    # Odoo puts the product's name above words that do not hold it.
    product = world.read("product.product", world.usage, "display_name")["display_name"]
    assert rows[0]["name"] == f"{product}\nCalls"
    assert (rows[0]["quantity"], rows[0]["price_unit"]) == (3.0, 0.7)
    assert (rows[0]["price_subtotal"], rows[0]["price_total"]) == (2.1, 2.37)
    line = world.read(
        LINE, lines[0], "qty_invoiced", "qty_to_invoice", "invoice_status", "invoice_lines"
    )
    assert (line["qty_invoiced"], line["qty_to_invoice"]) == (3.0, 0.0)
    assert (line["invoice_status"], line["invoice_lines"]) == ("invoiced", [rows[0]["id"]])
    assert world.read("sale.order", order, "invoice_status")["invoice_status"] == "invoiced"


def test_a_draft_counts_as_invoiced_and_nothing_is_billed_twice(world: World) -> None:
    order = world.order()
    world.delivered(order, 1.0, 1)
    world.invoice(order)
    with pytest.raises(OdooRefusedError, match="No items are available to invoice") as caught:
        world.invoice(order)
    assert caught.value.name == "odoo.exceptions.UserError"
    assert len(world.moves(order)) == 1


def test_raising_the_quantity_bills_the_difference(odoo: OdooClient, world: World) -> None:
    order = world.order()
    line = world.delivered(order, 2.0, 3)
    world.invoice(order)
    odoo.write(LINE, [line], {"qty_delivered": 5})
    assert world.read(LINE, line, "qty_to_invoice", "price_unit")["qty_to_invoice"] == 2.0
    world.invoice(order)
    assert [move["amount_untaxed"] for move in world.moves(order, "amount_untaxed")] == [6.0, 4.0]


def test_lowering_the_quantity_makes_a_credit_note(odoo: OdooClient, world: World) -> None:
    order = world.order()
    line = world.delivered(order, 2.0, 3)
    world.invoice(order)
    odoo.write(LINE, [line], {"qty_delivered": 1})
    world.invoice(order)
    credit = world.moves(order, *AMOUNTS, "move_type", "amount_untaxed_signed")[-1]
    assert (credit["move_type"], credit["amount_untaxed"]) == ("out_refund", 4.0)
    assert (credit["amount_total"], credit["amount_untaxed_signed"]) == (4.52, -4.0)
    (goods,) = _goods(odoo, credit["id"], "quantity", "price_subtotal")
    assert (goods["quantity"], goods["price_subtotal"]) == (2.0, 4.0)
    assert world.read(LINE, line, "qty_invoiced")["qty_invoiced"] == 1.0


def test_a_negative_line_lowers_the_invoice(odoo: OdooClient, world: World) -> None:
    """An adjustment: one unit at a negative price, beside a larger positive line."""
    order = world.order()
    world.delivered(order, 10.0, 1)
    world.delivered(order, -2.5, 1)
    world.invoice(order)
    (move,) = world.moves(order, *AMOUNTS, "move_type")
    assert (move["move_type"], move["amount_untaxed"], move["amount_tax"]) == (
        "out_invoice",
        7.5,
        0.98,
    )
    rows = _goods(odoo, move["id"], "price_subtotal", "quantity")
    assert [(row["price_subtotal"], row["quantity"]) for row in rows] == [(10.0, 1.0), (-2.5, 1.0)]


def test_a_negative_total_becomes_a_credit_note(odoo: OdooClient, world: World) -> None:
    order = world.order()
    line = world.delivered(order, -2.5, 1)
    world.invoice(order)
    (move,) = world.moves(order, "move_type", "amount_untaxed", "amount_untaxed_signed")
    assert (move["move_type"], move["amount_untaxed"]) == ("out_refund", 2.5)
    assert move["amount_untaxed_signed"] == -2.5
    (goods,) = _goods(odoo, move["id"], "price_unit", "quantity", "price_subtotal")
    assert (goods["price_unit"], goods["quantity"], goods["price_subtotal"]) == (-2.5, -1.0, 2.5)
    assert world.read(LINE, line, "qty_invoiced")["qty_invoiced"] == 1.0


def test_an_invoices_total_is_rounded_once(odoo: OdooClient, world: World) -> None:
    """Canadian charts round globally: the lines say 0.01, 0.01, 0.01 and 10.33, the total 10.35."""
    order = world.order()
    for price in (0.005, 0.005, 0.005, 10.33):
        world.delivered(order, price, 1)
    world.invoice(order)
    (move,) = world.moves(order, *AMOUNTS)
    assert [move[field] for field in AMOUNTS] == [10.35, 1.34, 11.69, 11.69]
    rows = _goods(odoo, move["id"], "price_subtotal", "balance")
    assert [row["price_subtotal"] for row in rows] == [0.01, 0.01, 0.01, 10.33]
    assert [row["balance"] for row in rows] == [-0.01, -0.01, -0.01, -10.32]


@pytest.fixture
def per_line(odoo: OdooClient) -> Iterator[None]:
    """The company rounds taxes per line for the time of a test."""
    (company,) = odoo.search_read("res.company", [], ["tax_calculation_rounding_method"], limit=1)
    field = "tax_calculation_rounding_method"
    odoo.write("res.company", [company["id"]], {field: "round_per_line"})
    yield
    odoo.write("res.company", [company["id"]], {field: company[field]})


@pytest.mark.usefixtures("per_line")
def test_rounding_per_line_makes_lines_and_total_agree(world: World) -> None:
    """HST per line: 13 % of 0.01 is 0.00, of 10.33 is 1.34."""
    order = world.order()
    for price in (0.005, 0.005, 0.005, 10.33):
        world.delivered(order, price, 1)
    world.invoice(order)
    (move,) = world.moves(order, *AMOUNTS)
    assert [move[field] for field in AMOUNTS] == [10.36, 1.34, 11.7, 11.7]


def test_separate_or_consolidated(world: World) -> None:
    """One invoice per order only without Odoo's default, which merges a customer's orders."""
    partner = world.partner()
    separate = [world.order(partner_id=partner) for _ in range(2)]
    merged = [world.order(partner_id=partner) for _ in range(2)]
    for order in separate + merged:
        world.delivered(order, 1.0, 1)
    world.invoice(*separate)
    world.invoice(*merged, consolidated=True)
    assert len({world.moves(order)[0]["id"] for order in separate}) == 2
    assert len({world.moves(order)[0]["id"] for order in merged}) == 1


def test_orders_with_nothing_to_bill_are_passed_over(world: World) -> None:
    full, empty = world.order(), world.order()
    world.delivered(full, 1.0, 1)
    world.invoice(full, empty)
    assert (len(world.moves(full)), len(world.moves(empty))) == (1, 0)


def test_prepaid_products_are_billed_on_confirmation_once(world: World) -> None:
    order = world.order({"product_id": world.base})
    world.invoice(order)
    assert world.moves(order, "amount_untaxed")[0]["amount_untaxed"] == 19.0
    with pytest.raises(OdooRefusedError, match="No items are available to invoice"):
        world.invoice(order)


def test_posting_numbers_and_dates(odoo: OdooClient, world: World) -> None:
    order = world.order()
    line = world.delivered(order, 100.0, 1)
    world.invoice(order)
    (move,) = world.moves(order)
    odoo.write(MOVE, [move["id"]], {"invoice_date": "2026-10-01"})
    world.post(move["id"])
    row = world.read(
        MOVE,
        move["id"],
        "state",
        "name",
        "invoice_date",
        "date",
        "payment_state",
        "payment_reference",
        "invoice_date_due",
    )
    assert (row["state"], row["payment_state"]) == ("posted", "not_paid")
    assert row["name"].startswith("INV/2026/")
    assert row["payment_reference"] == row["name"]
    assert (row["invoice_date"], row["date"]) == ("2026-10-01", "2026-10-01")
    invoiced = world.read(LINE, line, "untaxed_amount_invoiced", "untaxed_amount_to_invoice")
    assert invoiced["untaxed_amount_invoiced"] == 100.0
    assert invoiced["untaxed_amount_to_invoice"] == 0.0
    with pytest.raises(OdooRefusedError, match="must be in draft"):
        world.post(move["id"])
    with pytest.raises(OdooRefusedError) as caught:
        odoo.call(MOVE, "unlink", [move["id"]])
    assert caught.value.name == "odoo.exceptions.UserError"


@pytest.mark.parametrize(("price", "quantity", "left"), [(0.7, 2.35, 0.0), (128.35, 4903.9, -0.01)])
def test_half_a_cent_may_stay_open_after_posting(
    world: World, price: float, quantity: float, left: float
) -> None:
    """1.645 was invoiced as 1.65, 629415.565 as .57. Odoo subtracts in doubles: 0.00 or −0.01 is
    left of it, with no quantity to invoice."""
    order = world.order()
    line = world.delivered(order, price, quantity)
    world.invoice(order)
    world.post(world.moves(order)[0]["id"])
    row = world.read(LINE, line, "untaxed_amount_to_invoice", "qty_to_invoice", "invoice_status")
    assert (row["untaxed_amount_to_invoice"], row["qty_to_invoice"]) == (left, 0.0)
    assert row["invoice_status"] == "invoiced"


def test_posting_writes_todays_date_where_none_is(world: World) -> None:
    order = world.order()
    world.delivered(order, 1.0, 1)
    world.invoice(order)
    (move,) = world.moves(order)
    world.post(move["id"])
    row = world.read(MOVE, move["id"], "invoice_date", "date")
    assert row["invoice_date"] == row["date"]


def test_paying(odoo: OdooClient, world: World) -> None:
    order = world.order()
    world.delivered(order, 100.0, 1)
    world.invoice(order)
    (move,) = world.moves(order)
    world.post(move["id"])
    action = odoo.call(MOVE, "action_register_payment", [move["id"]])
    (register,) = odoo.create("account.payment.register", [{}], context=action["context"])
    odoo.call("account.payment.register", "action_create_payments", [register])
    row = world.read(MOVE, move["id"], "payment_state", "amount_residual", "amount_total")
    assert (row["payment_state"], row["amount_residual"], row["amount_total"]) == (
        "paid",
        0.0,
        113.0,
    )


def test_paying_a_part(odoo: OdooClient, world: World) -> None:
    order = world.order()
    world.delivered(order, 100.0, 1)
    world.invoice(order)
    (move,) = world.moves(order)
    world.post(move["id"])
    context = {"active_model": MOVE, "active_ids": [move["id"]]}
    (register,) = odoo.create("account.payment.register", [{"amount": 13.0}], context=context)
    odoo.call("account.payment.register", "action_create_payments", [register])
    row = world.read(MOVE, move["id"], "payment_state", "amount_residual")
    assert (row["payment_state"], row["amount_residual"]) == ("partial", 100.0)


def test_cancelling_a_draft_gives_the_quantity_back(odoo: OdooClient, world: World) -> None:
    order = world.order()
    line = world.delivered(order, 1.0, 4)
    world.invoice(order)
    (move,) = world.moves(order)
    odoo.call(MOVE, "button_cancel", [move["id"]])
    assert world.read(LINE, line, "qty_to_invoice", "qty_invoiced") == {
        "id": line,
        "qty_to_invoice": 4.0,
        "qty_invoiced": 0.0,
    }
    world.invoice(order)
    assert [row["state"] for row in world.moves(order, "state")] == ["cancel", "draft"]


def test_deleting_a_draft_gives_the_quantity_back(odoo: OdooClient, world: World) -> None:
    order = world.order()
    line = world.delivered(order, 1.0, 4)
    world.invoice(order)
    odoo.call(MOVE, "unlink", [world.moves(order)[0]["id"]])
    assert world.read(LINE, line, "qty_to_invoice")["qty_to_invoice"] == 4.0
    assert world.moves(order) == []


def test_editing_a_posted_invoices_line_leaves_the_totals(odoo: OdooClient, world: World) -> None:
    """The danger that the mirror should notice: line and order line change, the books do not, and
    the next invoicing would credit what was added by hand."""
    order = world.order()
    line = world.delivered(order, 10.0, 1)
    world.invoice(order)
    (move,) = world.moves(order)
    world.post(move["id"])
    (goods,) = _goods(odoo, move["id"])
    changes = {"name": "changed by hand", "price_unit": 12.0, "quantity": 2.0}
    odoo.write(MOVE_LINE, [int(str(goods["id"]))], changes)
    (after,) = _goods(odoo, move["id"], "name", "price_subtotal", "price_total", "balance")
    assert after["name"] == "changed by hand"
    assert (after["price_subtotal"], after["price_total"]) == (24.0, 27.12)
    assert after["balance"] == -10.0
    assert world.read(MOVE, move["id"], "amount_untaxed")["amount_untaxed"] == 10.0
    row = world.read(LINE, line, "qty_invoiced", "qty_to_invoice", "untaxed_amount_invoiced")
    assert (row["qty_invoiced"], row["qty_to_invoice"]) == (2.0, -1.0)
    assert row["untaxed_amount_invoiced"] == 24.0


def test_lines_added_to_a_draft_count(odoo: OdooClient, world: World) -> None:
    order = world.order()
    world.delivered(order, 10.0, 1)
    world.invoice(order)
    (move,) = world.moves(order)
    added = {"product_id": world.usage, "quantity": 2, "price_unit": 3.0}
    odoo.write(MOVE, [move["id"]], {"invoice_line_ids": [(0, 0, added)]})
    assert world.read(MOVE, move["id"], "amount_untaxed")["amount_untaxed"] == 16.0


def test_an_invoice_without_an_order(odoo: OdooClient, world: World) -> None:
    """Taxes and words come from the product and the customer's province."""
    move = world.make(
        MOVE,
        move_type="out_invoice",
        partner_id=world.partner("NS"),
        invoice_line_ids=[
            (0, 0, {"product_id": world.usage, "quantity": 2, "price_unit": 50.0}),
            (0, 0, {"name": "By hand", "price_unit": 1.0, "tax_ids": [(6, 0, [])]}),
        ],
    )
    row = world.read(MOVE, move, *AMOUNTS)
    assert [row[field] for field in AMOUNTS] == [101.0, 14.0, 115.0, 115.0]
    first, second = _goods(odoo, move, "name", "quantity", "sale_line_ids")
    product = world.read("product.product", world.usage, "display_name")["display_name"]
    assert (first["name"], second["name"]) == (product, "By hand")
    assert (second["quantity"], first["sale_line_ids"]) == (1.0, [])


def test_editing_a_drafts_line_moves_totals_and_order(odoo: OdooClient, world: World) -> None:
    order = world.order()
    line = world.delivered(order, 10.0, 1)
    world.invoice(order)
    (move,) = world.moves(order)
    (goods,) = _goods(odoo, move["id"])
    odoo.write(MOVE_LINE, [int(str(goods["id"]))], {"quantity": 3.0})
    assert world.read(MOVE, move["id"], "amount_total")["amount_total"] == 33.9
    assert world.read(LINE, line, "qty_invoiced")["qty_invoiced"] == 3.0


def test_a_zero_invoice_is_paid_when_posted(world: World) -> None:
    order = world.order()
    world.delivered(order, 0.0, 1)
    world.invoice(order)
    (move,) = world.moves(order)
    world.post(move["id"])
    assert world.read(MOVE, move["id"], "payment_state")["payment_state"] == "paid"


def test_lines_of_a_move_are_balanced(odoo: OdooClient, world: World) -> None:
    """Product, tax and receivable lines; Quebec has two taxes of 5.00 and 9.98."""
    order = world.order(partner_id=world.partner("QC"))
    world.delivered(order, 100.0, 1)
    world.invoice(order)
    (move,) = world.moves(order)
    rows = odoo.search_read(
        MOVE_LINE, [("move_id", "=", move["id"])], ["display_type", "balance", "parent_state"]
    )
    by_type = sorted((str(row["display_type"]), row["balance"]) for row in rows)
    assert by_type == [
        ("payment_term", 114.98),
        ("product", -100.0),
        ("tax", -9.98),
        ("tax", -5.0),
    ]
    assert {row["parent_state"] for row in rows} == {"draft"}
    invoice_lines = world.read(MOVE, move["id"], "invoice_line_ids")["invoice_line_ids"]
    assert len(invoice_lines) == 1
