"""What an import landed, as staging shows it: the newest versions."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import psycopg
import pytest
from app_billing_documents import (
    lago_credit_note,
    lago_fee,
    lago_invoice,
    load_lago,
    load_stripe,
    stripe_credit_note,
    stripe_invoice,
    stripe_refund,
    write,
)
from dbt_process import Build, run_dbt
from sqlalchemy.engine import Engine

MODELS = "stg_app_billing__lines stg_app_billing__invoices"


@pytest.fixture(scope="module")
def build(engine: Engine, database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Build:
    """The credit note came before its invoice; the invoice of Lago was corrected, another voided,
    and a third has a fee that cannot be read."""
    folder = tmp_path_factory.mktemp("files")
    voided = lago_invoice(lago_fee(lago_id="fee-9"), lago_id="inv-2", status="voided")
    unread = lago_invoice(lago_fee(units="many"), lago_id="inv-3")
    shown = [lago_invoice(lago_fee(amount_cents=999)), lago_invoice(), voided, unread]
    load_lago(engine, write(folder, {"invoices": shown}))
    load_lago(engine, write(folder, {"credit_note": lago_credit_note()}))
    load_stripe(engine, write(folder, [stripe_credit_note(), stripe_refund()]))
    load_stripe(engine, write(folder, stripe_invoice()))
    only = ("--indirect-selection", "cautious", "--select", *MODELS.split())
    return run_dbt(database_url, tmp_path_factory.mktemp("dbt"), "build", *only)


def test_it_builds_and_its_tests_hold(build: Build) -> None:
    assert {result["status"] for result in build.results} == {"success", "pass"}, build.output
    assert sum(result["unique_id"].startswith("unit_test.") for result in build.results) == 4


def _rows(database_url: str, statement: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(database_url) as connection:
        return connection.execute(statement).fetchall()  # type: ignore[arg-type]


def test_lines_are_of_the_newest_versions(build: Build, database_url: str) -> None:
    found = _rows(
        database_url,
        "select app_line_key, subscription_key, metric_code, period_start::text, quantity, amount,"
        " is_billed from staging.stg_app_billing__lines where item_type = 'charge' order by 1",
    )
    desk, cloud = "nexadesk:sub-1", "nexacloud:nc-sub-1"
    of_messages = (desk, "messages", "2026-09-01")
    of_hours = (cloud, "compute_hours", "2026-09-01")
    messages, hours = (Decimal("250.5"), Decimal("3.01")), (Decimal("12.25"), Decimal("1.04"))
    assert found == [
        ("lago:cn-1:item-1", *of_messages, -messages[0], -messages[1], True),
        ("lago:inv-1:fee-1", *of_messages, *messages, True),
        ("lago:inv-2:fee-9", *of_messages, *messages, False),
        ("stripe:cn_1:cnli_1", *of_hours, Decimal(-12), -hours[1], True),
        ("stripe:in_1:il_1", *of_hours, *hours, True),
    ]


def test_documents_show_what_foots_and_what_was_not_read(build: Build, database_url: str) -> None:
    found = _rows(
        database_url,
        "select app_invoice_key, invoice_kind, version, is_billed, has_unread_lines, total_amount,"
        " lines_amount from staging.stg_app_billing__invoices order by 1",
    )
    assert found == [
        ("lago:cn-1", "credit_note", 1, True, False, Decimal("-3.40"), Decimal("-3.01")),
        ("lago:inv-1", "invoice", 2, True, False, Decimal("36.17"), Decimal("32.01")),
        ("lago:inv-2", "invoice", 1, False, False, Decimal("3.40"), Decimal("3.01")),
        ("lago:inv-3", "invoice", 1, True, True, Decimal("3.40"), Decimal(0)),
        ("stripe:cn_1", "credit_note", 1, True, False, Decimal("-1.18"), Decimal("-1.04")),
        ("stripe:in_1", "invoice", 1, True, False, Decimal("1.18"), Decimal("1.04")),
        ("stripe:re_1", "refund", 1, True, False, Decimal("-1.18"), Decimal(0)),
    ]
