"""The push under each phase of the cutover: nothing, drafts that bill nothing, orders."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest
import sqlalchemy as sa
from marts import OCTOBER, SEPTEMBER, Row
from pushing import OdooWorld, WatchedClient, bill_lines, decided, due, pushed
from sqlalchemy.engine import Engine

from exports import usage_lines
from exports.push_record import settle_invoiced
from exports.usage_lines import push
from ingest.odoo_mirror import BILLING, mirror
from odoo_gateway.client import Record
from odoo_gateway.errors import OdooRefusedError

D = Decimal


def later(line: Row, start: dt.date = OCTOBER) -> Row:
    """The same of a month later."""
    end = (start + dt.timedelta(days=31)).replace(day=1)
    key = line["line_key"].replace(str(line["period_start"]), str(start))
    return line | {
        "line_key": key,
        "rated_line_key": key,
        "period_start": start,
        "period_end": end,
    }


def late(line: Row, used: str, amount: str) -> Row:
    """A late adjustment of the line."""
    quantity = {"quantity_used": D(used), "quantity_billed": D(used)}
    return line | quantity | {
        "line_key": f"{line['rated_line_key']}~1",
        "adjustment_no": 1,
        "reason": "late_usage",
        "amount": D(amount),
        "amount_precise": D(amount),
    }  # fmt: skip


def drafts(world: OdooWorld, *lines: Row) -> list[Record]:
    keys = [f"{line['subscription_key']}:{line['period_start']}" for line in lines]
    return world.client.search_read(
        "sale.order",
        [("x_fc_dual_run_key", "in", keys)],
        ["x_fc_dual_run_key", "state", "partner_id", "pricelist_id", "currency_id",
         "fiscal_position_id", "client_order_ref", "x_fc_external_id", "name", "amount_untaxed"],
    )  # fmt: skip


def draft_lines(world: OdooWorld, *orders: int) -> list[Record]:
    return world.client.search_read(
        "sale.order.line",
        [("order_id", "in", orders)],
        ["x_fc_line_key", "product_uom_qty", "qty_delivered", "price_unit", "price_subtotal",
         "price_tax", "name", "x_fc_dual_run", "x_fc_period_start"],
    )  # fmt: skip


@pytest.mark.parametrize("phase", ["shadow", "retired", None])
def test_a_shadow_service_never_reaches_odoo(
    fresh: Engine, world: OdooWorld, client: WatchedClient, phase: str | None
) -> None:
    """Not one call, not even a read; nor where nothing is decided, nor where the old biller is off
    and Odoo never began."""
    order = world.order()
    before = world.client.search_read("sale.order", [], ["write_date"])
    line = due(order)
    decided(fresh, phase or "live", service="nexacloud" if phase else "another")
    bill_lines(fresh, world, line) if phase else _bill_undecided(fresh, world, line)
    assert push(fresh, client, database="here").pending == 0
    assert push(fresh, client, database="here", dry_run=True).pending == 0
    assert client.calls == []
    assert pushed(fresh) == {}
    assert world.lines(order) == []
    assert world.client.search_read("sale.order", [], ["write_date"]) == before


def _bill_undecided(engine: Engine, world: OdooWorld, line: Row) -> None:
    """bill_lines decides for live where nothing is decided; here nothing shall be."""
    bill_lines(engine, world, line | {"service_code": "another"})
    with engine.begin() as connection:
        connection.execute(sa.text("alter table ops.cutover disable trigger user"))
        connection.execute(sa.text("delete from ops.cutover"))
        connection.execute(sa.text("alter table ops.cutover enable always trigger append_only"))
        connection.execute(
            sa.text("alter table ops.cutover enable always trigger append_only_truncate")
        )


def test_the_calls_of_a_live_service_are_none_of_a_shadow_ones(
    fresh: Engine, world: OdooWorld, client: WatchedClient
) -> None:
    """Both due in one push: only the live service's line is asked for, by key and on its order."""
    shadow_order, live_order = world.orders(2)
    decided(fresh, "shadow")
    decided(fresh, "live", service="nexadesk")
    desk = due(live_order) | {"service_code": "nexadesk"}
    hidden, _ = bill_lines(fresh, world, due(shadow_order), desk)
    assert push(fresh, client, database="here").verified == 1
    assert world.lines(shadow_order) == []
    assert hidden["line_key"] not in pushed(fresh)
    assert [call.rows for call in client.changes()] == [1]


def test_a_dual_run_line_goes_onto_a_draft(
    fresh: Engine, world: OdooWorld, client: WatchedClient
) -> None:
    """30 × 0.12 = 3.60, HST 0.468 → 0.47; 30.5 × 0.085 = 2.5925 → one unit at 2.59, 0.34; a credit
    of −15.3 × 0.085 = −1.3005 → one unit at −1.30, −0.17. In all 4.89."""
    decided(fresh, "dual_run")
    order = world.order()
    usage = due(order, "30", "0.12")
    subscription = {"subscription_key": usage["subscription_key"]}
    lines = bill_lines(
        fresh,
        world,
        usage,
        due(order, "30.5", "0.085", charge="cloud_s/storage") | subscription,
        due(order, "-15.3", "0.085", charge="cloud_s/traffic", reason="correction") | subscription,
    )
    result = push(fresh, client, database="here")
    assert (result.pending, result.created, result.drafted, result.verified) == (3, 3, 3, 0)
    assert world.lines(order) == []

    (draft,) = drafts(world, usage)
    (source,) = world.client.search_read(
        "sale.order",
        [("id", "=", order)],
        ["name", "partner_id", "pricelist_id", "currency_id", "fiscal_position_id"],
    )
    copied = ("partner_id", "pricelist_id", "currency_id", "fiscal_position_id")
    assert {name: draft[name] for name in copied} == {name: source[name] for name in copied}
    assert (draft["state"], draft["x_fc_external_id"]) == ("draft", False)
    assert draft["client_order_ref"] == (
        f"Dual-run draft, do not confirm: usage of {source['name']}, Sep 2025"
    )
    assert draft["amount_untaxed"] == 4.89
    by_key = {row["x_fc_line_key"]: row for row in draft_lines(world, draft["id"])}
    standing = [by_key[line["line_key"]] for line in lines]
    assert [(row["product_uom_qty"], row["price_unit"]) for row in standing] == [
        (30.0, 0.12),
        (1.0, 2.59),
        (1.0, -1.3),
    ]
    assert {(row["qty_delivered"], row["x_fc_dual_run"]) for row in standing} == {(0.0, True)}
    assert standing[0]["name"] == "Compute, Sep 2025: 30 hours used, 30 × $0.12"
    recorded = pushed(fresh)
    assert [
        (row["state"], row["subtotal"], row["tax"], row["odoo_order_id"])
        for row in (recorded[line["line_key"]] for line in lines)
    ] == [
        ("drafted", D("3.60"), D("0.47"), draft["id"]),
        ("drafted", D("2.59"), D("0.34"), draft["id"]),
        ("drafted", D("-1.30"), D("-0.17"), draft["id"]),
    ]
    client.calls.clear()
    assert push(fresh, client, database="here").pending == 0
    assert client.calls == []


def test_one_draft_a_subscription_and_period(fresh: Engine, world: OdooWorld) -> None:
    decided(fresh, "dual_run")
    one, other = world.orders(2)
    first, second = due(one, key="a"), due(other, key="b")
    lines = bill_lines(fresh, world, first, later(first), second)
    assert push(fresh, world.client, database="here").drafted == 3
    assert [row["x_fc_dual_run_key"] for row in drafts(world, *lines)] == [
        "nexacloud:a:2025-09-01",
        "nexacloud:a:2025-10-01",
        "nexacloud:b:2025-09-01",
    ]


def test_a_confirmed_draft_has_nothing_to_invoice(fresh: Engine, world: OdooWorld) -> None:
    """Somebody confirms it, and lets Odoo invoice. Told after the next mirror, and to the push."""
    decided(fresh, "dual_run")
    (line,) = bill_lines(fresh, world, due(world.order()))
    push(fresh, world.client, database="here")
    (draft,) = drafts(world, line)
    world.client.call("sale.order", "action_confirm", [draft["id"]])
    wizard = {"sale_order_ids": [(6, 0, [draft["id"]])], "advance_payment_method": "delivered"}
    ids = world.client.create("sale.advance.payment.inv", [wizard])
    with pytest.raises(OdooRefusedError, match="No items are available to invoice"):
        world.client.call("sale.advance.payment.inv", "create_invoices", ids)

    assert settled(fresh, world, line)["problem"] == "draft_confirmed"
    bill_lines(fresh, world, late(line, "5", "0.60"))
    result = push(fresh, world.client, database="here")
    assert (result.refused, result.drafted) == (1, 0)
    assert pushed(fresh)[f"{line['line_key']}~1"]["problem"] == "draft_confirmed"
    # Put right, it goes on.
    world.client.call("sale.order", "action_cancel", [draft["id"]])
    assert settled(fresh, world, line)["problem"] == "draft_cancelled"
    assert push(fresh, world.client, database="here").refused == 1
    assert pushed(fresh)[f"{line['line_key']}~1"]["problem"] == "draft_cancelled"
    world.client.call("sale.order", "action_draft", [draft["id"]])
    assert settled(fresh, world, line)["problem"] is None
    assert push(fresh, world.client, database="here").drafted == 1


def settled(engine: Engine, world: OdooWorld, line: Row) -> Row:
    mirror(engine, world.client, BILLING)
    settle_invoiced(engine)
    return pushed(engine)[line["line_key"]]


def test_a_draft_that_is_deleted_is_drafted_anew(fresh: Engine, world: OdooWorld) -> None:
    """Never onto the order, though the service went live meanwhile."""
    decided(fresh, "dual_run")
    order = world.order()
    (line,) = bill_lines(fresh, world, due(order))
    push(fresh, world.client, database="here")
    mirror(fresh, world.client, BILLING)
    (draft,) = drafts(world, line)
    world.client.call("sale.order", "unlink", [draft["id"]])
    assert settled(fresh, world, line)["state"] == "planned"
    decided(fresh, "live")
    assert push(fresh, world.client, database="here").drafted == 1
    (again,) = drafts(world, line)
    assert again["id"] != draft["id"]
    assert world.lines(order) == []


@pytest.mark.parametrize(
    "values", [{"price_unit": 0.1}, {"product_uom_qty": 31, "price_unit": 0.12},
               {"qty_delivered": 30}, {"discount": 50.0}], ids=str
)  # fmt: skip
def test_a_draft_line_edited_by_hand_is_told_and_left(
    fresh: Engine, world: OdooWorld, values: dict[str, float]
) -> None:
    decided(fresh, "dual_run")
    (line,) = bill_lines(fresh, world, due(world.order(), "30", "0.12"))
    push(fresh, world.client, database="here")
    (draft,) = drafts(world, line)
    (standing,) = draft_lines(world, draft["id"])
    world.client.write("sale.order.line", [standing["id"]], values)
    found = settled(fresh, world, line)
    assert (found["state"], found["problem"]) == ("drafted", "edited_by_hand")
    assert push(fresh, world.client, database="here").pending == 0
    # The same where our record was lost and the push reads it back.
    with fresh.begin() as connection:
        connection.execute(sa.text("update ops.odoo_push set state = 'sent'"))
    assert push(fresh, world.client, database="here").differs == 1
    assert pushed(fresh)[line["line_key"]]["problem"] == "edited_by_hand"


def test_lines_of_a_dual_run_never_come_onto_the_order(fresh: Engine, world: OdooWorld) -> None:
    """Whatever is decided later; what is late follows its period, new periods go live."""
    decided(fresh, "dual_run")
    order = world.order()
    line = due(order, "30", "0.12")
    bill_lines(fresh, world, line)
    push(fresh, world.client, database="here")
    decided(fresh, "live", starts=OCTOBER)
    bill_lines(fresh, world, late(line, "5", "0.60"), later(line))
    result = push(fresh, world.client, database="here")
    assert (result.drafted, result.verified) == (1, 1)
    decided(fresh, "live")  # even a decision for all periods moves nothing that stands
    again = late(line, "1", "0.12") | {
        "line_key": f"{line['line_key']}~2",
        "adjustment_no": 2,
    }
    bill_lines(fresh, world, again)
    assert push(fresh, world.client, database="here").drafted == 1
    (draft,) = drafts(world, line)
    assert [row["price_subtotal"] for row in draft_lines(world, draft["id"])] == [3.6, 0.6, 0.12]
    assert [row["x_fc_period_start"] for row in world.lines(order)] == ["2025-10-01"]


def test_going_back_leaves_what_is_on_orders(fresh: Engine, world: OdooWorld) -> None:
    """Live in September, back to the dual run from October: September's late usage is still billed
    on the order, October is a draft."""
    decided(fresh, "live")
    order = world.order()
    line = due(order, "30", "0.12")
    bill_lines(fresh, world, line)
    push(fresh, world.client, database="here")
    decided(fresh, "dual_run", starts=OCTOBER)
    bill_lines(fresh, world, late(line, "5", "0.60"), later(line))
    result = push(fresh, world.client, database="here")
    assert (result.drafted, result.verified) == (1, 1)
    assert [row["x_fc_period_start"] for row in world.lines(order)] == ["2025-09-01"] * 2
    (draft,) = drafts(world, later(line))
    assert len(draft_lines(world, draft["id"])) == 1
    assert {row["state"] for row in pushed(fresh).values()} == {"verified", "drafted"}


def test_a_retired_service_is_billed_as_a_live_one(fresh: Engine, world: OdooWorld) -> None:
    decided(fresh, "live")
    decided(fresh, "retired", starts=SEPTEMBER)
    order = world.order()
    bill_lines(fresh, world, due(order))
    assert push(fresh, world.client, database="here").verified == 1
    assert len(world.lines(order)) == 1


def test_a_draft_does_not_mind_how_its_subscription_stands(fresh: Engine, world: OdooWorld) -> None:
    """Paused or locked, so that Odoo does not bill the base fee yet. Without a tax position it
    would be drafted with another tax, and is refused as a live line would be."""
    decided(fresh, "dual_run")
    paused, locked = world.orders(2)
    world.client.write("sale.order", [paused], {"subscription_state": "4_paused"})
    world.client.call("sale.order", "action_lock", [locked])
    (nobody,) = world.client.create("res.partner", [{"name": "Lost"}])
    lost = world.orders(1, nobody)[0]
    good = bill_lines(fresh, world, due(paused), due(locked))
    bad = bill_lines(fresh, world, due(lost), due(999_999))
    dry = push(fresh, world.client, database="here", dry_run=True)
    assert (dry.pending, dry.refused) == (4, 2)
    assert drafts(world, *good) == []
    result = push(fresh, world.client, database="here")
    assert (result.drafted, result.refused) == (2, 2)
    found = pushed(fresh)
    assert [found[line["line_key"]]["problem"] for line in bad] == [
        "no_tax_position",
        "order_missing",
    ]
    assert drafts(world, *bad) == []


def test_many_lines_on_many_drafts(
    fresh: Engine, world: OdooWorld, client: WatchedClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Quotations in one call a batch, and lines as ever."""
    monkeypatch.setattr(usage_lines, "KEYS_PER_READ", 10)
    monkeypatch.setattr(usage_lines, "LINES_PER_CREATE", 4)
    decided(fresh, "dual_run")
    orders = world.orders(3)
    lines = [due(orders[n % 3], key=f"m{n % 3}", charge=f"cloud_s/metric_{n}") for n in range(23)]
    bill_lines(fresh, world, *lines)
    assert push(fresh, client, database="here").drafted == 23
    made = drafts(world, *lines)
    assert len(made) == 3
    assert len(draft_lines(world, *(row["id"] for row in made))) == 23
    assert [(call.model, call.rows) for call in client.changes()][:4] == [
        ("sale.order", 2),
        ("sale.order.line", 4),
        ("sale.order.line", 4),
        ("sale.order.line", 2),
    ]
