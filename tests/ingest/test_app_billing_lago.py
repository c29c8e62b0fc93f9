"""Lago exports become billing lines: once, exactly, and what cannot be read is named."""

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
from ingest.app_billing.lago import import_lago
from ingest.app_billing.load import ImportReport
from warehouse.tables import app_billing_line

Json = dict[str, Any]


@pytest.fixture(autouse=True)
def _empty(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(sa.delete(app_billing_line))


def _fee(**changes: Any) -> Json:
    """1,250.5 messages, 1,000 of them free, the rest at 0.012: 3.006, so 3.01; HST 0.39."""
    fee: Json = {
        "lago_id": "fee-1",
        "external_customer_id": "acct-1",
        "external_subscription_id": "sub-1",
        "amount_cents": 301,
        "precise_amount": "3.006",
        "amount_currency": "CAD",
        "taxes_amount_cents": 39,
        "units": "1250.5",
        "from_date": "2026-09-01T04:00:00Z",
        "to_date": "2026-10-01T03:59:59Z",
        "item": {"type": "charge", "code": "messages", "item_type": "BillableMetric"},
        "amount_details": {
            "graduated_ranges": [
                {"units": "1000", "per_unit_amount": "0.0", "flat_unit_amount": "0.0"},
                {"units": "250.5", "per_unit_amount": "0.012", "flat_unit_amount": "0.0"},
            ]
        },
    }
    return fee | changes


def _plan_fee(**changes: Any) -> Json:
    item = {"type": "subscription", "code": "desk_team", "item_type": "Subscription"}
    base = {"lago_id": "fee-0", "amount_cents": 2900, "taxes_amount_cents": 377, "units": "1.0"}
    return _fee(**base, item=item, amount_details={"plan_amount_cents": 2900}, **changes)


def _invoice(**changes: Any) -> Json:
    invoice: Json = {
        "lago_id": "inv-1",
        "number": "LAG-1-001",
        "issuing_date": "2026-10-01",
        "status": "finalized",
        "currency": "CAD",
        "customer": {"external_id": "acct-1"},
        "fees": [_plan_fee(), _fee()],
    }
    return invoice | changes


def _file(folder: Path, content: object, name: str = "lago.json") -> Path:
    path = folder / name
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def _load(engine: Engine, *paths: Path) -> ImportReport:
    return import_lago(engine, paths, service_code="nexadesk")


def _stored(engine: Engine) -> list[sa.Row[tuple[object, ...]]]:
    key = (app_billing_line.c.external_invoice_id, app_billing_line.c.external_line_id)
    with engine.connect() as connection:
        return list(connection.execute(sa.select(app_billing_line).order_by(*key)))


def test_a_shown_invoice_becomes_one_row_a_fee(engine: Engine, tmp_path: Path) -> None:
    report = _load(engine, _file(tmp_path, {"invoice": _invoice()}))

    assert (report.invoices, report.read, report.new, report.problems) == (1, 2, 2, ())
    base, usage = _stored(engine)
    assert (base.item_type, base.metric_code, base.amount) == ("subscription", None, Decimal(29))
    assert (usage.item_type, usage.metric_code) == ("charge", "messages")
    assert usage.quantity == Decimal("250.5"), "the free thousand is not charged for"
    assert (usage.amount, usage.tax_amount) == (Decimal("3.01"), Decimal("0.39"))
    assert (usage.external_account_id, usage.external_subscription_id) == ("acct-1", "sub-1")
    assert usage.period_from == datetime(2026, 9, 1, 4, tzinfo=UTC)
    assert usage.period_to == datetime(2026, 10, 1, 4, tzinfo=UTC), "Lago's last second, exclusive"
    assert (usage.source, usage.service_code, usage.status) == ("lago", "nexadesk", "finalized")
    assert (usage.invoice_number, usage.issued_on) == ("LAG-1-001", date(2026, 10, 1))
    assert usage.payload == _fee()


def test_a_list_and_one_invoice_a_line_are_read_alike(engine: Engine, tmp_path: Path) -> None:
    second = _invoice(lago_id="inv-2")
    _load(engine, _file(tmp_path, {"invoices": [_invoice(), second], "meta": {}}))
    lines = "\n".join(json.dumps({"invoice": each}) for each in (_invoice(), second))

    again = _load(engine, _file(tmp_path, lines, "lago.jsonl"))

    assert (again.read, again.unchanged) == (4, 4)
    assert len(_stored(engine)) == 4


def test_changed_content_replaces_and_is_counted(engine: Engine, tmp_path: Path) -> None:
    _load(engine, _file(tmp_path, {"invoice": _invoice()}))
    corrected = _invoice(fees=[_plan_fee(), _fee(amount_cents=305)])

    loaded = [row.loaded_at for row in _stored(engine)]
    report = _load(engine, _file(tmp_path, {"invoice": corrected}, "again.json"))

    assert (report.new, report.changed, report.unchanged) == (0, 1, 1)
    base, usage = _stored(engine)
    assert (usage.amount, usage.file, base.file) == (Decimal("3.05"), "again.json", "lago.json")
    assert base.loaded_at == loaded[0]
    assert usage.loaded_at > loaded[1]


def test_the_same_service_line_on_two_invoices_stays_two_rows(
    engine: Engine, tmp_path: Path
) -> None:
    twice = [_invoice(), _invoice(lago_id="inv-2", fees=[_fee(lago_id="fee-9")])]
    _load(engine, _file(tmp_path, {"invoices": twice}))
    usage = [row for row in _stored(engine) if row.metric_code == "messages"]
    assert [row.amount for row in usage] == [Decimal("3.01"), Decimal("3.01")]


def test_drafts_and_voided_invoices_bill_nothing(engine: Engine, tmp_path: Path) -> None:
    unbilled = [_invoice(status="draft"), _invoice(lago_id="inv-2", status="voided")]
    report = _load(engine, _file(tmp_path, {"invoices": unbilled}))
    assert (report.invoices, report.skipped, report.read) == (2, 2, 0)
    assert _stored(engine) == []


def test_an_invoice_voided_after_it_was_loaded_is_marked(engine: Engine, tmp_path: Path) -> None:
    _load(engine, _file(tmp_path, {"invoice": _invoice()}))
    report = _load(engine, _file(tmp_path, {"invoice": _invoice(status="voided")}))
    assert (report.skipped, report.voided) == (1, 2)
    assert {row.status for row in _stored(engine)} == {"voided"}


@pytest.mark.parametrize(
    ("currency", "cents", "amount"),
    [("JPY", 301, "301"), ("CAD", 301, "3.01"), ("KWD", 301, "0.301")],
)
def test_cents_are_the_currencys_own(
    engine: Engine, tmp_path: Path, currency: str, cents: int, amount: str
) -> None:
    fees = [_fee(amount_currency=currency, amount_cents=cents)]
    _load(engine, _file(tmp_path, {"invoice": _invoice(currency=currency, fees=fees)}))
    (row,) = _stored(engine)
    assert (row.amount, row.currency) == (Decimal(amount), currency)


def test_a_package_charges_its_paid_units_and_a_plain_fee_all(
    engine: Engine, tmp_path: Path
) -> None:
    package = _fee(amount_details={"free_units": "10.0", "paid_units": "40.0"})
    plain = _fee(lago_id="fee-2", units=0.1, amount_details={})
    _load(engine, _file(tmp_path, {"invoice": _invoice(fees=[package, plain])}))
    assert [row.quantity for row in _stored(engine)] == [Decimal(40), Decimal("0.1")]


def test_what_cannot_be_read_is_named_and_the_rest_loads(engine: Engine, tmp_path: Path) -> None:
    bad_fee = _fee(lago_id="fee-2", amount_cents="three dollars")
    no_offset = _fee(lago_id="fee-3", from_date="2026-09-01T04:00:00")
    listed = {k: v for k, v in _invoice(lago_id="inv-2").items() if k != "fees"}
    fees = [_fee(), bad_fee, no_offset]
    path = _file(tmp_path, {"invoices": [_invoice(fees=fees), listed, {"status": "paid"}]})

    report = _load(engine, path)

    assert [str(problem) for problem in report.problems] == [
        "lago.json, invoice 1 (inv-1), fee 2: Expected `int`, got `str` - at `$.amount_cents`",
        "lago.json, invoice 1 (inv-1), fee 3: 2026-09-01T04:00:00 has no offset",
        "lago.json, invoice 2: invoice inv-2 has no fees: export each invoice, not the list",
        "lago.json, invoice 3: Object missing required field `lago_id`",
    ]
    assert [row.external_line_id for row in _stored(engine)] == ["fee-1"]


def test_a_broken_line_and_a_cut_off_file_leave_the_rest(engine: Engine, tmp_path: Path) -> None:
    whole = json.dumps({"invoice": _invoice()})
    lines = _file(tmp_path, f'{whole}\n{{"invoice": \n{whole}\n', "lago.jsonl")
    cut = _file(tmp_path, json.dumps({"invoices": [_invoice()]}, indent=1)[:-9], "cut.json")

    report = _load(engine, lines, cut)

    assert [(p.file, p.position) for p in report.problems] == [
        ("lago.jsonl", "line 2"),
        ("cut.json", "whole file"),
    ]
    assert len(_stored(engine)) == 2


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("", "other.json: is empty, not a Lago invoice export"),
        ("number,amount\n1,2\n", "other.json: is not JSON, so not a Lago invoice export"),
        (
            '{"object": "list", "data": []}',
            'other.json: is not a Lago invoice export: it has neither "invoice" nor "invoices".'
            " Nothing was loaded.",
        ),
        (
            "[1, 2]",
            "other.json: is not a Lago invoice export: Expected `object`, got `array`."
            " Nothing was loaded.",
        ),
    ],
)
def test_a_file_that_is_no_lago_export_stops_everything(
    engine: Engine, tmp_path: Path, content: str, complaint: str
) -> None:
    good = _file(tmp_path, {"invoice": _invoice()})
    with pytest.raises(AppBillingFileError) as caught:
        _load(engine, good, _file(tmp_path, content, "other.json"))
    assert str(caught.value) == complaint
    assert _stored(engine) == []


def test_a_missing_file_is_named(engine: Engine, tmp_path: Path) -> None:
    with pytest.raises(AppBillingFileError, match=r"^gone\.json: No such file or directory$"):
        _load(engine, tmp_path / "gone.json")
