"""Stripe exports become billing lines, in today's API shape and in the one before 2025-03-31."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from ingest.app_billing.files import AppBillingFileError
from ingest.app_billing.load import ImportReport
from ingest.app_billing.stripe import import_stripe
from warehouse.tables import app_billing_line

Json = dict[str, Any]
# 2026-09-01 and 2026-10-01, midnight in Toronto (04:00 UTC in summer).
SEPTEMBER, OCTOBER = 1788235200, 1790827200


@pytest.fixture(autouse=True)
def _empty(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(sa.delete(app_billing_line))


def _line(**changes: Any) -> Json:
    """12.25 hours at 8.5 cents are 1.04125, so 1.04; HST 0.14."""
    line: Json = {
        "id": "il_1",
        "object": "line_item",
        "amount": 104,
        "currency": "cad",
        "discount_amounts": [],
        "metadata": {"metric_code": "compute_hours"},
        "parent": {"type": "invoice_item_details"},
        "period": {"start": SEPTEMBER, "end": OCTOBER},
        "pricing": {
            "type": "price_details",
            "price_details": {"price": "price_1", "product": "prod_1"},
            "unit_amount_decimal": "8.5",
        },
        "quantity": 12,
        "quantity_decimal": "12.25",
        "taxes": [{"amount": 14, "tax_behavior": "exclusive"}],
    }
    return line | changes


def _invoice(*lines: Json, **changes: Any) -> Json:
    invoice: Json = {
        "id": "in_1",
        "object": "invoice",
        "number": "NC-1",
        "status": "paid",
        "currency": "cad",
        "customer": "cus_1",
        "created": OCTOBER,
        "metadata": {"external_account_id": "acct-1"},
        "parent": {
            "type": "subscription_details",
            "subscription_details": {
                "subscription": "sub_1",
                "metadata": {"external_subscription_id": "nc-sub-1"},
            },
        },
        "status_transitions": {"finalized_at": OCTOBER + 86400},
        "lines": {"object": "list", "has_more": False, "data": list(lines or (_line(),))},
    }
    return invoice | changes


def _classic() -> Json:
    """The same line and invoice as API versions before basil return them."""
    line = _line(
        price={"id": "price_1", "nickname": "Compute", "product": "prod_1", "metadata": {}},
        tax_amounts=[{"amount": 14, "inclusive": False, "tax_rate": "txr_1"}],
        type="invoiceitem",
        metadata={"metric_code": "compute_hours"},
    )
    for name in ("pricing", "taxes", "parent", "quantity_decimal"):
        del line[name]
    details = {"metadata": {"external_subscription_id": "nc-sub-1"}}
    invoice = _invoice(line, subscription="sub_1", subscription_details=details)
    del invoice["parent"]
    return invoice


def _file(folder: Path, content: object, name: str = "stripe.json") -> Path:
    path = folder / name
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def _load(engine: Engine, *paths: Path, nicknames: dict[str, str] | None = None) -> ImportReport:
    return import_stripe(engine, paths, service_code="nexacloud", nicknames=nicknames)


def _stored(engine: Engine) -> list[sa.Row[tuple[object, ...]]]:
    key = (app_billing_line.c.external_invoice_id, app_billing_line.c.external_line_id)
    with engine.connect() as connection:
        return list(connection.execute(sa.select(app_billing_line).order_by(*key)))


def test_a_list_of_today(engine: Engine, tmp_path: Path) -> None:
    base = _line(
        id="il_0",
        amount=1900,
        metadata={},
        parent={"type": "subscription_item_details"},
        quantity=1,
        quantity_decimal="1",
        taxes=[{"amount": 247}],
    )
    report = _load(engine, _file(tmp_path, {"object": "list", "data": [_invoice(base, _line())]}))

    assert (report.invoices, report.read, report.new, report.problems) == (1, 2, 2, ())
    fee, usage = _stored(engine)
    assert (fee.item_type, fee.metric_code, fee.amount) == ("subscription", None, Decimal(19))
    assert (usage.item_type, usage.metric_code) == ("charge", "compute_hours")
    assert (usage.quantity, usage.amount) == (Decimal("12.25"), Decimal("1.04"))
    assert (usage.tax_amount, usage.currency) == (Decimal("0.14"), "CAD")
    assert (usage.external_account_id, usage.external_subscription_id) == ("acct-1", "nc-sub-1")
    assert usage.period_from == datetime(2026, 9, 1, 4, tzinfo=UTC)
    assert usage.period_to == datetime(2026, 10, 1, 4, tzinfo=UTC)
    assert (usage.source, usage.status, usage.issued_on) == ("stripe", "paid", date(2026, 10, 2))


def test_the_shape_before_basil(engine: Engine, tmp_path: Path) -> None:
    _load(engine, _file(tmp_path, _classic()))
    (usage,) = _stored(engine)
    assert (usage.item_type, usage.metric_code) == ("charge", "compute_hours")
    assert (usage.quantity, usage.tax_amount) == (Decimal(12), Decimal("0.14"))
    assert usage.external_subscription_id == "nc-sub-1"


def test_where_the_metric_is_named(engine: Engine, tmp_path: Path) -> None:
    named = {"metric_code": "storage_gb"}
    lines = [
        _line(id="il_1", metadata={}, price={"metadata": named}),
        _line(id="il_2", metadata={}, price={"product": {"metadata": named}}),
        _line(id="il_3", metadata={}, pricing={"price_details": {"price": {"metadata": named}}}),
        _line(id="il_4", metadata={}, price={"nickname": "Disk"}),
        _line(id="il_5", metadata={}, price={"nickname": "Setup"}),
    ]
    _load(engine, _file(tmp_path, _invoice(*lines)), nicknames={"Disk": "storage_gb"})
    assert [(row.metric_code, row.item_type) for row in _stored(engine)] == [
        ("storage_gb", "charge"),
        ("storage_gb", "charge"),
        ("storage_gb", "charge"),
        ("storage_gb", "charge"),
        (None, "other"),
    ]


def test_without_metadata_the_account_is_stripes_customer(engine: Engine, tmp_path: Path) -> None:
    bare: Json = {"metadata": {}, "parent": None}
    expanded = _invoice(id="in_2", customer={"id": "cus_2", "object": "customer"}, **bare)
    _load(engine, _file(tmp_path, [_invoice(**bare), expanded]))
    assert [row.external_account_id for row in _stored(engine)] == ["cus_1", "cus_2"]
    assert {row.external_subscription_id for row in _stored(engine)} == {None}


def test_amounts_are_net_of_discounts_and_inclusive_tax(engine: Engine, tmp_path: Path) -> None:
    """11.30 with 1.30 of tax inside is 10.00; less a discount of 2.00 it is 8.00."""
    inclusive = [{"amount": 130, "tax_behavior": "inclusive"}]
    line = _line(amount=1130, taxes=inclusive, discount_amounts=[{"amount": 200}])
    _load(engine, _file(tmp_path, _invoice(line)))
    (row,) = _stored(engine)
    assert (row.amount, row.tax_amount) == (Decimal(8), Decimal("1.30"))


def test_one_invoice_a_line_twice_over(engine: Engine, tmp_path: Path) -> None:
    lines = "\n".join(json.dumps(_invoice(id=name)) for name in ("in_1", "in_2"))
    path = _file(tmp_path, lines, "stripe.jsonl")
    assert _load(engine, path).new == 2
    again = _load(engine, path)
    assert (again.new, again.changed, again.unchanged) == (0, 0, 2)


def test_only_what_is_owed_is_billed(engine: Engine, tmp_path: Path) -> None:
    states = ("draft", "open", "paid", "uncollectible", "void")
    found = [_invoice(id=f"in_{state}", status=state) for state in states]
    report = _load(engine, _file(tmp_path, found))
    assert (report.invoices, report.skipped, report.read) == (5, 2, 3)
    assert [row.status for row in _stored(engine)] == ["open", "paid", "uncollectible"]


def test_an_invoice_with_more_lines_than_exported_is_not_half_loaded(
    engine: Engine, tmp_path: Path
) -> None:
    more = {"object": "list", "has_more": True, "data": [_line()]}
    path = _file(tmp_path, [_invoice(lines=more), _invoice(id="in_2")])
    report = _load(engine, path)
    assert [str(problem) for problem in report.problems] == [
        "stripe.json, invoice 1: invoice in_1 has more lines than the export: fetch all its lines"
    ]
    assert [row.external_invoice_id for row in _stored(engine)] == ["in_2"]


def test_a_line_that_cannot_be_read_is_named(engine: Engine, tmp_path: Path) -> None:
    lines = [_line(), _line(id="il_2", quantity_decimal="NaN"), _line(id="il_3", currency="dollar")]
    report = _load(engine, _file(tmp_path, _invoice(*lines)))
    assert [str(problem) for problem in report.problems] == [
        "stripe.json, invoice 1 (in_1), line 2: NaN is not a number",
        "stripe.json, invoice 1 (in_1), line 3: 'dollar' is not an ISO 4217 currency",
    ]
    assert len(_stored(engine)) == 1


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (
            {"invoices": []},
            "is not a Stripe invoice export: Object missing required field `object`.",
        ),
        (
            {"object": "list", "data": [{"object": "charge", "id": "ch_1"}]},
            "is not a Stripe invoice export: it lists 'charge' objects, not invoices.",
        ),
        (
            {"object": "customer"},
            'is not a Stripe invoice export: its "object" is \'customer\', neither "list" nor'
            ' "invoice".',
        ),
    ],
)
def test_a_file_that_is_no_stripe_export_stops_everything(
    engine: Engine, tmp_path: Path, content: Json, complaint: str
) -> None:
    with pytest.raises(AppBillingFileError) as caught:
        _load(engine, _file(tmp_path, _invoice()), _file(tmp_path, content, "other.json"))
    assert str(caught.value) == f"other.json: {complaint} Nothing was loaded."
    assert _stored(engine) == []
