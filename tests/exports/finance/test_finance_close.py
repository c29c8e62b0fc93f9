"""Closing a month on real PostgreSQL. The ledger is append-only: each test has its own month."""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path

import pytest
import sqlalchemy as sa
from finance_marts import BUILT
from finance_world import World, line, lines_of
from openpyxl import load_workbook

from exports.canonical import lines_sha256
from exports.finance.close import MonthClose, close_month
from exports.finance.errors import CloseRefusedError, FinanceExportError
from exports.finance.month import MonthExport, export_open_month, open_months
from warehouse.locks import BILLING_RUN, advisory_lock
from warehouse.settings import Settings
from warehouse.tables import month_close

D = Decimal


def close(world: World, month: dt.date, folder: Path) -> MonthClose:
    return close_month(
        world.engine,
        month,
        folder,
        manifest=world.manifest,
        settings=Settings(),
        code_version="0.1.0+test",
    )


def recorded(world: World, month: dt.date) -> list[tuple[object, ...]]:
    return world.query(
        "select version, lines, amount, lines_sha256, code_version from ops.month_close "
        "where month = :month order by version",
        month=month,
    )


def reasons(world: World, month: dt.date, folder: Path) -> list[str]:
    with pytest.raises(CloseRefusedError) as refused:
        close(world, month, folder)
    assert recorded(world, month) == []
    assert list(folder.iterdir()) == []
    return refused.value.reasons


def test_a_month_that_holds_is_closed_and_attested(world: World, tmp_path: Path) -> None:
    month = dt.date(2026, 1, 1)
    world.fill(month)
    world.bill(lines_of(month))
    closed = close(world, dt.date(2026, 1, 20), tmp_path)
    digest = lines_sha256(lines_of(month))
    assert (closed.month, closed.version, closed.already_closed) == (month, 1, False)
    assert (closed.lines, closed.amount, closed.lines_sha256) == (6, D("48.59"), digest)
    assert recorded(world, month) == [(1, 6, D("48.59"), digest, "0.1.0+test")]
    names = world.query("select unnest(files) from ops.month_close where month = :m", m=month)
    assert [tmp_path / str(name) for (name,) in names] == closed.files
    title = load_workbook(closed.files[1])["Summary"]["A2"].value
    assert str(title).startswith("Closed, version 1.")


def test_closing_twice_adds_nothing(world: World, tmp_path: Path) -> None:
    month = dt.date(2026, 2, 1)
    world.fill(month)
    world.bill(lines_of(month))
    first = close(world, month, tmp_path)
    written = {path: path.read_bytes() for path in first.files}
    # What finance was handed stays as it was, whatever became of the invoices since.
    world.run("update marts.fct_billed_lines set odoo_payment_state = 'reversed'")
    second = close(world, month, tmp_path)
    assert (second.version, second.already_closed, second.files) == (1, True, first.files)
    assert {path: path.read_bytes() for path in second.files} == written
    assert len(recorded(world, month)) == 1


def test_lost_files_of_a_closed_month_are_written_anew(world: World, tmp_path: Path) -> None:
    month = dt.date(2026, 3, 1)
    world.fill(month)
    world.bill(lines_of(month))
    first = close(world, month, tmp_path)
    written = {path: path.read_bytes() for path in first.files}
    first.files[0].unlink()
    again = close(world, month, tmp_path)
    assert again.already_closed
    assert {path: path.read_bytes() for path in again.files} == written
    assert len(recorded(world, month)) == 1


def test_only_what_was_lost_is_written_anew(world: World, tmp_path: Path) -> None:
    """The invoices were paid back since: that is no other close, and changes no file that is there.
    The workbook that is written anew names the files beside it as they are."""
    month = dt.date(2022, 8, 1)
    world.fill(month)
    world.bill(lines_of(month))
    first = close(world, month, tmp_path)
    kept = {path: path.read_bytes() for path in first.files if path.suffix != ".xlsx"}
    (workbook,) = (path for path in first.files if path.suffix == ".xlsx")
    workbook.unlink()
    world.run("update marts.fct_billed_lines set odoo_payment_state = 'reversed'")
    again = close(world, month, tmp_path)
    assert (again.version, again.already_closed, again.files) == (1, True, first.files)
    assert {path: path.read_bytes() for path in kept} == kept
    assert sorted(workbook.parent.iterdir()) == first.files
    rows = list(load_workbook(workbook)["Provenance"].iter_rows(values_only=True))
    hashes = {row[0]: row[2] for row in rows}
    for path, content in kept.items():
        assert hashes[path.name] == hashlib.sha256(content).hexdigest(), path.name


def draft(world: World, month: dt.date, folder: Path) -> MonthExport | None:
    return export_open_month(
        world.engine,
        month,
        folder,
        manifest=world.manifest,
        settings=Settings(),
        code_version="0.1.0+test",
    )


def test_a_draft_does_not_replace_the_files_of_a_close(world: World, tmp_path: Path) -> None:
    """The months were listed before one of them was closed."""
    month = dt.date(2022, 9, 1)
    world.fill(month)
    world.bill(lines_of(month))
    before = draft(world, month, tmp_path)
    assert before is not None
    assert "Draft, not closed" in before.files[0].read_text()
    assert month in open_months(world.engine)
    closed = close(world, month, tmp_path)
    written = {path: path.read_bytes() for path in closed.files}
    world.run("update marts.fct_billed_lines set odoo_payment_state = 'reversed'")
    assert draft(world, month, tmp_path) is None
    assert {path: path.read_bytes() for path in closed.files} == written
    assert month not in open_months(world.engine)


def test_a_draft_waits_for_a_close_that_is_under_way(world: World, tmp_path: Path) -> None:
    month = dt.date(2022, 10, 1)
    world.fill(month)
    world.bill(lines_of(month))
    with ThreadPoolExecutor(1) as pool, world.engine.connect() as closing:
        advisory_lock(closing, BILLING_RUN)
        waiting = pool.submit(draft, world, month, tmp_path)
        wait_for_a_waiter(world)
        closing.execute(
            sa.insert(month_close).values(
                month=month,
                version=1,
                files=[],
                lines=6,
                amount=0,
                lines_sha256="",
                code_version="test",
            )
        )
        closing.commit()
        assert waiting.result(timeout=20) is None
    assert list(tmp_path.iterdir()) == []


def wait_for_a_waiter(world: World) -> None:
    """Returns once a session of this database waits for an advisory lock."""
    deadline = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=20)
    while dt.datetime.now(dt.UTC) < deadline:
        if world.query(
            "select pid from pg_locks where locktype = 'advisory' and not granted"
            " and database = (select oid from pg_database where datname = current_database())"
        ):
            return
    pytest.fail("nobody came to wait at the lock")


def test_another_margin_is_another_version(world: World, tmp_path: Path) -> None:
    """A cost that came in after the close. What finance was handed stays as it was."""
    month = dt.date(2023, 6, 1)
    world.fill(month)
    world.bill(lines_of(month))
    first = close(world, month, tmp_path)
    written = {path: path.read_bytes() for path in first.files}
    for table in ("marts.fct_cogs_daily", "staging.stg_costs__provider_costs"):
        world.run(f"update {table} set amount = amount + 1 where cost_key = 'c'")
    world.run("update marts.fct_cogs_daily set amount_company = 8.41 where cost_key = 'c'")
    world.run("update marts.fct_cogs_monthly set amount_company = 8.41 where sku = 'hours'")
    for mart, where in (
        ("fct_margin_monthly", "metric_code = 'compute_hours'"),
        ("rpt_margin_by_account", "service_code = 'nexacloud'"),
        ("rpt_margin_by_service", "service_code = 'nexacloud' and month = '2023-06-01'"),
    ):
        world.run(
            f"update marts.{mart} set cogs = cogs + 1, margin = margin - 1,"
            f" invoiced_margin = invoiced_margin - 1 where {where}"
        )
    second = close(world, month, tmp_path)
    assert (second.version, second.already_closed) == (2, False)
    assert second.lines_sha256 == first.lines_sha256
    assert {path: path.read_bytes() for path in first.files} == written
    assert close(world, month, tmp_path).already_closed


def test_an_adjustment_makes_a_second_version_and_keeps_the_first(
    world: World, tmp_path: Path
) -> None:
    month = dt.date(2026, 4, 1)
    world.fill(month)
    world.bill(lines_of(month))
    first = close(world, month, tmp_path)
    written = {path: path.read_bytes() for path in first.files}
    late = line("nexacloud:a", "cloud_s/storage_gb", month, "10", "0", "10", "0.12", "1.2", "1.20",
                "late_usage")  # fmt: skip
    world.bill([late])
    world.add_lines([late])
    world.run("update marts.fct_rated_lines set amount = amount + 1.20 where amount = 0.60")
    world.run("update marts.fct_reconciliation set platform_amount = 1.80 where app_amount = 0.61")
    world.earn("nexacloud", "storage_gb", month, usage_revenue=D("1.20"))
    second = close(world, month, tmp_path)
    assert (second.version, second.already_closed, second.lines) == (2, False, 7)
    assert second.amount == D("49.79")
    assert [row[0] for row in recorded(world, month)] == [1, 2]
    assert second.files[0].parent == tmp_path / "2026-04" / "version-2"
    assert {path: path.read_bytes() for path in first.files} == written


def test_every_reason_against_a_close_is_named(world: World, tmp_path: Path) -> None:
    month = dt.date(2026, 5, 1)
    world.fill(month)
    world.bill(lines_of(month)[:4])
    world.bill(lines_of(month)[4:5], verified=False)  # the sixth line is in the mart alone
    world.run("update marts.fct_usage_conservation set counters_difference = -2")
    world.run(
        "update marts.fct_reconciliation set reason = 'unexplained' where reason = 'rounding'"
    )
    world.run("update marts.fct_rated_lines set amount = 2.60 where amount = 2.59")
    world.earn("nexacloud", "compute_hours", month, usage_revenue=D("0.01"))
    found = reasons(world, month, tmp_path)
    assert [reason.split(":")[0] for reason in found] == [
        "The ledger has 5 lines and marts.fct_billed_lines 6 that do not say the same",
        "1 lines are not verified in Odoo, the first is nexadesk",
        "1 lines are not billed as they are rated, the first is nexacloud",
        "Usage is not conserved",
        "1 differences are unexplained",
    ]
    assert "up to 2 counters" in found[3]
    assert all("`fusion-billing " in reason for reason in found)


@pytest.mark.parametrize(
    ("month", "statement", "reason"),
    [
        (
            dt.date(2025, 1, 1),
            "update marts.fct_margin_monthly set revenue = revenue + 1 where metric_code is null"
            " and service_code = 'nexacloud'",
            r"1 rows of marts\.fct_margin_monthly do not foot across, the first is 2025-01-01:",
        ),
        (
            dt.date(2025, 2, 1),
            "update marts.fct_margin_monthly set invoiced_base = null where service_code is null",
            r"1 rows of marts\.fct_margin_monthly do not foot across",
        ),
        (
            dt.date(2025, 3, 1),
            "update marts.rpt_margin_by_account set margin = margin - 0.01"
            " where account_key = 'nexadesk:acct_1'",
            r"1 rows of marts\.rpt_margin_by_account do not foot across",
        ),
        (
            dt.date(2025, 4, 1),
            "update marts.rpt_margin_by_service set invoiced_base = 19.01,"
            " invoiced_revenue = invoiced_revenue + 0.01, invoiced_margin = invoiced_margin + 0.01"
            " where invoiced_base = 19 and service_code = 'nexacloud'",
            r"differs from marts\.fct_margin_monthly by 0\.0[12]",
        ),
        (
            dt.date(2025, 5, 1),
            "insert into marts.fct_rated_lines (service_code, period_end, quantity_included,"
            " unit_price, amount, currency) values ('nexacloud', '2020-02-01', 0, 1, 0.01, 'CAD')",
            r"not what is rated of 1 accounts and metrics, the first is nexacloud:",
        ),
        (
            dt.date(2025, 6, 1),
            "update staging.stg_odoo__invoices set amount_untaxed = 150.01"
            " where amount_untaxed = 150",
            r"156\.34 is the invoiced revenue, and 156\.35 on Odoo's posted invoices",
        ),
        (
            dt.date(2025, 7, 1),
            "delete from intermediate.int_currency_rates_daily",
            r"1 posted invoices are in a currency without a rate",
        ),
        (
            dt.date(2025, 8, 1),
            "update marts.fct_cogs_daily set amount = amount + 0.000001 where cost_key = 'b'"
            " and account_key = 'nexadesk:acct_2'",
            r"1 provider costs are not what is allocated of them, the first is b",
        ),
        (
            dt.date(2025, 9, 1),
            "delete from marts.fct_cogs_daily where cost_key = 'e'",
            r"1 provider costs are not what is allocated of them, the first is e",
        ),
        (
            dt.date(2022, 1, 1),
            "update staging.stg_costs__provider_costs set currency = 'CAD' where cost_key = 'a'",
            r"1 provider costs are not what is allocated of them, the first is a",
        ),
        (
            dt.date(2022, 2, 1),
            "update staging.stg_costs__provider_costs set quantity = 4 where cost_key = 'b'",
            r"1 provider costs are not what is allocated of them, the first is b",
        ),
        (
            dt.date(2022, 3, 1),
            "update staging.stg_costs__provider_costs set account_key = 'nexamaps:acct_2'"
            " where cost_key = 'a'",
            r"1 provider costs are not what is allocated of them, the first is a",
        ),
        (
            dt.date(2022, 4, 1),
            "update staging.stg_costs__provider_costs set day = day - 3 where cost_key = 'd'",
            r"1 provider costs are not what is allocated of them, the first is d",
        ),
        (
            dt.date(2025, 10, 1),
            "update marts.fct_cogs_daily set amount_company = null where cost_key = 'a'",
            r"1 provider costs are in a currency that Odoo has no rate of, the first is a",
        ),
        (
            dt.date(2025, 11, 1),
            "update marts.fct_cogs_monthly set amount_company = 12.34 where sku = 'tokens'",
            r"2 groups of cost are not the same .* the first is nexadesk",
        ),
        (
            dt.date(2025, 12, 1),
            "update marts.fct_cogs_monthly set account_key = 'nexadesk:acct_2'"
            " where sku = 'tokens'",
            r"2 groups of cost are not the same .* the first is nexadesk:acct_[12]:desk_team",
        ),
        (
            dt.date(2023, 1, 1),
            "update marts.fct_rated_lines set amount = amount + case metric_code"
            " when 'storage_gb' then -0.10 else 0.10 end where service_code = 'nexacloud'"
            " and metric_code is not null",
            r"2 lines are not billed as they are rated, the first is nexacloud:a.*"
            r"48\.59 is billed of 48\.59",
        ),
        (
            dt.date(2023, 2, 1),
            "update marts.rpt_margin_by_account set base_revenue = base_revenue"
            " + case service_code when 'nexadesk' then 1 else -1 end, revenue = revenue"
            " + case service_code when 'nexadesk' then 1 else -1 end, margin = margin"
            " + case service_code when 'nexadesk' then 1 else -1 end"
            " where account_key in ('nexadesk:acct_1', 'nexacloud:acct_1')",
            r"Margin by service or by account differs from marts\.fct_margin_monthly by 1",
        ),
        (
            dt.date(2023, 3, 1),
            "delete from marts.fct_reconciliation where status = 'not_compared'"
            " and metric_code = 'geocodes'",
            r"1 items of ledger or apps are not in marts\.fct_reconciliation with their amount,"
            r" the first is nexamaps:c:geocodes:2023-02-17",
        ),
        (
            dt.date(2023, 4, 1),
            "insert into intermediate.int_app_lines_placed values"
            " ('x', 'nexamaps:c', 'charge', 'geocodes', '2023-03-17', '2023-04-17', 0.01)",
            r"1 items of ledger or apps .* the first is nexamaps:c:geocodes:2023-03-17",
        ),
        (
            dt.date(2023, 5, 1),
            "update staging.stg_app_billing__lines set amount = amount + 0.01 where amount = 39.60",
            r"1 items of ledger or apps .* the first is nexadesk:b:desk_team/messages:2023-05-01",
        ),
    ],
)
def test_a_mart_that_breaks_a_rule_keeps_the_month_open(
    world: World, tmp_path: Path, month: dt.date, statement: str, reason: str
) -> None:
    world.fill(month)
    world.bill(lines_of(month))
    world.run(statement)
    found = reasons(world, month, tmp_path)
    assert any(re.search(reason, one) for one in found), found
    assert all("`fusion-billing " in one for one in found)


SECOND_TELLING = (
    "insert into staging.stg_costs__provider_costs"
    " select cost_key || '2', :source, provider, sku, day, service_code, account_key,"
    " quantity, amount + 1, currency"
    " from staging.stg_costs__provider_costs where cost_key = 'b'"
)


def test_a_cost_that_two_sources_tell_counts_once(world: World, tmp_path: Path) -> None:
    month = dt.date(2024, 1, 1)
    world.fill(month)
    world.bill(lines_of(month))
    world.run(SECOND_TELLING, source="api")
    assert close(world, month, tmp_path).version == 1


def test_a_telling_that_counts_instead_of_what_was_allocated_keeps_the_month_open(
    world: World, tmp_path: Path
) -> None:
    month = dt.date(2024, 2, 1)
    world.fill(month)
    world.bill(lines_of(month))
    world.run(SECOND_TELLING, source="odoo")
    assert [one.split(":")[0] for one in reasons(world, month, tmp_path)] == [
        "2 provider costs are not what is allocated of them, the first is b"
    ]


POSTED = (
    "with batch as (insert into raw.ingest_batch (service_code, counters) values ('nexadesk', 1)"
    " returning batch_id) insert into raw.usage_counter (service_code, external_subscription_id,"
    " transaction_id, batch_id, code, kind, window_start, window_end, payload_hash)"
    " select 'nexadesk', 'b', cast(:at as text), batch_id, 'messages', 'delta',"
    " cast(cast(:at as text) as timestamptz), cast(cast(:at as text) as timestamptz), '' from batch"
)


def test_usage_after_the_rating_keeps_its_month_open(world: World, tmp_path: Path) -> None:
    month = dt.date(2024, 3, 1)
    world.fill(month)
    world.bill(lines_of(month))
    world.run(POSTED, at="2024-04-02 00:00+00")  # April's
    assert close(world, month, tmp_path / "before").version == 1
    world.run(POSTED, at="2024-03-30 12:00+00")
    with pytest.raises(CloseRefusedError) as refused:
        close(world, month, tmp_path)
    assert refused.value.reasons == [
        "1 counters of days up to 2024-03 came in after the last rating: `fusion-billing run`, "
        "then `fusion-billing reconcile`."
    ]


@pytest.mark.parametrize(
    ("month", "statement", "what"),
    [
        (
            dt.date(2024, 4, 1),
            "insert into raw.app_invoice (source, external_invoice_id, version, kind, service_code,"
            " status, is_billed, currency, content_sha256, payload, file) values ('lago', 'late',"
            " 1, 'invoice', 'nexadesk', 'finalized', true, 'CAD', '', '{}', 'late.json')",
            "documents of the apps",
        ),
        (
            dt.date(2024, 5, 1),
            "insert into ops.odoo_mirror (table_name, odoo, fields, read_at)"
            " values ('invoice', 'odoo', '{}', clock_timestamp())",
            "the mirror of Odoo",
        ),
        (
            dt.date(2022, 5, 1),
            "insert into ops.cost_driver (provider, sku, metric_code) values ('x', '*', 'messages')"
            " on conflict (provider, sku) do update set metric_code = 'tokens'",
            "cost drivers",
        ),
        (dt.date(2024, 6, 1), "update marts.rpt_rating_build set build_id = 'x'", "the rating"),
        (
            dt.date(2024, 7, 1),
            "truncate marts.rpt_finance_build",
            "the rating, documents of the apps, cost drivers, the mirror of Odoo",
        ),
    ],
)
def test_what_came_after_the_build_keeps_the_month_open(
    world: World, tmp_path: Path, month: dt.date, statement: str, what: str
) -> None:
    world.fill(month)
    world.bill(lines_of(month))
    world.run(statement)
    assert reasons(world, month, tmp_path) == [
        f"Newer than finance's marts: {what}. `fusion-billing reconcile` builds the marts anew."
    ]


IMPORTED = (
    "insert into raw.app_invoice (source, external_invoice_id, version, kind, service_code, status,"
    " is_billed, currency, content_sha256, payload, file, loaded_at) values ('lago', 'wrong', 1,"
    " 'invoice', :service, 'finalized', true, 'CAD', '', '{}', 'wrong.json', clock_timestamp())"
)


def test_documents_that_were_imported_again_for_another_service_keep_the_month_open(
    world: World, tmp_path: Path
) -> None:
    """Taken back as docs/imports.md says: as many documents as before, in the same versions."""
    month = dt.date(2022, 6, 1)
    world.run(IMPORTED, service="nexamaps")
    world.run(BUILT)
    world.fill(month)
    world.bill(lines_of(month))
    world.run("delete from raw.app_invoice where file = 'wrong.json'")
    world.run(IMPORTED, service="nexadesk")
    assert reasons(world, month, tmp_path) == [
        "Newer than finance's marts: documents of the apps. `fusion-billing reconcile` builds the "
        "marts anew."
    ]


def test_the_same_cost_drivers_applied_again_are_no_news(world: World, tmp_path: Path) -> None:
    month = dt.date(2022, 7, 1)
    drivers = (
        "delete from ops.cost_driver;"
        " insert into ops.cost_driver (provider, sku, metric_code, updated_at) values"
        " ('maps', 'tiles', 'map_loads', clock_timestamp()), ('maps', '*', 'geocodes', now())"
    )
    world.run(drivers)
    world.run(BUILT)
    world.fill(month)
    world.bill(lines_of(month))
    world.run(drivers)
    assert close(world, month, tmp_path).version == 1


def test_a_difference_that_lost_its_reason_keeps_the_month_open(
    world: World, tmp_path: Path
) -> None:
    month = dt.date(2024, 8, 1)
    world.fill(month)
    world.bill(lines_of(month))
    world.run("update marts.fct_reconciliation set reason = null where reason = 'rounding'")
    assert [one.split(":")[0] for one in reasons(world, month, tmp_path)] == [
        "1 differences are unexplained"
    ]


def test_another_amount_in_odoo_than_the_ledgers_keeps_the_month_open(
    world: World, tmp_path: Path
) -> None:
    month = dt.date(2024, 9, 1)
    world.fill(month)
    world.bill(lines_of(month))
    world.run(
        "update ops.odoo_push set subtotal = 2.58 where line_key like '%compute_hours:2024-09%'"
    )
    assert [one.split(",")[0] for one in reasons(world, month, tmp_path)] == [
        "1 lines were read back from Odoo with another amount than the ledger's"
    ]


def test_a_line_that_odoo_refused_keeps_the_month_open(world: World, tmp_path: Path) -> None:
    month = dt.date(2026, 6, 1)
    world.fill(month)
    world.bill(lines_of(month))
    world.run(
        "update ops.odoo_push set state = 'refused' where line_key like '%map_loads:2026-05-17%'"
    )
    assert [reason.split(",")[0] for reason in reasons(world, month, tmp_path)] == [
        "1 lines are not verified in Odoo"
    ]


def test_a_mart_that_differs_from_the_ledger_by_a_cent_keeps_the_month_open(
    world: World, tmp_path: Path
) -> None:
    """Same number of lines, and what is rated agrees with the wrong one."""
    month = dt.date(2026, 7, 1)
    world.fill(month)
    world.bill(lines_of(month))
    world.run("update marts.fct_billed_lines set amount = 39.61 where amount = 39.60")
    world.run("update marts.fct_rated_lines set amount = 40.81 where amount = 40.80")
    world.run("update marts.fct_reconciliation set platform_amount = 40.81 where app_amount = 39.6")
    world.earn("nexadesk", "messages", month, usage_revenue=D("0.01"))
    assert [reason.split(":")[0] for reason in reasons(world, month, tmp_path)] == [
        "The ledger has 6 lines and marts.fct_billed_lines 6 that do not say the same"
    ]


def test_checks_without_rows_are_not_passed(world: World, tmp_path: Path) -> None:
    month = dt.date(2026, 8, 1)
    world.fill(month)
    world.bill(lines_of(month))
    world.run("truncate marts.fct_reconciliation, marts.fct_usage_conservation")
    assert [reason.split(" ")[0] for reason in reasons(world, month, tmp_path)] == [
        "marts.fct_usage_conservation",
        "marts.fct_reconciliation",
        "8",  # the ledger's five charges and the apps' three
    ]


def test_files_that_cannot_be_written_leave_no_close(world: World, tmp_path: Path) -> None:
    month = dt.date(2026, 9, 1)
    world.fill(month)
    world.bill(lines_of(month))
    (tmp_path / "2026-09").write_text("a file in the way")
    with pytest.raises(FinanceExportError, match="could not be written"):
        close(world, month, tmp_path)
    assert recorded(world, month) == []


def decide(world: World, phase: str) -> None:
    """For the services of the lines, from a month that no other test closes."""
    world.run(
        "insert into ops.cutover (service_code, phase, effective_from, changed_by)"
        " select service_code, :phase, '2027-02-01', 'test' from ops.service",
        phase=phase,
    )


def test_a_close_waits_for_what_its_phase_sends_to_odoo(world: World, tmp_path: Path) -> None:
    """Six lines, none of them pushed: due in a dual run and when live, not in shadow."""
    month = dt.date(2027, 3, 1)
    world.fill(month)
    world.bill(lines_of(month), verified=False)
    for phase in ("live", "dual_run"):
        decide(world, phase)
        assert [reason.split(",")[0] for reason in reasons(world, month, tmp_path)] == [
            "6 lines are not verified in Odoo"
        ], phase
    decide(world, "shadow")
    assert close(world, month, tmp_path).version == 1


def test_a_dual_run_line_is_to_be_drafted(world: World, tmp_path: Path) -> None:
    month = dt.date(2027, 5, 1)
    decide(world, "dual_run")
    world.fill(month)
    world.bill(lines_of(month), state="drafted", order=77)
    world.run("update ops.odoo_push set state = 'sent' where line_key like '%storage_gb:2027-05%'")
    assert [reason.split(",")[0] for reason in reasons(world, month, tmp_path)] == [
        "1 lines are not verified in Odoo"
    ]
    world.run("update ops.odoo_push set state = 'drafted' where state = 'sent'")
    assert close(world, month, tmp_path).version == 1
