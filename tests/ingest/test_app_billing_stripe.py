"""Stripe's documents become rows, exactly, in today's API shape and in that before 2025-03-31."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from app_billing_documents import (
    MID_SEPTEMBER,
    OCTOBER,
    empty,
    load_stripe,
    said,
    stored_documents,
    stored_lines,
    stripe_before_basil,
    stripe_credit_note,
    stripe_invoice,
    stripe_line,
    stripe_refund,
    write,
)
from sqlalchemy.engine import Engine

Json = dict[str, Any]


@pytest.fixture(autouse=True)
def _empty(engine: Engine) -> None:
    empty(engine)


def test_a_list_of_today(engine: Engine, tmp_path: Path) -> None:
    base = stripe_line(
        id="il_0",
        amount=1900,
        metadata={},
        parent={"type": "subscription_item_details"},
        quantity=1,
        quantity_decimal="1",
        taxes=[{"amount": 247, "tax_behavior": "exclusive"}],
    )
    listing = {"object": "list", "data": [stripe_invoice(base, stripe_line())]}
    report = load_stripe(engine, write(tmp_path, listing))

    assert (report.documents.new, report.lines.new, report.problems) == (1, 2, ())
    fee, usage = stored_lines(engine)
    assert (fee.item_type, fee.metric_code, fee.amount) == ("subscription", None, Decimal(19))
    assert (usage.item_type, usage.metric_code) == ("charge", "compute_hours")
    assert (usage.quantity, usage.amount) == (Decimal("12.25"), Decimal("1.04"))
    assert (usage.tax_amount, usage.currency) == (Decimal("0.14"), "CAD")
    assert (usage.external_account_id, usage.external_subscription_id) == ("acct-1", "nc-sub-1")
    assert usage.period_from == datetime(2026, 9, 1, 4, tzinfo=UTC)
    assert usage.period_to == datetime(2026, 10, 1, 4, tzinfo=UTC)
    assert (usage.source, usage.status, usage.issued_on) == ("stripe", "paid", date(2026, 10, 2))
    (invoice,) = stored_documents(engine)
    assert (invoice.net_amount, invoice.tax_amount) == (Decimal("20.04"), Decimal("2.61"))
    assert (invoice.total_amount, invoice.discount_amount) == (Decimal("22.65"), 0)
    assert (invoice.kind, invoice.invoice_number) == ("invoice", "NC-1")


def test_the_shape_before_basil(engine: Engine, tmp_path: Path) -> None:
    report = load_stripe(engine, write(tmp_path, stripe_before_basil()))
    assert report.problems == ()
    (usage,) = stored_lines(engine)
    assert (usage.item_type, usage.metric_code) == ("charge", "compute_hours")
    assert (usage.quantity, usage.tax_amount) == (Decimal(12), Decimal("0.14"))
    assert usage.external_subscription_id == "nc-sub-1"
    (invoice,) = stored_documents(engine)
    assert (invoice.net_amount, invoice.tax_amount) == (Decimal("1.04"), Decimal("0.14"))


@pytest.mark.parametrize(
    "shape",
    [
        lambda one, two: json.dumps([one, two]),
        lambda one, two: json.dumps({"object": "search_result", "data": [one, two]}),
        lambda one, two: json.dumps(one) + "\n" + json.dumps(two),
        lambda one, two: json.dumps(one, indent=2) + "\n" + json.dumps(two, indent=2),
        lambda one, two: json.dumps([{"object": "list", "data": [each]} for each in (one, two)]),
        lambda one, two: json.dumps(
            {
                "object": "list",
                "url": "/v1/events",
                "data": [{"object": "event", "data": {"object": each}} for each in (one, two)],
            }
        ),
    ],
    ids=["array", "search", "one a line", "pretty, one after the other", "pages", "events"],
)
def test_every_shape_of_a_file_is_read_alike(shape: Any, engine: Engine, tmp_path: Path) -> None:
    one, two = stripe_invoice(), stripe_invoice(id="in_2")
    load_stripe(engine, write(tmp_path, {"object": "list", "data": [one, two]}))
    again = load_stripe(engine, write(tmp_path, shape(one, two)))
    assert (again.documents.unchanged, again.lines.unchanged, again.problems) == (2, 2, ())


def test_where_the_metric_is_named(engine: Engine, tmp_path: Path) -> None:
    named = {"metric_code": "storage_gb"}
    pricing = {"price_details": {"price": {"metadata": named}}}
    lines = [
        stripe_line(id="il_1", metadata={}, price={"metadata": named}),
        stripe_line(id="il_2", metadata={}, price={"product": {"metadata": named}}),
        stripe_line(id="il_3", metadata={}, pricing=pricing),
        stripe_line(id="il_4", metadata={}, price={"nickname": "Disk"}),
        stripe_line(id="il_5", metadata={}, price={"nickname": "Setup"}),
    ]
    path = write(tmp_path, stripe_invoice(*lines))
    load_stripe(engine, path, nicknames={"Disk": "storage_gb"})
    assert [(row.metric_code, row.item_type) for row in stored_lines(engine)] == [
        ("storage_gb", "charge"),
        ("storage_gb", "charge"),
        ("storage_gb", "charge"),
        ("storage_gb", "charge"),
        (None, "other"),
    ]


def test_without_metadata_the_account_is_stripes_customer(engine: Engine, tmp_path: Path) -> None:
    bare: Json = {"metadata": {}, "parent": None}
    expanded = stripe_invoice(id="in_2", customer={"id": "cus_2", "object": "customer"}, **bare)
    load_stripe(engine, write(tmp_path, [stripe_invoice(**bare), expanded]))
    for rows in (stored_lines(engine), stored_documents(engine)):
        assert [row.external_account_id for row in rows] == ["cus_1", "cus_2"]
    assert {row.external_subscription_id for row in stored_lines(engine)} == {None}


# --- amounts ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "taxes",
    [
        {"taxes": [{"amount": 130, "tax_behavior": "inclusive"}]},
        {"taxes": None, "tax_amounts": [{"amount": 130, "inclusive": True}]},
    ],
    ids=["today", "before basil"],
)
def test_amounts_are_net_of_discounts_and_inclusive_tax(
    taxes: Json, engine: Engine, tmp_path: Path
) -> None:
    """11.30 with 1.30 of tax inside is 10.00; less a discount of 2.00 it is 8.00."""
    line = stripe_line(amount=1130, discount_amounts=[{"amount": 200}], **taxes)
    report = load_stripe(engine, write(tmp_path, stripe_invoice(line, off=200)))
    assert report.problems == ()
    (row,) = stored_lines(engine)
    assert (row.amount, row.tax_amount, row.discount_amount) == (8, Decimal("1.30"), 2)


def test_a_discount_that_no_line_mentions_follows_the_amounts(
    engine: Engine, tmp_path: Path
) -> None:
    """1.00 over 2.00 and 1.00: 0.67 and 0.33; a proration cannot be discounted."""
    lines = [
        stripe_line(id="il_1", amount=200, discount_amounts=None),
        stripe_line(id="il_2", amount=100, discount_amounts=None),
        stripe_line(id="il_3", amount=900, discount_amounts=None, discountable=False),
    ]
    report = load_stripe(engine, write(tmp_path, stripe_invoice(*lines, off=100)))
    assert report.problems == ()
    assert [row.discount_amount for row in stored_lines(engine)] == [
        Decimal("0.67"),
        Decimal("0.33"),
        0,
    ]


def test_prepaid_billing_credits_come_off_before_tax(engine: Engine, tmp_path: Path) -> None:
    """1.04 less a grant of 0.50; the discount of 0.10 stands in both lists and counts once."""
    credits = [
        {"amount": 10, "type": "discount", "discount": "di_1"},
        {"amount": 50, "type": "credit_balance_transaction"},
    ]
    line = stripe_line(discount_amounts=[{"amount": 10}], pretax_credit_amounts=credits)
    invoice = stripe_invoice(line, off=60, total_pretax_credit_amounts=credits)
    invoice["total_discount_amounts"] = [{"amount": 10, "discount": "di_1"}]
    report = load_stripe(engine, write(tmp_path, invoice))
    assert report.problems == ()
    (row,) = stored_lines(engine)
    assert (row.amount, row.discount_amount) == (Decimal("0.44"), Decimal("0.60"))
    assert stored_documents(engine)[0].discount_amount == Decimal("0.60")


@pytest.mark.parametrize(
    ("currency", "amount"),
    [("jpy", "104"), ("cad", "1.04"), ("kwd", "0.104"), ("isk", "1.04"), ("ugx", "1.04")],
)
def test_minor_units_are_stripes_own(
    currency: str, amount: str, engine: Engine, tmp_path: Path
) -> None:
    """Stripe counts ISK and UGX in hundredths, though they have none."""
    line = stripe_line(currency=currency)
    load_stripe(engine, write(tmp_path, stripe_invoice(line, currency=currency)))
    assert [row.amount for row in stored_lines(engine)] == [Decimal(amount)]
    assert [row.net_amount for row in stored_documents(engine)] == [Decimal(amount)]


def test_prorations_of_both_shapes(engine: Engine, tmp_path: Path) -> None:
    """Half a month of 19.00 back, half of 39.00 instead: -9.50 and 19.50."""
    details = {"proration": True, "proration_details": {"credited_items": None}}
    period = {"start": MID_SEPTEMBER, "end": OCTOBER}
    by_item = {"type": "invoice_item_details", "invoice_item_details": details}
    by_subscription = {"type": "subscription_item_details", "subscription_item_details": details}
    plain: Json = {"metadata": {}, "period": period, "taxes": []}
    today = stripe_invoice(
        stripe_line(id="il_1", amount=-950, parent=by_item, **plain),
        stripe_line(id="il_2", amount=1950, parent=by_subscription, **plain),
    )
    before = stripe_before_basil(proration=True) | {"id": "in_2"}
    report = load_stripe(engine, write(tmp_path, [today, before, stripe_invoice(id="in_3")]))
    assert report.problems == ()
    found = [(row.amount, row.is_proration, row.item_type) for row in stored_lines(engine)]
    assert found == [
        (Decimal("-9.50"), True, "subscription"),
        (Decimal("19.50"), True, "subscription"),
        (Decimal("1.04"), True, "charge"),
        (Decimal("1.04"), False, "charge"),
    ]


def test_every_state_is_stored_and_only_what_is_owed_is_billed(
    engine: Engine, tmp_path: Path
) -> None:
    states = ("draft", "open", "paid", "uncollectible", "void")
    found = [stripe_invoice(id=f"in_{state}", status=state) for state in states]
    report = load_stripe(engine, write(tmp_path, found))
    assert (report.documents.new, report.lines.new) == (5, 5)
    assert {row.status: row.is_billed for row in stored_documents(engine)} == {
        "draft": False,
        "open": True,
        "paid": True,
        "uncollectible": True,
        "void": False,
    }


# --- credit notes and refunds -------------------------------------------------------------------


@pytest.mark.parametrize("is_today", [True, False], ids=["today", "before basil"])
def test_a_credit_note_is_negative(is_today: bool, engine: Engine, tmp_path: Path) -> None:
    note = stripe_credit_note()
    if not is_today:
        tax = [{"amount": 14, "inclusive": False, "tax_rate": "txr_1"}]
        (line,) = note["lines"]["data"]
        note |= {"tax_amounts": tax, "refund": "re_1"}
        line |= {"tax_amounts": tax, "amount_excluding_tax": 104}
        for name in ("total_taxes", "refunds"):
            del note[name]
        del line["taxes"]
    report = load_stripe(engine, write(tmp_path, note))
    assert report.problems == ()
    (line,) = stored_lines(engine)
    assert (line.amount, line.tax_amount, line.quantity) == (
        Decimal("-1.04"),
        Decimal("-0.14"),
        Decimal(-12),
    )
    (stored,) = stored_documents(engine)
    assert (stored.kind, stored.corrects_invoice_id) == ("credit_note", "in_1")
    assert (stored.net_amount, stored.total_amount) == (Decimal("-1.04"), Decimal("-1.18"))
    assert (stored.is_billed, stored.issued_on) == (True, date(2026, 10, 6))


def test_a_credit_notes_discount_and_inclusive_tax(engine: Engine, tmp_path: Path) -> None:
    """11.30 gross, 2.00 of it discounted, 1.30 of tax inside what remains: 8.00 net."""
    line = {
        "id": "cnli_1",
        "amount": 1130,
        "discount_amount": 200,
        "taxes": [{"amount": 130, "tax_behavior": "inclusive"}],
        "metadata": {"metric_code": "compute_hours"},
    }
    changes = {"discount_amount": 200, "total": 930, "total_excluding_tax": 800}
    note = stripe_credit_note(line, **changes, status="void")
    report = load_stripe(engine, write(tmp_path, note))
    assert report.problems == ()
    (row,) = stored_lines(engine)
    assert (row.amount, row.discount_amount, row.tax_amount) == (-8, -2, Decimal("-1.30"))
    assert (row.item_type, row.metric_code) == ("charge", "compute_hours")
    (stored,) = stored_documents(engine)
    assert (stored.discount_amount, stored.is_billed) == (Decimal(-2), False)


def test_refunds_are_money_that_went_back(engine: Engine, tmp_path: Path) -> None:
    """Before basil an expanded charge names its invoice."""
    refunds = [
        stripe_refund(charge={"id": "ch_1", "object": "charge", "invoice": "in_1"}),
        stripe_refund(id="re_2", status="failed"),
        stripe_refund(id="re_3", status="pending", metadata={"external_account_id": "acct-1"}),
    ]
    report = load_stripe(engine, write(tmp_path, {"object": "list", "data": refunds}))
    assert (report.documents.new, report.lines.new, report.problems) == (3, 0, ())
    first, failed, pending = stored_documents(engine)
    assert (first.kind, first.total_amount, first.net_amount) == ("refund", Decimal("-1.18"), None)
    assert (first.corrects_invoice_id, failed.corrects_invoice_id) == ("in_1", None)
    assert (first.is_billed, failed.is_billed, pending.is_billed) == (True, False, True)
    assert (pending.external_account_id, pending.invoice_number) == ("acct-1", "3278-0001")


# --- more lines than Stripe shows with the invoice ----------------------------------------------


def _twelve() -> tuple[Json, list[Json]]:
    """Twelve lines of 1.04; the invoice shows ten."""
    lines = [stripe_line(id=f"il_{number:02}") for number in range(12)]
    shown = {"object": "list", "has_more": True, "data": lines[:10]}
    return stripe_invoice(*lines, lines=shown), lines


def _page(lines: list[Json], has_more: bool = False) -> Json:
    url = "/v1/invoices/in_1/lines"
    return {"object": "list", "url": url, "has_more": has_more, "data": lines}


def test_without_its_other_lines_an_invoice_is_not_half_loaded(
    engine: Engine, tmp_path: Path
) -> None:
    invoice, _ = _twelve()
    report = load_stripe(engine, write(tmp_path, [invoice, stripe_invoice(id="in_2")]))
    assert said(report) == [
        "export.json, invoice 1: invoice NC-1 (in_1) has not all of its lines: fetch GET"
        " /v1/invoices/in_1/lines, all pages, and import them with it"
    ]
    assert [row.external_invoice_id for row in stored_documents(engine)] == ["in_2"]


def test_pages_of_lines_complete_an_invoice_in_any_order(engine: Engine, tmp_path: Path) -> None:
    invoice, lines = _twelve()
    pages = [_page(lines[:5], has_more=True), _page(lines[5:])]
    first = load_stripe(engine, write(tmp_path, [pages[1], invoice, pages[0]]))
    assert (first.documents.new, first.lines.new, first.problems) == (1, 12, ())
    assert len(stored_documents(engine)[0].payload["lines"]["data"]) == 12

    again = load_stripe(engine, write(tmp_path, [invoice, *pages]))
    assert (again.documents.unchanged, again.problems) == (1, ())
    listed = load_stripe(engine, write(tmp_path, invoice))
    assert (listed.skipped, listed.problems) == (1, ()), "its lines were imported before"


def test_a_missing_page_is_noticed(engine: Engine, tmp_path: Path) -> None:
    invoice, lines = _twelve()
    report = load_stripe(engine, write(tmp_path, [invoice, _page(lines[11:])]))
    assert said(report) == [
        "export.json, invoice 1: invoice NC-1 (in_1): its lines sum to 11.44 CAD before tax, it"
        " says 12.48. A page of its lines is missing"
    ]
    assert stored_documents(engine) == []
