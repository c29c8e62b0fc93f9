"""The old billers' exports: their arithmetic by hand, and every planted difference in place."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from ingest.app_billing.lago import import_lago
from ingest.app_billing.stripe import import_stripe
from ingest.costs.files import load_costs
from ingest.keys import add_service
from sandbox.app_invoices import old_totals, write_lago_invoices, write_stripe_invoices
from sandbox.model import BASE_FEE, Planted, Subscription, World
from sandbox.old_billing import OldInvoice, old_invoices
from sandbox.planter import to_cents
from sandbox.provider_costs import write_costs
from sandbox.usage import expected_usage
from warehouse.tables import app_billing_line, app_invoice

SEPTEMBER = date(2026, 9, 1)


def _invoice_of(world: World, used: dict[str, str], **changes: object) -> OldInvoice:
    """The September invoice of a plain cloud_s customer, in Ontario unless told otherwise."""
    province = str(changes.pop("province", "ON"))
    client = next(client for client in world.clients if client.province == province)
    sub: Subscription = replace(
        next(sub for sub in world.subscriptions if sub.plan_code == "cloud_s"),
        external_id="nc-sub-test",
        client_code=client.code,
        start_date=date(2026, 1, 1),
        end_date=None,
    )
    sub = replace(sub, **changes)  # type: ignore[arg-type]
    usage = {(sub.key, code, SEPTEMBER): Decimal(quantity) for code, quantity in used.items()}
    plain = replace(world, subscriptions=(sub,), planted=())
    (invoice,) = old_invoices(plain, "nexacloud", SEPTEMBER, usage)
    return invoice


def test_a_bill_by_hand(world: World) -> None:
    """112.25 hours: 12.25 over the quota at 0.085 are 1.04125. 19.5 GB are within the 20."""
    invoice = _invoice_of(world, {"compute_hours": "112.25", "storage_gb": "19.5"})
    base, hours, disk = invoice.lines
    assert (base.amount, base.tax_amount) == (Decimal("19.00"), Decimal("2.47"))
    assert (hours.units, hours.units_billed) == (Decimal("112.25"), Decimal("12.25"))
    assert (hours.amount, hours.tax_amount) == (Decimal("1.04"), Decimal("0.14"))
    assert [disk.units_billed, disk.amount, disk.tax_amount] == [Decimal(0)] * 3


def test_half_a_cent_rounds_up(world: World) -> None:
    """101 hours: 1 at 0.085 is 0.085, so 0.09."""
    assert _invoice_of(world, {"compute_hours": "101"}).lines[1].amount == Decimal("0.09")


def test_quebec_pays_two_taxes_each_rounded(world: World) -> None:
    """19.00: GST 0.95, QST 1.89525 → 1.90; together 2.85."""
    invoice = _invoice_of(world, {}, province="QC")
    assert [tax.amount for tax in invoice.lines[0].taxes] == [Decimal("0.95"), Decimal("1.90")]


def test_a_base_fee_by_days(world: World) -> None:
    """From the 16th: 15 of 30 days are 9.50. Until the 10th: 10 of 30 are 6.33."""
    late = _invoice_of(world, {}, start_date=date(2026, 9, 16))
    early = _invoice_of(world, {}, end_date=date(2026, 9, 10))
    assert late.lines[0].amount == Decimal("9.50")
    assert early.lines[0].amount == Decimal("6.33")


@pytest.fixture(scope="module")
def imported(world: World, engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Engine:
    """Both exports, loaded by the product's importers."""
    folder = tmp_path_factory.mktemp("exports")
    files = write_lago_invoices(world, folder)
    for service in ("nexadesk", "nexamaps"):
        mine = [path for path in files if service in path.name]
        report = import_lago(engine, mine, service_code=service)
        assert report.problems == ()
        notes = 1 if service == "nexadesk" else 0
        assert report.skipped == report.documents.new - notes, "each listed and shown"
    report = import_stripe(engine, write_stripe_invoices(world, folder), service_code="nexacloud")
    assert (report.problems, report.skipped) == ((), 0)
    return engine


Line = sa.Row[tuple[object, ...]]


@pytest.fixture(scope="module")
def lines(imported: Engine) -> dict[tuple[str, str, date], list[Line]]:
    """Charge lines by subscription, metric and month."""
    found: dict[tuple[str, str, date], list[Line]] = defaultdict(list)
    with imported.connect() as connection:
        is_billed = (
            sa.select(app_invoice.c.is_billed)
            .where(app_invoice.c.external_invoice_id == app_billing_line.c.external_invoice_id)
            .scalar_subquery()
        )
        statement = sa.select(app_billing_line).where(
            app_billing_line.c.item_type == "charge", is_billed
        )
        for row in connection.execute(statement):
            key = f"{row.service_code}:{row.external_subscription_id}"
            found[key, row.metric_code, row.period_from.date().replace(day=1)].append(row)
    return found


def test_totals_survive_the_way_through_files_and_importers(
    world: World, lines: dict[tuple[str, str, date], list[Line]]
) -> None:
    totals: dict[tuple[str, date], Decimal] = defaultdict(Decimal)
    for (key, _, month), rows in lines.items():
        totals[key.split(":")[0], month] += sum((row.amount for row in rows), Decimal(0))
    assert totals == old_totals(world, expected_usage(world, include_late=True))


def test_only_planted_lines_differ_from_quantity_times_price(
    world: World, lines: dict[tuple[str, str, date], list[Line]]
) -> None:
    """Recomputed from the catalogue and the final usage, line by line."""
    usage = expected_usage(world, include_late=True)
    plans = {sub.key: world.plan(sub.plan_code) for sub in world.subscriptions}
    differing = set()
    for (key, code, month), used in usage.items():
        charge = plans[key].charge(code)
        if month == world.open:
            continue
        right = Decimal(0)
        if charge is not None and used > charge.included:
            right = to_cents((used - charge.included) * charge.unit_price)
        rows = lines.get((key, code, month), [])
        billed = sum((row.amount for row in rows if row.currency == "CAD"), Decimal(0))
        if billed != right:
            differing.add((key, code, month))
    planted = {
        (p.subscription_key, p.metric_code, p.month)
        for p in world.planted_differences()
        if p.reason not in ("unlinked_account", "manual_change", "tax")
        and p.metric_code != BASE_FEE
    }
    assert differing == planted


def test_each_planted_difference_is_in_the_files(
    world: World, lines: dict[tuple[str, str, date], list[Line]]
) -> None:
    usage = expected_usage(world, include_late=True)
    for case in world.planted_differences():
        if case.metric_code == BASE_FEE:
            continue
        rows = lines.get((case.subscription_key, case.metric_code, case.month), [])
        _check(case, rows, _platform_amount(world, case, usage))


def _platform_amount(
    world: World, case: Planted, usage: dict[tuple[str, str, date], Decimal]
) -> Decimal:
    sub = next(sub for sub in world.subscriptions if sub.key == case.subscription_key)
    charge = world.plan(sub.plan_code).charge(case.metric_code)
    if charge is None:
        return Decimal(0)
    used = usage[case.subscription_key, case.metric_code, case.month]
    return to_cents((used - charge.included) * charge.unit_price)


def _check(case: Planted, rows: list[Line], platform: Decimal) -> None:
    app = sum((row.amount for row in rows), Decimal(0))
    count = {"missing_in_app": 0, "duplicate": 2}.get(case.kind, 1)
    assert len(rows) == count, case
    if case.kind == "currency":
        assert (rows[0].currency, app) == ("USD", platform)
    elif case.kind == "tax":
        assert rows[0].tax_amount - to_cents(platform * Decimal("0.13")) == case.difference
        assert app == platform
    elif case.kind == "manual_change":
        assert app == platform, "the app is right, someone changes Odoo"
    elif case.kind == "unlinked_account":
        assert app == case.difference == platform, "nothing of it is billed by the platform"
    else:
        assert app - platform == case.difference
    if case.kind == "quantity":
        assert rows[0].quantity == case.app_quantity
    if case.kind == "duplicate":
        assert len({row.external_invoice_id for row in rows}) == 2


def test_of_the_one_offs_half_was_credited_and_paid_back(imported: Engine) -> None:
    """150.00 less 15.00 is 135.00, half of it 67.50; neither is a charge or a plan's fee. Ontario's
    HST is 17.55, half of it 8.775; the money that went back is credit and tax."""
    with imported.connect() as connection:
        found = connection.execute(sa.text(
            "select document.kind, document.source, document.net_amount, document.discount_amount,"
            " document.tax_amount, document.total_amount, line.item_type, line.amount"
            " from raw.app_invoice as document left join raw.app_billing_line as line"
            " using (source, external_invoice_id, version)"
            " where document.kind <> 'invoice' or document.discount_amount <> 0"
            " order by document.source, document.kind desc"
        )).all()  # fmt: skip
    kinds = [(row.source, row.kind, row.item_type) for row in found]
    assert kinds == [
        ("lago", "invoice", "add_on"),
        ("lago", "credit_note", "add_on"),
        ("stripe", "refund", None),
        ("stripe", "invoice", "other"),
        ("stripe", "credit_note", "other"),
    ]
    for row in found:
        if row.kind == "invoice":
            assert (row.net_amount, row.amount, row.discount_amount) == (135, 135, 15)
        if row.kind == "credit_note":
            assert (row.net_amount, row.amount) == (Decimal("-67.50"), Decimal("-67.50"))
            assert row.discount_amount == Decimal("-7.50")
            assert row.total_amount == row.net_amount + row.tax_amount
    refund, note = found[2], found[4]
    assert refund.total_amount == note.total_amount


def test_a_base_fee_by_days_is_a_proration(world: World, imported: Engine) -> None:
    with imported.connect() as connection:
        rows = connection.execute(
            sa.select(app_billing_line).where(app_billing_line.c.item_type == "subscription")
        ).all()
    fees = {sub.external_id: world.plan(sub.plan_code).base_fee for sub in world.subscriptions}
    assert {row.is_proration for row in rows} == {True, False}
    assert all(
        row.is_proration == (row.amount != fees[row.external_subscription_id]) for row in rows
    )


def test_lago_says_what_is_free_and_what_is_charged(world: World, tmp_path: Path) -> None:
    paths = write_lago_invoices(world, tmp_path)
    path = next(path for path in paths if path.name.endswith("-shown.jsonl"))
    fees = [
        fee
        for line in path.read_text().splitlines()
        for fee in json.loads(line)["invoice"]["fees"]
        if fee["item"]["type"] == "charge" and fee["amount_cents"]
    ]
    assert len(fees) > 50
    for fee in fees:
        units = [Decimal(each["units"]) for each in fee["amount_details"]["graduated_ranges"]]
        assert sum(units) == Decimal(fee["units"])


def test_provider_costs_load_and_their_parquet_twin_is_the_same(
    world: World, engine: Engine, tmp_path: Path
) -> None:
    for code in ("nexacloud", "nexadesk", "nexamaps"):
        add_service(engine, code, code)
    path = write_costs(world, tmp_path)
    first = load_costs(engine, path)
    twin = load_costs(engine, path.with_suffix(".parquet"))
    assert first.read == first.new > 5000
    assert (twin.read, twin.new, twin.changed) == (first.read, 0, 0)
    with engine.connect() as connection:
        shared = connection.execute(sa.text(
            "select service_code, currency, bool_and(external_account_id is null) as shared"
            " from raw.provider_cost group by 1, 2 order by 1, 2"
        )).all()  # fmt: skip
    assert [tuple(row) for row in shared] == [
        ("nexacloud", "CAD", True),
        ("nexacloud", "USD", False),
        ("nexadesk", "USD", True),
        ("nexamaps", "USD", False),
        (None, "USD", True),
    ]
