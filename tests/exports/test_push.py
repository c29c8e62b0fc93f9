"""The push against the double of Odoo: made once, read back, never changed."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from pushing import Call, OdooWorld, WatchedClient, bill_lines, due, pushed
from sqlalchemy.engine import Engine

from exports import usage_lines
from exports.push_problems import PROBLEMS, Judge, refusal
from exports.usage_lines import NoRunError, PushBusyError, push
from odoo_gateway.bootstrap import bootstrap
from odoo_gateway.client import Record
from odoo_gateway.errors import OdooRefusedError
from warehouse.locks import session_lock

D = Decimal
OCTOBER_31 = dt.date(2025, 10, 31)
INDEX = "fusion_uq_sale_order_line_x_fc_line_key"


def counts(result: usage_lines.PushResult) -> tuple[int, int, int, int, int, int]:
    return (
        result.pending,
        result.found,
        result.created,
        result.verified,
        result.differs,
        result.refused,
    )


def test_a_line_is_created_and_verified(
    fresh: Engine, world: OdooWorld, client: WatchedClient
) -> None:
    order = world.order()
    (line,) = bill_lines(fresh, world, due(order, "30", "0.12"))
    result = push(fresh, client, database="here")
    assert counts(result) == (1, 0, 1, 1, 0, 0)

    (standing,) = world.lines(order)
    assert standing == {
        "id": standing["id"],
        "order_id": order,
        "product_id": world.product,
        "name": "Compute, Sep 2025: 30 hours used, 30 × $0.12",
        "product_uom_qty": 0.0,
        "qty_delivered": 30.0,
        "price_unit": 0.12,
        "x_fc_line_key": line["line_key"],
        "x_fc_period_start": "2025-09-01",
        "x_fc_period_end": "2025-10-01",
    }
    recorded = pushed(fresh)[line["line_key"]]
    assert (recorded["state"], recorded["subtotal"]) == ("verified", D("3.60"))
    assert (recorded["odoo_order_id"], recorded["odoo_line_id"]) == (order, standing["id"])


def invoice(world: OdooWorld, order: int) -> tuple[str, Decimal]:
    """Lets Odoo invoice what is due on the order; the newest document's type and net total."""
    wizard = {"sale_order_ids": [(6, 0, [order])], "advance_payment_method": "delivered"}
    ids = world.client.create("sale.advance.payment.inv", [wizard])
    world.client.call("sale.advance.payment.inv", "create_invoices", ids)
    (found,) = world.client.search_read("sale.order", [("id", "=", order)], ["invoice_ids"])
    newest = max(found["invoice_ids"])
    (move,) = world.client.search_read(
        "account.move", [("id", "=", newest)], ["move_type", "amount_untaxed"]
    )
    return move["move_type"], D(str(move["amount_untaxed"]))


def test_odoo_invoices_what_the_ledger_says(fresh: Engine, world: OdooWorld) -> None:
    """3.60 + 2.59 − 1.30: the tiny price and the credit go as one unit each."""
    order = world.order()
    bill_lines(
        fresh,
        world,
        due(order, "30", "0.12"),
        due(order, "30.5", "0.085"),
        due(order, "-15.3", "0.085", reason="correction"),
    )
    push(fresh, world.client, database="here")
    assert invoice(world, order) == ("out_invoice", D("4.89"))


def test_a_negative_total_becomes_a_credit_note(fresh: Engine, world: OdooWorld) -> None:
    """3.60 was invoiced; the subscription turns out cancelled: 3.60 goes back, and 0.24 of another
    charge does not make up for it."""
    order = world.order()
    (line,) = bill_lines(fresh, world, due(order, "30", "0.12"))
    push(fresh, world.client, database="here")
    assert invoice(world, order) == ("out_invoice", D("3.60"))
    void = line | {
        "line_key": f"{line['line_key']}~1",
        "adjustment_no": 1,
        "reason": "void",
        **{name: -line[name] for name in ("quantity_used", "quantity_billed")},
        **{name: -line[name] for name in ("amount", "amount_precise")},
    }
    bill_lines(fresh, world, void, due(order, "2", "0.12"))
    result = push(fresh, world.client, database="here")
    assert (result.verified, result.differs) == (2, 0)
    credit = next(one for one in world.lines(order) if one["x_fc_line_key"].endswith("~1"))
    assert (credit["qty_delivered"], credit["price_unit"]) == (1.0, -3.6)
    assert credit["name"] == "Cancelled: Compute, Sep 2025: −30 hours used, −30 × $0.12"
    assert invoice(world, order) == ("out_refund", D("3.36"))


def test_what_is_credited_after_its_charge_left_the_catalogue(
    fresh: Engine, world: OdooWorld
) -> None:
    order = world.order()
    gone = {"charge_name": "Old name", "unit": "h", "odoo_product_id": world.product}
    bill_lines(fresh, world, due(order, charge="cloud_s/gone") | gone)
    with fresh.begin() as connection:
        connection.execute(sa.text("delete from marts.dim_charge"))
    assert push(fresh, world.client, database="here").verified == 1
    (standing,) = world.lines(order)
    assert standing["name"] == "Old name, Sep 2025: 30 h used, 30 × $0.12"


def test_a_true_up_has_the_product_of_its_charge(fresh: Engine, world: OdooWorld) -> None:
    order = world.order()
    usage = due(order)
    minimum = due(order, "0") | {
        "charge_key": f"{usage['charge_key']}/true_up",
        "tier": 0,
        "unit_price": None,
        "amount": D("6.40"),
        "amount_precise": D("6.40"),
    }
    bill_lines(fresh, world, usage)
    bill_lines(fresh, world, minimum)
    with fresh.begin() as connection:
        connection.execute(sa.text("delete from marts.dim_charge where charge_key ~ 'true_up'"))
    assert push(fresh, world.client, database="here").verified == 2
    names = {line["price_unit"]: line["name"] for line in world.lines(order)}
    assert names[6.4] == "Compute, Sep 2025: up to the minimum, $6.40"


def test_a_second_push_changes_nothing(
    fresh: Engine, world: OdooWorld, client: WatchedClient
) -> None:
    order = world.order()
    bill_lines(fresh, world, *(due(order) for _ in range(5)))
    push(fresh, client, database="here")
    before, recorded = world.lines(order), pushed(fresh)
    client.calls.clear()
    assert counts(push(fresh, client, database="here")) == (0, 0, 0, 0, 0, 0)
    assert client.calls == []
    assert (world.lines(order), pushed(fresh)) == (before, recorded)


def test_lines_that_stand_are_found_by_key_when_our_record_is_lost(
    fresh: Engine, world: OdooWorld, client: WatchedClient
) -> None:
    order = world.order()
    bill_lines(fresh, world, *(due(order) for _ in range(5)))
    push(fresh, client, database="here")
    with fresh.begin() as connection:
        connection.execute(sa.text("delete from ops.odoo_push"))
    client.calls.clear()
    assert counts(push(fresh, client, database="here")) == (5, 5, 0, 5, 0, 0)
    assert client.changes() == []
    assert len(world.lines(order)) == 5


def test_batches_are_bounded_and_whole(
    fresh: Engine, world: OdooWorld, client: WatchedClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(usage_lines, "KEYS_PER_READ", 10)
    monkeypatch.setattr(usage_lines, "LINES_PER_CREATE", 4)
    orders = world.orders(3)
    bill_lines(fresh, world, *(due(orders[number % 3]) for number in range(23)))
    assert push(fresh, client, database="here").verified == 23
    assert [call.rows for call in client.changes()] == [4, 4, 2, 4, 4, 2, 3]
    assert len(world.lines(*orders)) == 23


def test_a_dry_run_touches_neither_side(
    fresh: Engine, world: OdooWorld, client: WatchedClient
) -> None:
    order = world.order()
    bill_lines(fresh, world, due(order))
    result = push(fresh, client, database="here", dry_run=True)
    assert counts(result) == (1, 0, 0, 0, 0, 0)
    assert (client.changes(), world.lines(order), pushed(fresh)) == ([], [], {})


def test_a_tiny_price_goes_as_one_unit_until_odoo_can_hold_it(
    fresh: Engine, world: OdooWorld
) -> None:
    """3000 × 0.0023 = 6.90. Two digits would make the price 0.00. 240 × 0.0023 = 0.552 stays one
    unit at 0.55: it leaves a rounding."""
    order = world.order()
    bill_lines(fresh, world, due(order, "3000", "0.0023"))
    push(fresh, world.client, database="here")
    (line,) = world.lines(order)
    assert (line["qty_delivered"], line["price_unit"]) == (1.0, 6.90)
    assert line["name"].endswith("3,000 × $0.0023")

    digits = world.client.search_read("decimal.precision", [("name", "=", "Product Price")], ["id"])
    world.client.write("decimal.precision", [digits[0]["id"]], {"digits": 4})
    try:
        bill_lines(fresh, world, due(order, "3000", "0.0023"), due(order, "240", "0.0023"))
        push(fresh, world.client, database="here")
    finally:
        world.client.write("decimal.precision", [digits[0]["id"]], {"digits": 2})
    forms = {(line["qty_delivered"], line["price_unit"]) for line in world.lines(order)[1:]}
    assert forms == {(3000.0, 0.0023), (1.0, 0.55)}


def test_a_line_that_was_edited_by_hand_is_told_and_left(
    fresh: Engine, world: OdooWorld, client: WatchedClient
) -> None:
    order = world.order()
    (line,) = bill_lines(fresh, world, due(order, "30", "0.12"))
    push(fresh, client, database="here")
    (standing,) = world.lines(order)
    world.client.write("sale.order.line", [standing["id"]], {"qty_delivered": 31.0})
    with fresh.begin() as connection:
        connection.execute(sa.text("delete from ops.odoo_push"))
    client.calls.clear()
    for _ in range(2):
        assert counts(push(fresh, client, database="here")) == (1, 1, 0, 0, 1, 0)
        recorded = pushed(fresh)[line["line_key"]]
        assert recorded["state"] == "differs"
        assert "Odoo has 3.72" in recorded["reason"]
        assert (
            "the ledger 3.60: set quantity, price and discount of the line back"
            in (recorded["reason"])
        )
    assert client.changes() == []
    assert world.lines(order)[0]["qty_delivered"] == 31.0

    world.client.write("sale.order.line", [standing["id"]], {"qty_delivered": 30.0})
    assert push(fresh, client, database="here").verified == 1
    assert pushed(fresh)[line["line_key"]]["reason"] is None


def test_a_discount_by_hand_is_seen(fresh: Engine, world: OdooWorld) -> None:
    order = world.order()
    (line,) = bill_lines(fresh, world, due(order, "30", "0.12"))
    values = {"order_id": order, "product_id": world.product, "product_uom_qty": 0}
    values |= {"qty_delivered": 30.0, "price_unit": 0.12, "discount": 50.0}
    world.client.create("sale.order.line", [{**values, "x_fc_line_key": line["line_key"]}])
    assert push(fresh, world.client, database="here").differs == 1
    assert pushed(fresh)[line["line_key"]]["subtotal"] == D("1.80")


def test_a_key_on_another_order_differs(
    fresh: Engine, world: OdooWorld, client: WatchedClient
) -> None:
    order, other = world.orders(2)
    (line,) = bill_lines(fresh, world, due(order, "30", "0.12"))
    values = {"order_id": other, "product_id": world.product, "product_uom_qty": 0}
    values |= {"qty_delivered": 30.0, "price_unit": 0.12, "x_fc_line_key": line["line_key"]}
    world.client.create("sale.order.line", [values])
    assert push(fresh, client, database="here").differs == 1
    recorded = pushed(fresh)[line["line_key"]]
    assert f"order {other}" in recorded["reason"]
    assert f"on {order}" in recorded["reason"]
    assert (client.changes(), world.lines(order)) == ([], [])


def test_a_key_that_stands_twice_is_not_verified(
    fresh: Engine, world: OdooWorld, client: WatchedClient
) -> None:
    """Only without the unique index, which an administrator can drop: it is double billing."""
    order = world.order()
    (line,) = bill_lines(fresh, world, due(order, "30", "0.12"))
    key = line["line_key"]
    values = {"order_id": order, "product_id": world.product, "product_uom_qty": 0}
    values |= {"qty_delivered": 30.0, "price_unit": 0.12, "x_fc_line_key": key}

    class Doubled(WatchedClient):
        def search_read(
            self, model: str, *args: object, **kwargs: object
        ) -> list[dict[str, object]]:
            found = super().search_read(model, *args, **kwargs)
            if model == "sale.order.line":
                return [*found, *({**record, "id": record["id"] + 1} for record in found)]
            return found

    world.client.create("sale.order.line", [values])
    assert counts(push(fresh, Doubled(world.client), database="here")) == (1, 1, 0, 0, 1, 0)
    assert "2 lines with this key" in pushed(fresh)[key]["reason"]


def run_code(world: OdooWorld, code: str) -> None:
    """What an administrator's server action may do to Odoo's database."""
    (owner,) = world.client.search_read("ir.model", [("model", "=", "sale.order")], ["id"])
    values = {"name": "Test", "model_id": owner["id"], "state": "code", "code": code}
    (action,) = world.client.create("ir.actions.server", [values])
    world.client.call("ir.actions.server", "run", [action])


def test_nothing_is_pushed_without_the_unique_index(
    fresh: Engine, world: OdooWorld, client: WatchedClient
) -> None:
    """It is what two pushes at once, or a lost answer, break against. With nothing to do, the push
    does not ask."""
    order = world.order()
    assert push(fresh, client, database="here").pending == 0
    assert client.calls == []
    bill_lines(fresh, world, due(order))
    run_code(world, f'env.cr.execute("DROP INDEX IF EXISTS {INDEX}")')
    try:
        for dry_run in (True, False):
            with pytest.raises(OdooRefusedError, match="run `fusion-billing odoo bootstrap`") as no:
                push(fresh, client, database="here", dry_run=dry_run)
        assert INDEX in str(no.value)
        assert (client.changes(), world.lines(order), pushed(fresh)) == ([], [], {})
    finally:
        made = bootstrap(world.client)
    assert [str(step) for step in made] == ["unique index sale_order_line (x_fc_line_key)"]
    assert push(fresh, client, database="here").verified == 1


def test_the_lines_of_one_days_runs(fresh: Engine, world: OdooWorld, client: WatchedClient) -> None:
    """Two runs of different dates are due: each is pushed by its date, the rest without one."""
    order = world.order()
    (first,) = bill_lines(fresh, world, due(order))
    (second,) = bill_lines(fresh, world, due(order), run_date=OCTOBER_31)
    dry = push(fresh, client, database="here", run_date=OCTOBER_31, dry_run=True)
    assert (dry.pending, world.lines(order)) == (1, [])
    assert push(fresh, client, database="here", run_date=OCTOBER_31).verified == 1
    assert [line["x_fc_line_key"] for line in world.lines(order)] == [second["line_key"]]
    assert push(fresh, client, database="here", run_date=OCTOBER_31).pending == 0
    with pytest.raises(NoRunError, match="No billing run has the date 2025-11-01: `fusion-billing"):
        push(fresh, client, database="here", run_date=dt.date(2025, 11, 1))
    assert push(fresh, client, database="here").verified == 1
    assert {line["x_fc_line_key"] for line in world.lines(order)} == {
        first["line_key"],
        second["line_key"],
    }


def test_bad_lines_are_refused_with_a_reason_and_stop_no_other(
    fresh: Engine, world: OdooWorld, client: WatchedClient
) -> None:
    """Each ends in a state with a name; 35 good lines stand around them."""
    good, locked, cancelled, draft, paused, closed = world.orders(6)
    abroad, nowhere = (
        world.orders(1, partner)[0]
        for partner in world.client.create(
            "res.partner", [{"name": "Lost", "country_id": world.country}, {"name": "Lost"}]
        )
    )
    world.client.call("sale.order", "action_lock", [locked])
    world.client.call("sale.order", "action_cancel", [cancelled])
    world.client.call("sale.order", "action_cancel", [draft])
    world.client.call("sale.order", "action_draft", [draft])
    for order, state in ((paused, "4_paused"), (closed, "6_churn")):
        world.client.write("sale.order", [order], {"subscription_state": state})
    gone_product = due(good, charge="cloud_x/product_gone", key="product_gone")
    gone_charge = due(good, charge="cloud_x/charge_gone", key="charge_gone")
    bad = {
        "locked": due(locked, key="locked"),
        "paused": due(paused, key="paused"),
        "closed": due(closed, key="closed"),
        "province": due(abroad, key="province"),
        "country": due(nowhere, key="country"),
        "cancelled": due(cancelled, key="cancelled"),
        "draft": due(draft, key="draft"),
        "gone": due(999_999, key="gone"),
        "product": gone_product,
        "charge": gone_charge,
    }
    lines = [due(good) for _ in range(35)]
    bill_lines(fresh, world, *lines, *bad.values())
    with fresh.begin() as connection:
        connection.execute(
            sa.text(
                "update marts.dim_charge set odoo_product_id = 999999"
                " where charge_key = 'cloud_x/product_gone';"
                "delete from marts.dim_charge where charge_key = 'cloud_x/charge_gone'"
            )
        )
    result = push(fresh, client, database="here")
    assert counts(result) == (45, 0, 35, 35, 0, 10)
    recorded = pushed(fresh)
    assert {recorded[line["line_key"]]["state"] for line in bad.values()} == {"refused"}
    assert {name: recorded[line["line_key"]]["problem"] for name, line in bad.items()} == {
        "locked": "order_locked",
        "paused": "subscription_paused",
        "closed": "subscription_closed",
        "province": "no_tax_position",
        "country": "no_tax_position",
        "cancelled": "order_cancelled",
        "draft": "order_not_confirmed",
        "gone": "order_missing",
        "product": "product_missing",
        "charge": "product_missing",
    }
    assert {recorded[line["line_key"]]["problem"] for line in bad.values()} <= PROBLEMS.keys()
    reasons = {name: result.reasons[line["line_key"]] for name, line in bad.items()}
    assert reasons["gone"].startswith("sale.order 999999 is gone, or of a company that")
    assert "set it to quotation and confirm it" in reasons["cancelled"]
    assert "Lost has no province: complete the address" in reasons["province"]
    assert len(world.lines(good)) == 35
    assert world.lines(locked, cancelled, draft, paused, closed, abroad, nowhere) == []

    # Mended, the next push takes them, and touches no other.
    world.client.call("sale.order", "action_confirm", [draft])
    with fresh.begin() as connection:
        connection.execute(
            sa.text("update marts.dim_charge set odoo_product_id = :id"), {"id": world.product}
        )
    client.calls.clear()
    assert counts(push(fresh, client, database="here")) == (10, 0, 2, 2, 0, 8)
    assert sum(call.rows for call in client.changes()) == 2
    mended = pushed(fresh)[bad["product"]["line_key"]]
    assert (mended["state"], mended["problem"], mended["reason"]) == ("verified", None, None)


def test_a_customer_that_a_rule_hides_stops_no_other(fresh: Engine, world: OdooWorld) -> None:
    """Odoo 19 tells the order and takes its lines while a record rule hides its customer, such as
    one of another company; the double has no such rules."""
    (theirs,) = world.client.create("res.partner", [{"name": "Theirs"}])
    (hidden,), good = world.orders(1, theirs), world.order()

    class Ruled(WatchedClient):
        def search_read(self, model: str, *args: Any, **kwargs: Any) -> list[Record]:
            found = super().search_read(model, *args, **kwargs)
            of_theirs = model == "res.partner"
            return [row for row in found if not (of_theirs and row["id"] == theirs)]

    bad, fine = bill_lines(fresh, world, due(hidden), due(good))
    result = push(fresh, Ruled(world.client), database="here")
    assert (result.verified, result.refused) == (1, 1)
    found = pushed(fresh)
    assert found[fine["line_key"]]["state"] == "verified"
    assert found[bad["line_key"]]["problem"] == "customer_hidden"
    assert f"partner {theirs} of order" in found[bad["line_key"]]["reason"]
    assert world.lines(hidden) == []
    (told,) = Judge.of(Ruled(world.client)).orders([("id", "=", hidden)])
    assert told[1] is not None
    assert told[1].name == "customer_hidden"


def test_a_product_that_bills_otherwise_is_not_used(fresh: Engine, world: OdooWorld) -> None:
    """Archived, or invoiced by ordered quantities: of those a usage line has none."""
    order = world.order()
    service = {"name": "Usage", "type": "service"}
    archived, ordered = world.client.create(
        "product.product",
        [
            {**service, "invoice_policy": "delivery"},
            {**service, "invoice_policy": "order"},
        ],
    )
    world.client.write("product.product", [archived], {"active": False})
    named = {"charge_name": "Usage", "unit": "h"}
    lines = bill_lines(
        fresh,
        world,
        due(order, charge="cloud_x/archived") | named | {"odoo_product_id": archived},
        due(order, charge="cloud_x/ordered") | named | {"odoo_product_id": ordered},
    )
    with fresh.begin() as connection:
        connection.execute(sa.text("delete from marts.dim_charge"))
    assert push(fresh, world.client, database="here").refused == 2
    found = pushed(fresh)
    assert [found[line["line_key"]]["problem"] for line in lines] == [
        "product_archived",
        "product_not_delivered",
    ]


def test_a_dry_run_tells_what_would_be_refused(fresh: Engine, world: OdooWorld) -> None:
    good, locked = world.orders(2)
    world.client.call("sale.order", "action_lock", [locked])
    (_, bad) = bill_lines(fresh, world, due(good), due(locked))
    result = push(fresh, world.client, database="here", dry_run=True)
    assert counts(result) == (2, 0, 0, 0, 0, 1)
    assert list(result.reasons) == [bad["line_key"]]
    assert pushed(fresh) == {}
    assert world.lines(good, locked) == []


def test_a_line_edited_by_hand_is_told_and_left_alone(fresh: Engine, world: OdooWorld) -> None:
    """Somebody lowers it before the push has read it back: its state was still `sent`."""
    order = world.order()
    (line,) = bill_lines(fresh, world, due(order, "30", "0.12"))
    push(fresh, world.client, database="here")
    (standing,) = world.lines(order)
    world.client.write("sale.order.line", [standing["id"]], {"qty_delivered": 20})
    with fresh.begin() as connection:
        connection.execute(sa.text("update ops.odoo_push set state = 'sent'"))
    assert push(fresh, world.client, database="here").differs == 1
    found = pushed(fresh)[line["line_key"]]
    assert (found["problem"], found["subtotal"]) == ("edited_by_hand", D("2.40"))
    assert world.lines(order)[0]["qty_delivered"] == 20


def test_a_user_without_rights_is_named() -> None:
    assert refusal("odoo.exceptions.AccessError", "You are not allowed").name == "no_access"
    assert refusal("odoo.exceptions.UserError", "No").name == "refused_by_odoo"


def test_a_monstrous_amount_stops_no_other(fresh: Engine, world: OdooWorld) -> None:
    """An app may send 38 digits; no double holds such an amount to the cent."""
    order = world.order()
    monster = due(order, "1", "1", amount="98765432109876543210987654321098765.43")
    bill_lines(fresh, world, monster, due(order))
    result = push(fresh, world.client, database="here")
    assert (result.verified, result.differs + result.refused) == (1, 1)
    assert pushed(fresh)[monster["line_key"]]["state"] != "verified"


def test_a_second_push_says_that_one_is_at_work(
    fresh: Engine, world: OdooWorld, client: WatchedClient
) -> None:
    order = world.order()
    bill_lines(fresh, world, due(order))
    with session_lock(fresh, "push:here") as taken:
        assert taken
        with pytest.raises(PushBusyError, match="at work on here"):
            push(fresh, client, database="here")
    assert client.calls == []
    assert push(fresh, client, database="here").verified == 1


def test_during_a_push_another_is_refused(fresh: Engine, world: OdooWorld) -> None:
    order = world.order()
    bill_lines(fresh, world, due(order))
    refused = []

    def again(call: Call) -> None:
        if call.changes:
            with pytest.raises(PushBusyError):
                push(fresh, world.client, database="here")
            refused.append(call)

    assert push(fresh, WatchedClient(world.client, before=again), database="here").verified == 1
    assert len(refused) == 1
    assert len(world.lines(order)) == 1
