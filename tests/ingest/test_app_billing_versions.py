"""A document once per content: versions, dry runs, the service it belongs to, and any order."""

from __future__ import annotations

import json
import random
import tempfile
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from app_billing_documents import (
    Json,
    empty,
    lago_credit_note,
    lago_fee,
    lago_invoice,
    lago_plan_fee,
    load_lago,
    load_stripe,
    said,
    stored_documents,
    stored_lines,
    stripe_credit_note,
    stripe_invoice,
    stripe_line,
    stripe_refund,
    without_fees,
    write,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.engine import Engine

from warehouse.tables import app_billing_line


@pytest.fixture(autouse=True)
def _empty(engine: Engine) -> None:
    empty(engine)


def _shown(*invoices: Json) -> Json:
    return {"invoices": list(invoices)}


def test_a_changed_invoice_is_a_new_version_and_the_old_stays(
    engine: Engine, tmp_path: Path
) -> None:
    load_lago(engine, write(tmp_path, _shown(lago_invoice())))
    before_lines, before_documents = stored_lines(engine), stored_documents(engine)
    corrected = lago_invoice(lago_plan_fee(), lago_fee(amount_cents=305))

    report = load_lago(engine, write(tmp_path, _shown(corrected), "again.json"))

    assert (report.documents.changed, report.lines.changed) == (1, 2)
    assert stored_lines(engine)[:2] == before_lines
    assert stored_documents(engine)[:1] == before_documents
    newest = stored_lines(engine)[2:]
    assert [(row.version, row.amount, row.file) for row in newest] == [
        (2, Decimal(29), "again.json"),
        (2, Decimal("3.05"), "again.json"),
    ]


def test_the_same_content_adds_nothing_however_it_is_spelled(
    engine: Engine, tmp_path: Path
) -> None:
    """Names in another order, other spaces, 13.0 as 13.00."""
    load_lago(engine, write(tmp_path, _shown(lago_invoice())))
    reversed_names = dict(reversed(lago_invoice().items()))
    text = json.dumps(_shown(reversed_names), indent=3).replace("13.0", "13.00")
    report = load_lago(engine, write(tmp_path, text))
    assert (report.documents.unchanged, report.lines.unchanged) == (1, 2)
    assert len(stored_documents(engine)) == 1


@pytest.mark.parametrize("status", ["voided", "draft"])
def test_an_invoice_that_bills_nothing_any_more_is_a_version(
    status: str, engine: Engine, tmp_path: Path
) -> None:
    load_lago(engine, write(tmp_path, _shown(lago_invoice())))
    report = load_lago(engine, write(tmp_path, _shown(lago_invoice(status=status))))
    assert report.documents.changed == 1
    assert [(row.version, row.is_billed) for row in stored_documents(engine)] == [
        (1, True),
        (2, False),
    ]


def test_of_two_versions_in_one_import_the_later_is_the_newer(
    engine: Engine, tmp_path: Path
) -> None:
    first = write(tmp_path, stripe_invoice(status="open"), "a.json")
    second = write(tmp_path, stripe_invoice(status="void"), "b.json")
    report = load_stripe(engine, first, second)
    assert (report.documents.new, report.documents.changed) == (1, 1)
    assert [row.status for row in stored_documents(engine)] == ["open", "void"]


def test_an_old_export_that_still_lies_there_changes_nothing(
    engine: Engine, tmp_path: Path
) -> None:
    """The drop folder is read again and again: no version may be added by that."""
    january = write(tmp_path, stripe_invoice(status="open"), "a.json")
    march = write(tmp_path, stripe_invoice(status="void"), "b.json")
    for files in ((january, march), (january,), (march, january), (january, march)):
        load_stripe(engine, *files)
    assert [row.status for row in stored_documents(engine)] == ["open", "void"]


def test_what_is_read_otherwise_today_is_a_version_of_the_same_content(
    engine: Engine, tmp_path: Path
) -> None:
    """The nickname of the price was not known to be a metric at first."""
    path = write(tmp_path, stripe_invoice(stripe_line(metadata={}, price={"nickname": "Disk"})))
    load_stripe(engine, path)
    report = load_stripe(engine, path, nicknames={"Disk": "storage_gb"})
    assert report.documents.changed == 1
    assert [row.metric_code for row in stored_lines(engine)] == [None, "storage_gb"]
    assert len({bytes(row.content_sha256) for row in stored_documents(engine)}) == 1
    assert load_stripe(engine, path, nicknames={"Disk": "storage_gb"}).documents.unchanged == 1


def test_lines_that_were_stored_before_documents_were_get_their_document(
    engine: Engine, tmp_path: Path
) -> None:
    """Migration 0008 knew only lines: a version 1 without content."""
    path = write(tmp_path, stripe_invoice())
    load_stripe(engine, path)
    with engine.begin() as connection:
        connection.execute(
            sa.text("update raw.app_invoice set content_sha256 = '', payload = '{}'")
        )
    load_stripe(engine, path)
    assert [row.version for row in stored_lines(engine)] == [1, 2]


def test_anothers_invoice_is_refused_by_name(engine: Engine, tmp_path: Path) -> None:
    path = write(tmp_path, _shown(lago_invoice(), lago_invoice(lago_id="inv-2")))
    load_lago(engine, write(tmp_path, _shown(lago_invoice()), "mine.json"))
    report = load_lago(engine, path, service_code="nexamaps")
    assert said(report) == [
        "export.json, invoice 1: invoice LAG-1-001 (inv-1) is nexadesk's, imported earlier; not"
        " loaded for nexamaps. Import it with --service nexadesk"
    ]
    assert report.documents.new == 1
    found = {row.external_invoice_id: row.service_code for row in stored_documents(engine)}
    assert found == {"inv-1": "nexadesk", "inv-2": "nexamaps"}


def test_an_id_of_another_kind_is_refused(engine: Engine, tmp_path: Path) -> None:
    load_lago(engine, write(tmp_path, _shown(lago_invoice())))
    note = {"credit_note": lago_credit_note(lago_id="inv-1")}
    (problem,) = said(load_lago(engine, write(tmp_path, note)))
    assert problem.endswith("inv-1 is stored as invoice, not as credit_note")


def test_a_dry_run_says_the_same_and_loads_nothing(engine: Engine, tmp_path: Path) -> None:
    path = write(tmp_path, _shown(lago_invoice(), without_fees(lago_invoice(lago_id="inv-2"))))
    dry = load_lago(engine, path, dry_run=True)
    assert stored_documents(engine) == stored_lines(engine) == []
    assert load_lago(engine, path) == dry


def test_an_unreadable_line_comes_with_the_next_good_export(engine: Engine, tmp_path: Path) -> None:
    bad = lago_invoice(lago_plan_fee(), lago_fee(amount_cents="three dollars"))
    report = load_lago(engine, write(tmp_path, _shown(bad)))
    assert said(report) == [
        "export.json, invoice 1 (inv-1), fee 2: Expected `int`, got `str` - at `$.amount_cents`"
    ]
    assert (report.documents.new, report.lines.new) == (1, 1)

    load_lago(engine, write(tmp_path, _shown(lago_invoice())))
    assert [(row.version, row.external_line_id) for row in stored_lines(engine)] == [
        (1, "fee-0"),
        (2, "fee-0"),
        (2, "fee-1"),
    ]


def _damaged(**values: Any) -> Json:
    return lago_invoice(lago_plan_fee(), lago_fee(amount_cents="three dollars"), **values)


def test_a_damaged_export_does_not_replace_a_complete_one(engine: Engine, tmp_path: Path) -> None:
    good = write(tmp_path, _shown(lago_invoice()), "good.json")
    load_lago(engine, good)
    report = load_lago(engine, write(tmp_path, _shown(_damaged(status="voided"))))
    assert said(report) == [
        "export.json, invoice 1 (inv-1), fee 2: Expected `int`, got `str` - at `$.amount_cents`",
        "export.json, invoice 1: invoice LAG-1-001 (inv-1) has lines that cannot be read, and was"
        " imported with all of them before: not loaded. Export it again",
    ]
    assert report.documents.changed == 0
    assert load_lago(engine, good).documents.unchanged == 1
    assert [row.version for row in stored_lines(engine)] == [1, 1]


def test_a_good_content_comes_back_after_a_damaged_version(engine: Engine, tmp_path: Path) -> None:
    """Earlier releases let a damaged version follow a complete one."""
    good = write(tmp_path, _shown(lago_invoice()), "good.json")
    bad = write(tmp_path, _shown(_damaged()))
    load_lago(engine, bad)
    load_lago(engine, good)
    with engine.begin() as connection:  # as if they had come the other way round
        for table in ("app_billing_line", "app_invoice"):
            for old, new in ((1, 9), (2, 1), (9, 2)):
                connection.execute(
                    sa.text(f"update raw.{table} set version = {new} where version = {old}")
                )
    for files in ((good,), (bad,), (bad, good), (good, bad)):
        load_lago(engine, *files)
        assert [(row.version, row.external_line_id) for row in stored_lines(engine)] == [
            (1, "fee-0"),
            (1, "fee-1"),
            (2, "fee-0"),
            (3, "fee-0"),
            (3, "fee-1"),
        ]


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(order=st.lists(st.integers(0, 2), min_size=1, max_size=6))
def test_a_damaged_version_never_outranks_a_complete_one(order: list[int], engine: Engine) -> None:
    empty(engine)
    exports = [lago_invoice(), _damaged(), _damaged(status="voided")]
    with tempfile.TemporaryDirectory() as name:
        for choice in order:
            load_lago(engine, write(Path(name), _shown(exports[choice])))
    newest = max(row.version for row in stored_documents(engine))
    lines = [row for row in stored_lines(engine) if row.version == newest]
    assert len(lines) == (2 if 0 in order else 1)


def test_lines_that_do_not_sum_to_the_invoice_are_told_and_loaded(
    engine: Engine, tmp_path: Path
) -> None:
    wrong = stripe_invoice(total_excluding_tax=105, total=120)
    tax = stripe_invoice(id="in_2", total_taxes=[{"amount": 99}], total=203)
    foreign = stripe_invoice(stripe_line(currency="usd"), id="in_3")
    report = load_stripe(engine, write(tmp_path, [wrong, tax, foreign]))
    assert said(report) == [
        "export.json, invoice 1: invoice NC-1 (in_1): its lines sum to 1.04 CAD before tax, it says"
        " 1.05",
        "export.json, invoice 1: invoice NC-1 (in_1) says 1.05 before tax, 0.14 of tax and 1.20 in"
        " all, which do not add up",
        "export.json, invoice 2: invoice NC-1 (in_2): its lines sum to 0.14 CAD of tax, it says"
        " 0.99",
        "export.json, invoice 3: invoice NC-1 (in_3) in CAD has a line in USD",
    ]
    assert report.documents.new == 3


def test_tax_may_be_rounded_by_line_or_by_invoice(engine: Engine, tmp_path: Path) -> None:
    """Two lines with 0.14 each, and 0.27 (0.2704) on the invoice."""
    lines = stripe_line(), stripe_line(id="il_2")
    invoice = stripe_invoice(*lines, total_taxes=[{"amount": 27}], total=235)
    assert load_stripe(engine, write(tmp_path, invoice)).problems == ()


# --- any order ----------------------------------------------------------------------------------


def _current(engine: Engine) -> list[tuple[Any, ...]]:
    """The lines of the newest versions, without what tells how they came in."""
    newest = {row.external_invoice_id: row.version for row in stored_documents(engine)}
    apart = {"version", "file", "loaded_at"}
    columns = [column.name for column in app_billing_line.c if column.name not in apart]
    return [
        tuple(json.dumps(getattr(row, name), default=str, sort_keys=True) for name in columns)
        for row in stored_lines(engine)
        if row.version == newest[row.external_invoice_id]
    ]


def _lago_documents() -> list[Json]:
    invoices = [
        lago_invoice(
            lago_plan_fee(lago_id=f"fee-{number}-0"),
            lago_fee(lago_id=f"fee-{number}-1", precise_coupons_amount_cents="12.5"),
            off=number,
            lago_id=f"inv-{number}",
        )
        for number in range(4)
    ]
    notes = [lago_credit_note(lago_id=f"cn-{number}") for number in range(2)]
    listed = [{"invoices": [without_fees(invoice) for invoice in invoices]}]
    return [
        *listed,
        *({"invoice": invoice} for invoice in invoices),
        *({"credit_note": note} for note in notes),
    ]


def _stripe_documents() -> list[Json]:
    lines = [stripe_line(id=f"il_{number:02}") for number in range(12)]
    shown = {"object": "list", "has_more": True, "data": lines[:10]}
    page = {"object": "list", "url": "/v1/invoices/in_long/lines", "data": lines}
    return [
        stripe_invoice(*lines, id="in_long", lines=shown),
        page,
        stripe_invoice(),
        stripe_invoice(id="in_2", status="draft"),
        stripe_credit_note(),
        stripe_refund(),
    ]


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(seed=st.integers(0, 2**32), files=st.integers(1, 4), source=st.sampled_from("ls"))
def test_documents_and_files_in_any_order_give_the_same_lines(
    seed: int, files: int, source: str, engine: Engine
) -> None:
    """What was imported again, in another order and cut into other files, is what was there."""
    documents, load = (
        (_lago_documents(), load_lago) if source == "l" else (_stripe_documents(), load_stripe)
    )
    chance = random.Random(seed)
    empty(engine)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        straight = load(engine, write(folder, documents, "straight.json"))
        expected = _current(engine)
        documents_before = len(stored_documents(engine))
        assert straight.problems == ()
        empty(engine)
        for round_ in range(2):
            shuffled = chance.sample(documents, len(documents))
            cuts = sorted(chance.choices(range(len(shuffled) + 1), k=files - 1))
            parts = [
                shuffled[start:end]
                for start, end in zip([0, *cuts], [*cuts, len(shuffled)], strict=True)
            ]
            paths = [
                write(folder, "\n".join(map(json.dumps, part)), f"{round_}-{number}.json")
                for number, part in enumerate(parts)
                if part
            ]
            report = load(engine, *chance.sample(paths, len(paths)))
            assert report.problems == ()
            assert _current(engine) == expected
            assert len(stored_documents(engine)) == documents_before
