"""Lago's documents become rows, exactly: list and show, fees, discounts, credit notes."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from app_billing_documents import (
    empty,
    lago_credit_note,
    lago_fee,
    lago_invoice,
    lago_plan_fee,
    load_lago,
    said,
    stored_documents,
    stored_lines,
    without_fees,
    write,
)
from sqlalchemy.engine import Engine


@pytest.fixture(autouse=True)
def _empty(engine: Engine) -> None:
    empty(engine)


def test_a_shown_invoice_becomes_a_row_and_one_a_fee(engine: Engine, tmp_path: Path) -> None:
    report = load_lago(engine, write(tmp_path, {"invoice": lago_invoice()}))

    assert (report.documents.new, report.lines.new, report.problems) == (1, 2, ())
    base, usage = stored_lines(engine)
    assert (base.item_type, base.metric_code, base.amount) == ("subscription", None, Decimal(29))
    assert (usage.item_type, usage.metric_code) == ("charge", "messages")
    assert usage.quantity == Decimal("250.5"), "the free thousand is not charged for"
    assert (usage.amount, usage.tax_amount) == (Decimal("3.01"), Decimal("0.39"))
    assert (usage.external_account_id, usage.external_subscription_id) == ("acct-1", "sub-1")
    assert usage.period_from == datetime(2026, 9, 1, 4, tzinfo=UTC)
    assert usage.period_to == datetime(2026, 10, 1, 4, tzinfo=UTC), "Lago's last second, exclusive"
    assert (usage.source, usage.service_code, usage.status) == ("lago", "nexadesk", "finalized")
    assert (usage.invoice_number, usage.issued_on) == ("LAG-1-001", date(2026, 10, 1))
    assert (usage.version, usage.payload) == (1, lago_fee())

    (invoice,) = stored_documents(engine)
    assert (invoice.kind, invoice.version, invoice.is_billed) == ("invoice", 1, True)
    assert (invoice.net_amount, invoice.discount_amount) == (Decimal("32.01"), Decimal(0))
    assert (invoice.tax_amount, invoice.total_amount) == (Decimal("4.16"), Decimal("36.17"))
    assert (invoice.external_account_id, invoice.corrects_invoice_id) == ("acct-1", None)
    assert invoice.payload == lago_invoice()


def test_the_content_hash_is_of_sorted_json(engine: Engine, tmp_path: Path) -> None:
    """Of {"b": 1.50, "a": "x"} it would be that of {"a":"x","b":"1.5"}; 13.0 is 13."""
    load_lago(engine, write(tmp_path, {"invoice": lago_invoice(fees=[])}))
    (invoice,) = stored_documents(engine)
    text = json.dumps(lago_invoice(fees=[]), sort_keys=True, separators=(",", ":"))
    assert bytes(invoice.content_sha256) == hashlib.sha256(text.encode()).digest()


@pytest.mark.parametrize(
    "shape",
    [
        lambda one, two: json.dumps({"invoices": [one, two], "meta": {"total_pages": 1}}),
        lambda one, two: json.dumps({"invoice": one}) + "\n" + json.dumps({"invoice": two}) + "\n",
        lambda one, two: json.dumps({"invoice": one}) + json.dumps({"invoice": two}),
        lambda one, two: json.dumps({"invoice": one}, indent=2) + json.dumps({"invoice": two}),
        lambda one, two: json.dumps([{"invoice": one}, {"invoices": [two]}]),
        lambda one, two: "".join(
            json.dumps({"webhook_type": "invoice.created", "object_type": "invoice", "invoice": x})
            + "\n"
            for x in (one, two)
        ),
    ],
    ids=["list", "one a line", "one after the other", "pretty", "array", "webhooks"],
)
def test_every_shape_of_a_file_is_read_alike(shape: Any, engine: Engine, tmp_path: Path) -> None:
    """A shell loop over GET /invoices/{id} leaves documents without a newline between."""
    one, two = lago_invoice(), lago_invoice(lago_id="inv-2")
    load_lago(engine, write(tmp_path, {"invoices": [one, two]}))
    again = load_lago(engine, write(tmp_path, shape(one, two)))
    assert (again.documents.unchanged, again.lines.unchanged, again.problems) == (2, 4, ())
    assert len(stored_lines(engine)) == 4


# --- list and show ------------------------------------------------------------------------------


def test_a_list_entry_needs_its_shown_invoice_in_any_order(engine: Engine, tmp_path: Path) -> None:
    one, two = lago_invoice(), lago_invoice(lago_id="inv-2", number="LAG-1-002")
    listed = write(tmp_path, {"invoices": [without_fees(one), without_fees(two)]}, "list.json")
    shown = write(tmp_path, {"invoice": one}, "show.json")

    report = load_lago(engine, listed, shown)

    assert (report.documents.new, report.skipped) == (1, 1)
    assert said(report) == [
        "list.json, invoice 2: invoice LAG-1-002 (inv-2) has not all of its lines: fetch GET"
        " /api/v1/invoices/inv-2 and import it as well"
    ]
    assert [row.external_invoice_id for row in stored_documents(engine)] == ["inv-1"]

    later = load_lago(engine, listed, write(tmp_path, {"invoice": two}, "second.json"))
    assert (later.documents.new, later.skipped, later.problems) == (1, 2, ()), "inv-1 was there"


def test_a_list_that_is_newer_than_what_was_shown_is_told(engine: Engine, tmp_path: Path) -> None:
    load_lago(engine, write(tmp_path, {"invoice": lago_invoice()}))
    newer = without_fees(lago_invoice(), status="voided", updated_at="2026-10-09T06:00:00Z")
    older = without_fees(lago_invoice(), status="draft", updated_at="2026-09-30T06:00:00Z")
    paid = without_fees(lago_invoice(), payment_status="succeeded", updated_at=newer["updated_at"])
    listed = write(tmp_path, {"invoices": [newer, older, paid]})

    report = load_lago(engine, listed)

    assert said(report) == [
        "export.json, invoice 1: invoice LAG-1-001 (inv-1) status finalized as imported is now"
        " voided: fetch GET /api/v1/invoices/inv-1 and import it as well"
    ]
    assert report.skipped == 2, "an older list, and one that says nothing new about the amounts"


def test_a_draft_in_a_list_needs_no_fees(engine: Engine, tmp_path: Path) -> None:
    report = load_lago(
        engine, write(tmp_path, {"invoices": [without_fees(lago_invoice(), status="draft")]})
    )
    assert (report.skipped, report.problems, stored_documents(engine)) == (1, (), [])


# --- fees ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "item_type", "metric_code"),
    [
        ("charge", "charge", "x"),
        ("subscription", "subscription", None),
        ("fixed_charge", "subscription", None),
        ("commitment", "minimum_commitment", None),
        ("add_on", "add_on", None),
        ("credit", "credit", None),
        ("product", "other", None),
    ],
)
def test_fees_of_every_kind(
    kind: str, item_type: str, metric_code: str | None, engine: Engine, tmp_path: Path
) -> None:
    fee = lago_fee(item={"type": kind, "code": "x"})
    load_lago(engine, write(tmp_path, {"invoice": lago_invoice(fee)}))
    (line,) = stored_lines(engine)
    assert (line.item_type, line.metric_code) == (item_type, metric_code)


def test_a_commitment_names_no_dates_and_takes_its_subscriptions(
    engine: Engine, tmp_path: Path
) -> None:
    fee = lago_fee(item={"type": "commitment", "code": "x"}, from_date=None, to_date=None)
    period = {
        "external_subscription_id": "sub-1",
        "subscription_from_datetime": "2026-09-01T04:00:00Z",
        "subscription_to_datetime": "2026-10-01T03:59:59Z",
    }
    other = period | {"external_subscription_id": "sub-2", "subscription_from_datetime": None}
    invoice = lago_invoice(fee, billing_periods=[other, period])
    load_lago(engine, write(tmp_path, {"invoice": invoice}))
    (line,) = stored_lines(engine)
    assert (line.period_from, line.period_to) == (
        datetime(2026, 9, 1, 4, tzinfo=UTC),
        datetime(2026, 10, 1, 4, tzinfo=UTC),
    )


def test_a_package_charges_its_paid_units_and_a_plain_fee_all(
    engine: Engine, tmp_path: Path
) -> None:
    package = lago_fee(amount_details={"free_units": "10.0", "paid_units": "40.0"})
    plain = lago_fee(lago_id="fee-2", units=0.1, amount_details={})
    load_lago(engine, write(tmp_path, {"invoice": lago_invoice(package, plain)}))
    assert [row.quantity for row in stored_lines(engine)] == [Decimal(40), Decimal("0.1")]


def test_prorated_fees_say_so(engine: Engine, tmp_path: Path) -> None:
    """Half of 29.00, and 30 seats of which half a month was used; 31 of 30 are no part."""
    half = lago_plan_fee(amount_cents=1450, taxes_amount_cents=189)
    seats = lago_fee(lago_id="fee-2", units="15.0", total_aggregated_units="30.0")
    more = lago_fee(lago_id="fee-5", units="31.0", total_aggregated_units="30.0")
    whole = lago_plan_fee(lago_id="fee-3"), lago_fee(lago_id="fee-4"), more
    load_lago(engine, write(tmp_path, {"invoice": lago_invoice(half, seats, *whole)}))
    assert [row.is_proration for row in stored_lines(engine)] == [True, True, False, False, False]


def test_what_is_topped_up_or_billed_ahead_counts_no_units_twice(
    engine: Engine, tmp_path: Path
) -> None:
    """A true-up to a minimum, and an invoice in the middle of a period: the units stand on the
    charge's own fee at the end."""
    true_up = lago_fee(lago_id="fee-2", lago_true_up_parent_fee_id="fee-1", amount_details={})
    invoices = [
        lago_invoice(lago_fee(), true_up),
        lago_invoice(lago_fee(), lago_id="inv-2", invoice_type="progressive_billing"),
    ]
    load_lago(engine, write(tmp_path, {"invoices": invoices}))
    assert [row.quantity for row in stored_lines(engine)] == [Decimal("250.5"), 0, 0]


# --- discounts ----------------------------------------------------------------------------------


def test_coupons_stand_on_fees_in_whole_cents_that_sum_to_the_invoice(
    engine: Engine, tmp_path: Path
) -> None:
    """10.00 off 29.00 and 3.01: 9.0597 and 0.9403 by weight, so 9.06 and 0.94; 19.94 and 2.07."""
    fees = (
        lago_plan_fee(precise_coupons_amount_cents="905.96688"),
        lago_fee(precise_coupons_amount_cents="94.03312"),
    )
    report = load_lago(engine, write(tmp_path, {"invoice": lago_invoice(*fees, off=1000)}))
    assert report.problems == ()
    base, usage = stored_lines(engine)
    assert (base.amount, base.discount_amount) == (Decimal("19.94"), Decimal("9.06"))
    assert (usage.amount, usage.discount_amount) == (Decimal("2.07"), Decimal("0.94"))
    (invoice,) = stored_documents(engine)
    assert (invoice.net_amount, invoice.discount_amount) == (Decimal("22.01"), Decimal(10))


def test_half_cents_of_three_fees_do_not_make_a_cent(engine: Engine, tmp_path: Path) -> None:
    """1.00 over three equal fees: 0.34, 0.33, 0.33, the first fraction up."""
    fees = [
        lago_fee(lago_id=f"fee-{n}", precise_coupons_amount_cents="33.33333") for n in (1, 2, 3)
    ]
    report = load_lago(engine, write(tmp_path, {"invoice": lago_invoice(*fees, off=100)}))
    assert report.problems == ()
    found = [row.discount_amount for row in stored_lines(engine)]
    assert found == [Decimal("0.34"), Decimal("0.33"), Decimal("0.33")]


def test_a_coupon_that_no_fee_mentions_follows_the_amounts(engine: Engine, tmp_path: Path) -> None:
    """Fees of 3.00 and 1.00 share 0.10: 7.5 and 2.5 cents, and the earlier half cent goes up."""
    fees = [
        lago_fee(lago_id="fee-1", amount_cents=300),
        lago_fee(lago_id="fee-2", amount_cents=100),
    ]
    for fee in fees:
        del fee["precise_coupons_amount_cents"]
    load_lago(engine, write(tmp_path, {"invoice": lago_invoice(*fees, off=10)}))
    assert [row.discount_amount for row in stored_lines(engine)] == [
        Decimal("0.08"),
        Decimal("0.02"),
    ]


def test_prepaid_credits_and_old_coupons_pay_and_change_no_line(
    engine: Engine, tmp_path: Path
) -> None:
    """Version 2 took coupons off after tax: net 32.01, tax 4.16, whatever was then paid by them."""
    changes = {"prepaid_credit_amount_cents": 500, "total_amount_cents": 3117}
    old = lago_invoice(lago_id="inv-2", version_number=2, coupons_amount_cents=700)
    report = load_lago(engine, write(tmp_path, {"invoices": [lago_invoice(**changes), old]}))
    assert report.problems == ()
    for invoice in stored_documents(engine):
        assert (invoice.net_amount, invoice.total_amount) == (Decimal("32.01"), Decimal("36.17"))
    assert {row.discount_amount for row in stored_lines(engine)} == {Decimal(0)}


def test_progressive_billing_is_taken_off_the_charge_it_billed(
    engine: Engine, tmp_path: Path
) -> None:
    """2.00 of the 3.01 were billed in the middle of the month."""
    fees = lago_plan_fee(), lago_fee(precise_coupons_amount_cents="200.0")
    changes = {"coupons_amount_cents": 0, "progressive_billing_credit_amount_cents": 200}
    invoice = lago_invoice(*fees, off=200, **changes)
    report = load_lago(engine, write(tmp_path, {"invoice": invoice}))
    assert report.problems == ()
    assert [row.amount for row in stored_lines(engine)] == [Decimal(29), Decimal("1.01")]


@pytest.mark.parametrize(
    ("currency", "cents", "amount"),
    [("JPY", 301, "301"), ("CAD", 301, "3.01"), ("KWD", 301, "0.301"), ("ISK", 301, "301")],
)
def test_cents_are_the_currencys_own(
    engine: Engine, tmp_path: Path, currency: str, cents: int, amount: str
) -> None:
    fee = lago_fee(amount_currency=currency, amount_cents=cents)
    load_lago(engine, write(tmp_path, {"invoice": lago_invoice(fee, currency=currency)}))
    (row,) = stored_lines(engine)
    assert (row.amount, row.currency) == (Decimal(amount), currency)
    assert stored_documents(engine)[0].net_amount == Decimal(amount)


# --- credit notes -------------------------------------------------------------------------------


@pytest.mark.parametrize("root", ["credit_note", "credit_notes"])
def test_a_credit_note_takes_its_fee_back(root: str, engine: Engine, tmp_path: Path) -> None:
    note = lago_credit_note()
    report = load_lago(engine, write(tmp_path, {root: note if root == "credit_note" else [note]}))
    assert report.problems == ()
    (line,) = stored_lines(engine)
    assert (line.item_type, line.metric_code, line.quantity) == ("charge", "messages", -250.5)
    assert (line.amount, line.tax_amount) == (Decimal("-3.01"), Decimal("-0.39"))
    assert line.external_subscription_id == "sub-1"
    assert line.period_from == datetime(2026, 9, 1, 4, tzinfo=UTC)
    (stored,) = stored_documents(engine)
    assert (stored.kind, stored.corrects_invoice_id) == ("credit_note", "inv-1")
    assert (stored.net_amount, stored.tax_amount) == (Decimal("-3.01"), Decimal("-0.39"))
    assert (stored.total_amount, stored.is_billed) == (Decimal("-3.40"), True)


def test_part_of_a_fee_takes_no_units_back_and_its_share_of_coupon_and_tax(
    engine: Engine, tmp_path: Path
) -> None:
    """Half of 29.00 that had 4.00 off, and 1.00 of an untaxed add-on: 14.50 less 2.00 is 12.50,
    all of the HST 1.63 (1.625) stands on it."""
    half = lago_plan_fee(precise_coupons_amount_cents="400.0")
    add_on = lago_fee(lago_id="fee-3", amount_cents=100, taxes_rate=0.0)
    note = lago_credit_note(
        {"lago_id": "item-1", "amount_cents": 1450, "fee": half},
        {"lago_id": "item-2", "amount_cents": 100, "fee": add_on},
        off=200,
        tax=163,
    )
    report = load_lago(engine, write(tmp_path, {"credit_note": note}))
    assert report.problems == ()
    first, second = stored_lines(engine)
    assert (first.amount, first.discount_amount) == (Decimal("-12.50"), Decimal("-2"))
    assert (first.tax_amount, second.tax_amount) == (Decimal("-1.63"), 0)
    assert (first.quantity, second.amount) == (None, Decimal(-1))


@pytest.mark.parametrize(
    ("changes", "is_billed"),
    [
        ({"credit_status": "consumed"}, True),
        ({"credit_status": None, "refund_status": "succeeded", "refund_amount_cents": 340}, True),
        ({"credit_status": "voided"}, False),
        ({"credit_status": "voided", "refund_amount_cents": 100}, True),
    ],
)
def test_a_voided_credit_takes_nothing_back(
    changes: dict[str, Any], is_billed: bool, engine: Engine, tmp_path: Path
) -> None:
    load_lago(engine, write(tmp_path, {"credit_note": lago_credit_note(**changes)}))
    assert [row.is_billed for row in stored_documents(engine)] == [is_billed]
