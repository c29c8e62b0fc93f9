"""The month's files from real PostgreSQL: values, formulas, footing, exactness, all or none."""

from __future__ import annotations

import datetime as dt
import hashlib
import re
import shutil
import subprocess
import zipfile
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb
import pytest
from finance_world import World, line, lines_of, next_month
from openpyxl import Workbook, load_workbook
from openpyxl.worksheet.worksheet import Worksheet

from exports.canonical import lines_sha256
from exports.finance.errors import FinanceExportError
from exports.finance.figures import cents
from exports.finance.marts import MartRows, months_before, read_month
from exports.finance.month import MonthExport, export_month
from exports.finance.parquet import write_parquet
from warehouse.settings import Settings

FEBRUARY = dt.date(2026, 2, 1)
D = Decimal
HEADER, FIRST = 4, 5  # Excel's row numbers on the data sheets
ALWAYS_CALCULATE = """<?xml version="1.0" encoding="UTF-8"?>
<oor:items xmlns:oor="http://openoffice.org/2001/registry"
  xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
<item oor:path="/org.openoffice.Office.Calc/Formula/Load">
<prop oor:name="OOXMLRecalcMode" oor:op="fuse"><value>0</value></prop></item>
</oor:items>"""


@pytest.fixture
def february(world: World) -> World:
    world.fill(FEBRUARY)
    # Neighbours: the last day before and the first day after stay out.
    outside = [
        line("nexacloud:z", "cloud_s/storage_gb", day, "1", "0", "1", "99", "99", "99.00")
        for day in (dt.date(2026, 1, 31), dt.date(2026, 3, 1))
    ]
    world.add_lines([{**row, "period_end": dt.date(2026, 4, 1)} for row in outside])
    return world


def export(world: World, folder: Path, month: dt.date = FEBRUARY) -> MonthExport:
    return export_month(
        world.engine,
        month,
        folder,
        manifest=world.manifest,
        settings=Settings(),
        code_version="0.1.0+test",
    )


def opened(result: MonthExport, *, formulas: bool = False) -> Workbook:
    return load_workbook(result.files[1], data_only=not formulas)


def table(sheet: Worksheet) -> list[dict[str, object]]:
    """The rows of a data sheet by heading."""
    rows = sheet.iter_rows(min_row=HEADER, values_only=True)
    headings = [str(value) for value in next(rows)]
    return [dict(zip(headings, row, strict=True)) for row in rows]


def labelled(sheet: Worksheet) -> Iterator[tuple[object, ...]]:
    """The Summary's rows that have a label and figures."""
    for row in sheet.iter_rows(values_only=True):
        if row[0] is not None and row[1] is not None:
            yield row


def summary_rows(sheet: Worksheet, label: str) -> list[tuple[object, ...]]:
    return [row for row in labelled(sheet) if row[0] == label]


def test_the_export_names_its_files_its_sum_and_its_hash(february: World, tmp_path: Path) -> None:
    result = export(february, tmp_path, dt.date(2026, 2, 14))
    assert [path.relative_to(tmp_path).as_posix() for path in result.files] == [
        "2026-02/fusion-billing-2026-02.html",
        "2026-02/fusion-billing-2026-02.xlsx",
        "2026-02/lines-2026-02.parquet",
        "2026-02/margin-2026-02.parquet",
        "2026-02/reconciliation-2026-02.parquet",
    ]
    assert sorted((tmp_path / "2026-02").iterdir()) == result.files
    assert (result.lines, result.amount) == (6, D("48.59"))
    assert result.lines_sha256 == lines_sha256(lines_of(FEBRUARY))


def test_a_url_does_as_well_as_an_engine(
    february: World, database_url: str, tmp_path: Path
) -> None:
    by_url = export_month(
        database_url,
        FEBRUARY,
        tmp_path,
        manifest=february.manifest,
        settings=Settings(),
        code_version="0.1.0+test",
    )
    assert by_url.lines == 6


def test_the_summary_holds_the_figures_worked_out_by_hand(february: World, tmp_path: Path) -> None:
    sheet = opened(export(february, tmp_path))["Summary"]
    assert sheet["A1"].value == "Usage billing, February 2026"
    # usage, base, revenue, COGS, margin; invoiced, invoiced less accrued
    expected = {
        "nexacloud": ("3.19", "19.00", "22.19", "7.41", "14.78", "22.14", "-0.05"),
        "nexadesk": ("40.80", "29.00", "69.80", "12.35", "57.45", "68.60", "-1.20"),
        "nexamaps": ("4.60", "49.00", "53.60", "62.00", "-8.40", "53.60", "0"),
        "(no service)": ("0", "6.00", "6.00", "0", "6.00", "12.00", "6.00"),
        "Total": ("48.59", "103.00", "151.59", "81.76", "69.83", "156.34", "4.75"),
    }
    for label, figures in expected.items():
        row = summary_rows(sheet, label)[0]
        found = [D(str(value)) for value in (*row[1:6], *row[7:9])]
        assert found == [D(figure) for figure in figures], label
        assert row[6] == pytest.approx(float(D(figures[4]) / D(figures[2])))
    # lines, on time, late, corrections, billed, rated, billed less rated
    by_reason = {
        "nexacloud": (2, 3.19, 0, 0, 3.19, 3.19, 0),
        "nexadesk": (2, 39.6, 1.2, 0, 40.8, 40.8, 0),
        "nexamaps": (2, 5.4, 0, -0.8, 4.6, 4.6, 0),
        "Total": (6, 48.19, 1.2, -0.8, 48.59, 48.59, 0),
    }
    for label, figures in by_reason.items():
        assert summary_rows(sheet, label)[1][1:8] == figures
    checks = [row for row in labelled(sheet) if row[2] in ("OK", "CHECK")]
    assert [row[1:3] for row in checks] == [(0, "OK")] * 17


def test_the_summary_goes_from_usage_to_invoice_step_by_step(
    february: World, tmp_path: Path
) -> None:
    """Plans include 100 × 0.085 + 20 × 0.12 + 1000 × 0.012 + 10000 × 0.0023, 50 × 0.10, and two
    packages at 3.00. The late line is not invoiced; the storage was invoiced 0.05 lower."""
    sheet = opened(export(february, tmp_path))["Summary"]
    steps = {
        "Usage at its prices": 105.09,
        "Included in plans": -56.9,
        "Billed on time": 48.19,
        "Late usage": 1.2,
        "Corrections": -0.8,
        "Billed": 48.59,
        "Not on a posted invoice": -1.2,
        "Differs in Odoo": -0.05,
        "Invoiced": 47.34,
    }
    for label, amount in steps.items():
        assert summary_rows(sheet, label)[0][1] == amount, label


def test_invoiced_is_what_posted_documents_say_and_not_the_newest(
    february: World, tmp_path: Path
) -> None:
    """The compute hours were credited in full, the loads are on a draft of a credit note beside
    their posted invoice, and the geocodes on a draft only: −0.05 − 2.59, and −1.20 + 0.80."""
    for metric, state, invoiced in (
        ("compute_hours", "posted", "0"),
        ("map_loads", "draft", "5.40"),
        ("geocodes", "draft", None),
    ):
        february.run(
            "update marts.fct_billed_lines set odoo_invoice_state = :state,"
            " odoo_invoiced = cast(:invoiced as numeric) where metric_code = :metric",
            state=state,
            invoiced=invoiced,
            metric=metric,
        )
    sheet = opened(export(february, tmp_path))["Summary"]
    steps = {
        "Billed": 48.59,
        "Not on a posted invoice": -0.4,
        "Differs in Odoo": -2.64,
        "Invoiced": 45.55,
    }
    for label, amount in steps.items():
        assert summary_rows(sheet, label)[0][1] == amount, label


def test_the_summary_counts_differences_and_exceptions(february: World, tmp_path: Path) -> None:
    sheet = opened(export(february, tmp_path))["Summary"]
    # rows, app less platform, odoo less platform
    assert summary_rows(sheet, "late_usage")[0][1:4] == (1, -1.2, 0)
    assert summary_rows(sheet, "rounding")[0][1:4] == (1, 0.01, 0)
    assert summary_rows(sheet, "match")[0][1:4] == (1, 0, 0)
    assert summary_rows(sheet, "not_compared")[0][1:4] == (2, 0, 0)
    assert summary_rows(sheet, "unallocated_cost")[0][1:3] == (1, 2)
    assert summary_rows(sheet, "differs_in_odoo")[0][1:3] == (1, 0.6)
    assert summary_rows(sheet, "below_floor")[0][1:3] == (1, -6.4)


def test_the_exceptions_are_listed_with_what_they_are(february: World, tmp_path: Path) -> None:
    rows = table(opened(export(february, tmp_path))["Exceptions"])
    assert [(row["Kind"], row["What"], row["Count"], row["Amount"]) for row in rows] == [
        ("differs_in_odoo", "nexacloud:a:cloud_s/storage_gb:2026-02-01:1", 1, 0.6),
        ("unlinked_usage", "messages", 3, None),
        ("unallocated_cost", "maps / geo", 1, 2),
        ("below_floor", "nexamaps:acct_1", 1, -6.4),
        ("negative_margin", "nexamaps:acct_1", 1, -6.4),
    ]
    details = [str(row["Detail"]) for row in rows]
    assert details[0] == "invoiced_differently: invoiced 0.55, the ledger has 0.60"
    assert details[2].startswith("No driver says what it follows")
    assert "margin -11.94 %, below the floor of 20 %" in details[3]
    assert rows[1]["Quantity"] == 100


def test_a_refused_line_is_an_exception(february: World, tmp_path: Path) -> None:
    february.run(
        "update marts.fct_billed_lines set push_state = 'refused', push_problem = 'order_locked', "
        "push_reason = 'the order is locked' where amount = 39.60"
    )
    rows = table(opened(export(february, tmp_path))["Exceptions"])
    assert ("refused_by_odoo", "order_locked: the order is locked") in [
        (row["Kind"], row["Detail"]) for row in rows
    ]


def test_every_column_shown_is_defined_in_dbts_words(february: World, tmp_path: Path) -> None:
    book = opened(export(february, tmp_path))
    rows = table(book["Definitions"])
    shown = [
        (sheet, heading)
        for sheet in book.sheetnames[1:-2]
        for heading in next(book[sheet].iter_rows(min_row=HEADER, values_only=True))
    ]
    assert [(row["Sheet"], row["Column"]) for row in rows] == shown
    assert all(row["What it is"] for row in rows)
    words = {(row["Sheet"], row["Column"]): row for row in rows}
    assert words["Margin by account", "COGS"]["What it is"] == "What cogs is."
    assert words["Margin by account", "COGS"]["Mart"] == "rpt_margin_by_account"
    assert not words["Exceptions", "Count"]["Mart"]


def test_the_provenance_names_runs_rows_and_the_files_beside_it(
    february: World, tmp_path: Path
) -> None:
    february.run(
        "insert into raw.provider_cost (source, cost_key, provider, sku, day, quantity, amount,"
        " currency, file) values ('fusion_api', 'k1', 'maps', 'tiles', '2026-02-10', 1, 45, 'USD',"
        " 'costs-2026-02.csv') on conflict do nothing"
    )
    result = export(february, tmp_path)
    rows = list(opened(result)["Provenance"].iter_rows(values_only=True))
    assert ("Lines of the month, SHA-256", result.lines_sha256) in [row[:2] for row in rows]
    costs = next(row for row in rows if row[1] == "costs-2026-02.csv")
    assert (costs[0], costs[2]) == ("fusion_api", 1)
    row = '["k1", "maps", "tiles", "2026-02-10", null, null, "1", "45", "USD"]'
    assert costs[5] == hashlib.sha256(row.encode()).hexdigest()
    assert ("Invoice lines", "fct_billed_lines", 6) in [row[:3] for row in rows]
    hashes = {row[0]: row[2] for row in rows}
    for path in result.files:
        if path.suffix != ".xlsx":
            assert hashes[path.name] == hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_missing_or_foreign_manifest_is_named(february: World, tmp_path: Path) -> None:
    for text in (None, "{", '{"nodes": {}}'):
        manifest = tmp_path / "manifest.json"
        manifest.unlink(missing_ok=True)
        if text is not None:
            manifest.write_text(text)
        with pytest.raises(FinanceExportError, match=r"manifest.*fusion-billing reconcile"):
            export_month(
                february.engine,
                FEBRUARY,
                tmp_path,
                manifest=manifest,
                settings=Settings(),
                code_version="x",
            )


def test_the_figures_of_the_summary_are_formulas(february: World, tmp_path: Path) -> None:
    sheet = opened(export(february, tmp_path), formulas=True)["Summary"]
    rows = [row for row in sheet.iter_rows(max_col=9) if row[0].value is not None]
    kinds = [[cell.data_type for cell in row[1:] if cell.value is not None] for row in rows]
    labels = [str(row[0].value) for row in rows]
    for label, types in zip(labels, kinds, strict=True):
        if label in ("nexacloud", "nexadesk", "nexamaps", "(no service)", "Total"):
            # Rated lines are no sheet of the workbook: their sum is a number.
            assert types.count("f") >= len(types) - 1, label
    verdicts = [row[1:3] for row in sheet.iter_rows() if "IF(B" in str(row[2].value)]
    assert len(verdicts) == 17
    live = [value.data_type for value, _ in verdicts]
    assert live == [*"fnffffnf", *"n" * 9]


def test_every_range_in_a_formula_covers_all_rows_of_its_sheet(
    february: World, tmp_path: Path
) -> None:
    book = opened(export(february, tmp_path), formulas=True)
    ranges = {
        match
        for row in book["Summary"].iter_rows()
        for cell in row
        if cell.data_type == "f"
        for match in re.findall(r"'([\w ]+)'!\$\w+\$(\d+):\$\w+\$(\d+)", cell.value)
    }
    assert {name for name, _, _ in ranges} == {
        "Invoice lines",
        "Margin by account",
        "Reconciliation",
        "Exceptions",
        "Conservation",
    }
    for name, first, last in ranges:
        assert (int(first), int(last)) == (FIRST, book[name].max_row), name


def test_the_lines_foot_when_added_up_from_the_sheet(february: World, tmp_path: Path) -> None:
    book = opened(export(february, tmp_path))
    lines = table(book["Invoice lines"])
    assert [row["Line key"] for row in lines] == sorted(
        str(row["line_key"]) for row in lines_of(FEBRUARY)
    )
    assert sum(D(str(row["Amount"])) for row in lines) == D("48.59")
    heading = [cell.value for cell in book["Invoice lines"][HEADER]].index("Amount")
    assert book["Invoice lines"][3][heading].value == 48.59  # the total of the rows shown
    margin = table(book["Margin by account"])
    assert sum(D(str(row["Usage revenue"])) for row in margin) == D("48.59")
    assert [(row["Service"], row["Account"], row["Margin"]) for row in margin] == [
        ("nexacloud", "nexacloud:acct_1", 14.78),
        ("nexadesk", "nexadesk:acct_1", 57.45),
        ("nexamaps", "nexamaps:acct_1", -6.4),
        ("nexamaps", "(no account)", -2),
        ("(no service)", "(no account)", 6),
    ]
    assert margin[3]["Margin %"] in (None, "")
    assert margin[4]["Invoiced margin %"] == 1


def test_the_services_are_the_sums_of_their_accounts(february: World, tmp_path: Path) -> None:
    result = export(february, tmp_path)
    services = table(opened(result)["Margin by service"])
    assert [(row["Service"], row["COGS"], row["Change of revenue"]) for row in services] == [
        ("nexacloud", 7.41, 2.19),
        ("nexadesk", 12.35, None),
        ("nexamaps", 62, None),
        ("(no service)", 0, None),
    ]
    formulas = table(opened(result, formulas=True)["Margin by service"])
    assert str(formulas[2]["COGS"]).startswith("=ROUND(SUMIFS('Margin by account'!")


def test_adjustments_have_a_sheet_of_their_own(february: World, tmp_path: Path) -> None:
    rows = table(opened(export(february, tmp_path))["Adjustments"])
    assert [(row["Reason"], row["Amount"]) for row in rows] == [
        ("late_usage", 1.2),
        ("correction", -0.8),
    ]


def without_results(workbook: Path, target: Path) -> Path:
    """A copy whose formulas carry a wrong result: only a calculation finds the right one."""
    with zipfile.ZipFile(workbook) as source, zipfile.ZipFile(target, "w") as copy:
        for info in source.infolist():
            content = source.read(info)
            if info.filename.startswith("xl/worksheets/"):
                content = re.sub(rb"</f><v>[^<]*</v>", b"</f><v>777</v>", content)
            copy.writestr(info, content)
    return target


def calculated(workbook: Path, folder: Path) -> Workbook:
    """The workbook calculated by LibreOffice, which trusts the stored results unless told."""
    profile = folder / "profile"
    (profile / "user").mkdir(parents=True)
    (profile / "user" / "registrymodifications.xcu").write_text(ALWAYS_CALCULATE)
    command = [
        "soffice",
        f"-env:UserInstallation=file://{profile}",
        "--headless",
        "--convert-to",
        "xlsx:Calc MS Excel 2007 XML",
        "--outdir",
        str(folder / "calculated"),
        str(workbook),
    ]
    subprocess.run(command, check=True, capture_output=True, timeout=180)
    return load_workbook(folder / "calculated" / workbook.name, data_only=True)


@pytest.mark.skipif(shutil.which("soffice") is None, reason="LibreOffice is not installed")
def test_another_program_calculates_the_same(february: World, tmp_path: Path) -> None:
    result = export(february, tmp_path)
    theirs = calculated(without_results(result.files[1], tmp_path / "bare.xlsx"), tmp_path)
    ours, formulas = opened(result), opened(result, formulas=True)
    compared = 0
    for sheet in formulas:
        for cell in (cell for row in sheet.iter_rows() for cell in row if cell.data_type == "f"):
            if cell.value == "=1+1":  # text, see below
                continue
            expected = ours[sheet.title][cell.coordinate].value
            found = theirs[sheet.title][cell.coordinate].value
            compared += 1
            if isinstance(expected, int | float):
                assert found == pytest.approx(expected, abs=1e-9), (sheet.title, cell.coordinate)
            else:
                assert (found or "") == (expected or ""), (sheet.title, cell.coordinate)
    summary = 5 * 8 + (3 * 6 + 7) + 8 + (4 * 3 + 3) + (5 * 2 + 1) + (6 + 17)
    totals, services, ratios = 3 + 3 + 9 + 9 + 5 + 1, 4 * 9, (4 + 5) * 2
    assert compared == summary + totals + services + ratios


def test_differences_come_first(february: World, tmp_path: Path) -> None:
    rows = table(opened(export(february, tmp_path))["Reconciliation"])
    assert [(row["Status"], row["Reason"]) for row in rows] == [
        ("difference", "late_usage"),
        ("difference", "rounding"),
        ("not_compared", None),
        ("not_compared", None),
        ("match", None),
    ]


def test_text_that_looks_like_a_formula_stays_text(february: World, tmp_path: Path) -> None:
    sheet = opened(export(february, tmp_path), formulas=True)["Reconciliation"]
    found = [cell for row in sheet.iter_rows() for cell in row if cell.value == "=1+1"]
    # openpyxl reads a shared string that starts with "=" as a formula; the file tells them apart.
    assert len(found) == 1
    with zipfile.ZipFile(tmp_path / "2026-02" / "fusion-billing-2026-02.xlsx") as archive:
        xml = archive.read("xl/worksheets/sheet6.xml").decode()
    assert re.search(rf'<c r="{found[0].coordinate}"[^>]* t="s">', xml)
    assert "<f>1+1</f>" not in xml


def test_a_number_beyond_fifteen_digits_is_text_in_excel_and_exact_in_parquet(
    february: World, tmp_path: Path
) -> None:
    result = export(february, tmp_path)
    book = opened(result)
    used = [row["Quantity used"] for row in table(book["Invoice lines"])]
    assert used == [130.5, 25, 4300, 100, -200, "12345.678901234567"]
    notes = [str(row[0].value) for row in book["Summary"].iter_rows() if row[0].value]
    # Quantity used and billed, and the amount before rounding, of one line.
    assert "3 written as text, 0 rounded" in notes[-1]
    exact = duckdb.sql(
        f"select quantity_used from '{result.files[2]}' where length(quantity_used::text) > 17 "
        "order by quantity_used desc limit 1"
    ).fetchall()
    assert exact == [(D("12345.678901234567"),)]


def test_a_long_number_that_a_formula_reads_stays_a_number(february: World, tmp_path: Path) -> None:
    """As text it would drop out of the sum, and a difference would read as none."""
    february.run(
        "update marts.fct_usage_conservation set quantity_difference = 0.1234567890123456789 "
        "where metric_code = 'messages'"
    )
    sheet = opened(export(february, tmp_path))["Summary"]
    row = summary_rows(sheet, "Conservation: largest difference in quantity")[0]
    assert row[1:3] == (pytest.approx(0.1234567890123456), "CHECK")


def test_parquet_says_what_sql_says(february: World, tmp_path: Path) -> None:
    result = export(february, tmp_path)
    marts = {
        "lines": ("fct_billed_lines", "period_end - 1", 'line_key collate "C"'),
        "margin": ("fct_margin_monthly", "month", 'margin_key collate "C"'),
        "reconciliation": (
            "fct_reconciliation",
            "coalesce(period_end - 1, period_start)",
            "reconciliation_key",
        ),
    }
    for path in result.files[2:]:
        mart, column, order = marts[path.name.split("-")[0]]
        described = duckdb.sql(f"describe select * from '{path}'").fetchall()
        names = [row[0] for row in described if row[1] != "TIMESTAMP WITH TIME ZONE"]
        in_sql = february.query(
            f"select {', '.join(names)} from marts.{mart} "
            f"where {column} >= :start and {column} < :end order by {order}",
            start=FEBRUARY,
            end=next_month(FEBRUARY),
        )
        in_file = duckdb.sql(f"select {', '.join(names)} from '{path}'").fetchall()
        if "reconciliation" in path.name:
            in_file.sort(key=lambda row: str(row[names.index("reconciliation_key")]))
        assert in_file == in_sql
        types = {row[0]: row[1] for row in described}
        assert not [name for name, kind in types.items() if kind in ("DOUBLE", "FLOAT")]
        for name, kind in types.items():
            if "amount" in name or "quantity" in name or name in ("margin", "cogs", "unit_price"):
                assert kind.startswith("DECIMAL(38,"), (path.name, name, kind)
    billed_at = duckdb.sql(
        f"select distinct epoch_us(billed_at) from '{result.files[2]}'"
    ).fetchall()
    assert billed_at == [(1772514000123456,)]


def test_the_same_data_give_the_same_bytes(february: World, tmp_path: Path) -> None:
    first, second = export(february, tmp_path / "one"), export(february, tmp_path / "two")
    assert [path.read_bytes() for path in first.files] == [
        path.read_bytes() for path in second.files
    ]
    with zipfile.ZipFile(first.files[1]) as archive:
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        core = archive.read("docProps/core.xml").decode()
    assert set(re.findall(r"\d{4}-\d\d-\d\dT[\d:]+Z", core)) == {"2026-02-01T00:00:00Z"}


def test_the_order_of_the_rows_in_the_database_is_no_matter(
    february: World, tmp_path: Path
) -> None:
    first = export(february, tmp_path / "one")
    for mart in ("fct_billed_lines", "fct_margin_monthly", "fct_reconciliation"):
        february.run(
            f"create table marts.again as select * from marts.{mart} order by service_code desc, "
            f"ctid desc; drop table marts.{mart}; alter table marts.again rename to {mart}"
        )
    second = export(february, tmp_path / "two")
    assert [path.read_bytes() for path in first.files] == [
        path.read_bytes() for path in second.files
    ]


def test_a_cent_changes_the_hash_and_fails_the_check(february: World, tmp_path: Path) -> None:
    before = export(february, tmp_path / "one")
    february.run("update marts.fct_billed_lines set amount = amount + 0.01 where amount = 39.60")
    after = export(february, tmp_path / "two")
    assert after.amount - before.amount == D("0.01")
    assert after.lines_sha256 != before.lines_sha256
    sheet = opened(after)["Summary"]
    assert summary_rows(sheet, "Billed less rated, CAD")[0][1:3] == (0.01, "CHECK")
    assert summary_rows(sheet, "nexadesk")[1][7] == 0.01


def test_an_invoice_that_gets_paid_does_not_change_the_hash(
    february: World, tmp_path: Path
) -> None:
    before = export(february, tmp_path / "one")
    february.run("update marts.fct_billed_lines set odoo_payment_state = 'not_paid'")
    after = export(february, tmp_path / "two")
    assert after.lines_sha256 == before.lines_sha256
    assert after.files[1].read_bytes() != before.files[1].read_bytes()


def test_an_unexplained_difference_is_counted(february: World, tmp_path: Path) -> None:
    february.run(
        "update marts.fct_reconciliation set reason = 'unexplained' where status = 'difference'"
    )
    sheet = opened(export(february, tmp_path))["Summary"]
    assert summary_rows(sheet, "Unexplained differences")[0][1:3] == (2, "CHECK")


def test_a_check_without_rows_has_not_been_passed(february: World, tmp_path: Path) -> None:
    february.run("truncate marts.fct_reconciliation, marts.fct_usage_conservation")
    sheet = opened(export(february, tmp_path))["Summary"]
    unpassed = [row[0] for row in labelled(sheet) if row[1:3] == ("no rows", "CHECK")]
    assert unpassed == [
        "Conservation: largest difference in counters",
        "Conservation: largest difference in quantity",
        "Unexplained differences",
    ]


def test_a_line_in_another_currency_is_in_no_sum(february: World, tmp_path: Path) -> None:
    usd = line("nexacloud:u", "cloud_s/storage_gb", FEBRUARY, "1", "0", "1", "7", "7", "7.00")
    february.add_lines([{**usd, "currency": "USD"}])
    result = export(february, tmp_path)
    assert (result.lines, result.amount) == (7, D("48.59"))
    sheet = opened(result)["Summary"]
    assert summary_rows(sheet, "Billed less rated, CAD")[0][1:3] == (0, "OK")
    assert summary_rows(sheet, "Lines in another currency than CAD")[0][1:3] == (1, "CHECK")


def test_what_is_in_another_currency_is_counted_and_in_no_sum(
    february: World, tmp_path: Path
) -> None:
    """Of two roundings one is 7.00 USD, and so are what is unexplained and what Odoo refused."""
    usd = line("nexacloud:u", "cloud_s/storage_gb", FEBRUARY, "1", "0", "1", "7", "7", "7.00")
    february.add_lines([{**usd, "currency": "USD"}])
    february.run("update marts.fct_billed_lines set push_state = 'refused' where currency = 'USD'")
    february.run(
        "insert into marts.fct_reconciliation (reconciliation_key, period_start, status, reason,"
        " currency, app_delta, odoo_delta) values"
        " ('u', '2026-02-01', 'difference', 'rounding', 'USD', 7, 7),"
        " ('v', '2026-02-01', 'difference', 'unexplained', 'USD', 7, 7)"
    )
    book = opened(export(february, tmp_path))
    sheet = book["Summary"]
    assert summary_rows(sheet, "rounding")[0][1:4] == (2, 0.01, 0)
    assert summary_rows(sheet, "unexplained")[0][1:4] == (1, 0, 0)
    assert summary_rows(sheet, "Total")[2][1:4] == (7, -1.19, 0)
    assert summary_rows(sheet, "refused_by_odoo")[0][1:3] == (1, 0)
    assert summary_rows(sheet, "unexplained_difference")[0][1:3] == (1, 0)
    details = {row["Kind"]: (row["Amount"], row["Detail"]) for row in table(book["Exceptions"])}
    assert details["refused_by_odoo"] == (None, "Odoo shows it differently. It is 7 USD.")
    assert details["unexplained_difference"] == (
        None,
        "App, platform and Odoo do not agree. It is 7 USD.",
    )


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("drop table marts.fct_reconciliation", r"marts\.fct_reconciliation does not exist"),
        (
            "alter table marts.fct_margin_monthly drop column cogs",
            r"marts\.fct_margin_monthly has no column cogs",
        ),
        (
            "alter table marts.rpt_finance_build drop column cost_drivers_md5",
            r"marts\.rpt_finance_build has no column cost_drivers_md5",
        ),
        ("drop table marts.rpt_rating_build", r"marts\.rpt_rating_build does not exist"),
        ("truncate marts.fct_billed_lines", r"no rows for 2026-02.*run --date 2026-03-02"),
        ("truncate marts.fct_margin_monthly", r"fct_margin_monthly has no rows for 2026-02"),
    ],
)
def test_what_is_missing_is_named_with_the_next_command(
    february: World, tmp_path: Path, statement: str, message: str
) -> None:
    february.run(statement)
    with pytest.raises(FinanceExportError, match=message) as raised:
        export(february, tmp_path)
    assert "`fusion-billing " in str(raised.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("grace", "day"),
    [(0, "2026-03-01"), (24, "2026-03-02"), (30, "2026-03-03"), (240, "2026-03-12")],
)
def test_an_empty_month_is_billed_once_its_grace_is_over(
    world: World, grace: int, day: str
) -> None:
    """In hours: ten days on, 240 of them have not passed, for 8 March has 23."""
    with pytest.raises(FinanceExportError, match=f"run --date {day}`"):
        read_month(world.engine, FEBRUARY, Settings(usage_grace_hours=grace))


def test_today_is_the_companys(world: World) -> None:
    """The grace ends where the day that begins first on earth does: 26 hours later elsewhere."""
    today = dt.datetime.now(ZoneInfo("Pacific/Kiritimati")).date()
    grace = 24 * (today.day - 1)
    for zone, said in (
        ("Pacific/Kiritimati", f"`fusion-billing run --date {today}`"),
        ("Etc/GMT+12", f"close it from {today} on"),
    ):
        settings = Settings(usage_grace_hours=grace, company_timezone=zone)
        with pytest.raises(FinanceExportError, match=re.escape(said)):
            read_month(world.engine, months_before(today, 1), settings)


def test_a_database_that_does_not_answer_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(FinanceExportError, match="fusion-billing doctor") as raised:
        export_month(
            "postgresql://nobody@127.0.0.1:1/none",
            FEBRUARY,
            tmp_path,
            manifest=tmp_path / "manifest.json",
            settings=Settings(),
            code_version="x",
        )
    assert "\n" not in str(raised.value)


def test_a_failure_half_way_leaves_the_files_of_before(
    february: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is full when the second Parquet file is written; the workbook is there by then."""
    before = export(february, tmp_path)
    bytes_before = [path.read_bytes() for path in before.files]
    february.run("update marts.fct_billed_lines set odoo_payment_state = 'paid'")

    def full_disk(source: MartRows, path: Path) -> None:
        if path.name.startswith("reconciliation"):
            raise OSError(28, "No space left on device")
        write_parquet(source, path)

    monkeypatch.setattr("exports.finance.month.write_parquet", full_disk)
    with pytest.raises(FinanceExportError, match="No space left on device"):
        export(february, tmp_path)
    assert sorted((tmp_path / "2026-02").iterdir()) == before.files
    assert [path.read_bytes() for path in before.files] == bytes_before


def test_more_digits_than_a_decimal_holds_are_text(february: World, tmp_path: Path) -> None:
    """One counter of 38 digits kept a month from ever being closed."""
    value = "1234567890123456789012345678.12345678901234567891"
    february.run(
        "update marts.fct_billed_lines set quantity_used = :value where amount = 39.60",
        value=D(value),
    )
    lines = export(february, tmp_path).files[2]
    found = duckdb.sql(f"select quantity_used from '{lines}' where amount = 39.60").fetchall()
    assert found == [(value,)]


def test_a_sum_of_many_digits_has_cents() -> None:
    """A cost of 26 digits, stored before costs were bounded, was a traceback of `close`."""
    assert str(cents(D("-1234567890123456789012345678.125"))) == "-1234567890123456789012345678.13"


def test_a_folder_that_cannot_be_written_is_a_typed_error(february: World, tmp_path: Path) -> None:
    (tmp_path / "2026-02").write_text("a file in the way")
    with pytest.raises(FinanceExportError, match="could not be written"):
        export(february, tmp_path)
