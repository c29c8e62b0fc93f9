"""The month's files from real PostgreSQL: values, formulas, footing, exactness, all or none."""

from __future__ import annotations

import datetime as dt
import re
import shutil
import subprocess
import zipfile
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from finance_world import World, line, lines_of, next_month
from openpyxl import Workbook, load_workbook
from openpyxl.worksheet.worksheet import Worksheet

from exports.canonical import lines_sha256
from exports.finance.errors import FinanceExportError
from exports.finance.marts import MartRows
from exports.finance.month import MonthExport, export_month
from exports.finance.parquet import write_parquet

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
    return export_month(world.engine, month, folder, code_version="0.1.0+test")


def opened(result: MonthExport, *, formulas: bool = False) -> Workbook:
    return load_workbook(result.files[0], data_only=not formulas)


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
    by_url = export_month(database_url, FEBRUARY, tmp_path, code_version="0.1.0+test")
    assert by_url.lines == 6


def test_the_summary_holds_the_figures_worked_out_by_hand(february: World, tmp_path: Path) -> None:
    sheet = opened(export(february, tmp_path))["Summary"]
    assert sheet["A1"].value == "Usage billing, February 2026"
    # usage, base, revenue, COGS, margin
    expected = {
        "nexacloud": ("3.19", "19.00", "22.19", "7.41", "14.78"),
        "nexadesk": ("40.80", "29.00", "69.80", "12.35", "57.45"),
        "nexamaps": ("1.10", "49.00", "50.10", "62.00", "-11.90"),
        "No service": ("0", "250.00", "250.00", "0", "250.00"),
        "Total": ("45.09", "347.00", "392.09", "81.76", "310.33"),
    }
    for label, figures in expected.items():
        row = summary_rows(sheet, label)[0]
        assert [D(str(value)) for value in row[1:6]] == [D(figure) for figure in figures]
        assert row[6] == pytest.approx(float(D(figures[4]) / D(figures[2])))
    # lines, on time, late, corrections, all, rated, lines less rated
    by_reason = {
        "nexacloud": (2, 3.19, 0, 0, 3.19, 3.19, 0),
        "nexadesk": (2, 39.6, 1.2, 0, 40.8, 40.8, 0),
        "nexamaps": (2, 5.4, 0, -0.8, 4.6, 4.6, 0),
        "No service": (0, 0, 0, 0, 0, 0, 0),
        "Total": (6, 48.19, 1.2, -0.8, 48.59, 48.59, 0),
    }
    for label, figures in by_reason.items():
        assert summary_rows(sheet, label)[1][1:8] == figures
    checks = [row for row in labelled(sheet) if row[2] in ("OK", "CHECK")]
    assert [row[1:3] for row in checks] == [(0, "OK")] * 8


def test_the_figures_of_the_summary_are_formulas(february: World, tmp_path: Path) -> None:
    sheet = opened(export(february, tmp_path), formulas=True)["Summary"]
    services = {"nexacloud", "nexadesk", "nexamaps", "No service", "Total"}
    figures = [
        cell.data_type
        for row in sheet.iter_rows(max_col=7)
        if row[0].value in services
        for cell in row[1:]
    ]
    # But for what is rated, which no sheet holds line by line.
    assert (figures.count("f"), figures.count("n")) == (2 * 5 * 6 - 4, 4)
    verdicts = [row[1:3] for row in sheet.iter_rows() if "IF(B" in str(row[2].value)]
    assert len(verdicts) == 8
    assert {cell.data_type for row in verdicts for cell in row} == {"f"}


def test_every_range_in_a_formula_covers_all_rows_of_its_sheet(
    february: World, tmp_path: Path
) -> None:
    book = opened(export(february, tmp_path), formulas=True)
    ranges = {
        match
        for row in book["Summary"].iter_rows()
        for cell in row
        if cell.data_type == "f"
        for match in re.findall(r"(\w+)!\$\w+\$(\d+):\$\w+\$(\d+)", cell.value)
    }
    assert {name for name, _, _ in ranges} == {"Lines", "Margin", "Reconciliation", "Conservation"}
    for name, first, last in ranges:
        assert (int(first), int(last)) == (FIRST, book[name].max_row), name


def test_the_lines_foot_when_added_up_from_the_sheet(february: World, tmp_path: Path) -> None:
    book = opened(export(february, tmp_path))
    lines = table(book["Lines"])
    assert [row["Line key"] for row in lines] == sorted(
        str(row["line_key"]) for row in lines_of(FEBRUARY)
    )
    assert sum(D(str(row["Amount"])) for row in lines) == D("48.59")
    heading = [cell.value for cell in book["Lines"][HEADER]].index("Amount")
    assert book["Lines"][3][heading].value == 48.59  # the total of the rows shown
    margin = table(book["Margin"])
    assert sum(D(str(row["Usage revenue"])) for row in margin) == D("45.09")
    assert [(row["Service"], row["Account"], row["Metric"], row["Margin"]) for row in margin] == [
        ("nexacloud", "nexacloud:acct_1", "compute_hours", 14.18),
        ("nexacloud", "nexacloud:acct_1", "storage_gb", 0.6),
        ("nexadesk", "nexadesk:acct_1", "messages", 28.45),
        ("nexadesk", "nexadesk:acct_1", None, 29),
        ("nexamaps", "nexamaps:acct_1", "map_loads", -58.9),
        ("nexamaps", "nexamaps:acct_1", None, 49),
        ("nexamaps", None, None, -2),
        (None, None, None, 250),
    ]
    assert margin[6]["Margin %"] in (None, "")


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
    theirs = calculated(without_results(result.files[0], tmp_path / "bare.xlsx"), tmp_path)
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
    # Summary, checks, totals and ratios of the sheets
    assert compared == 2 * 5 * 7 - 5 - 4 + 16 + 1 + 9 + 8 + 5


def test_differences_come_first(february: World, tmp_path: Path) -> None:
    rows = table(opened(export(february, tmp_path))["Reconciliation"])
    assert [(row["Status"], row["Reason"]) for row in rows] == [
        ("difference", "late_usage"),
        ("difference", "rounding"),
        ("not_compared", None),
        ("match", None),
    ]


def test_text_that_looks_like_a_formula_stays_text(february: World, tmp_path: Path) -> None:
    sheet = opened(export(february, tmp_path), formulas=True)["Reconciliation"]
    found = [cell for row in sheet.iter_rows() for cell in row if cell.value == "=1+1"]
    # openpyxl reads a shared string that starts with "=" as a formula; the file tells them apart.
    assert len(found) == 1
    with zipfile.ZipFile(tmp_path / "2026-02" / "fusion-billing-2026-02.xlsx") as archive:
        xml = archive.read("xl/worksheets/sheet4.xml").decode()
    assert re.search(rf'<c r="{found[0].coordinate}"[^>]* t="s">', xml)
    assert "<f>1+1</f>" not in xml


def test_a_number_beyond_fifteen_digits_is_text_in_excel_and_exact_in_parquet(
    february: World, tmp_path: Path
) -> None:
    result = export(february, tmp_path)
    book = opened(result)
    used = [row["Quantity used"] for row in table(book["Lines"])]
    assert used == [130.5, 25, 4300, 100, -200, "12345.678901234567"]
    notes = [str(row[0].value) for row in book["Summary"].iter_rows() if row[0].value]
    # Quantity used and billed, and the amount before rounding, of one line.
    assert "3 written as text, 0 rounded" in notes[-1]
    exact = duckdb.sql(
        f"select quantity_used from '{result.files[1]}' where length(quantity_used::text) > 17 "
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
        "margin": (
            "fct_margin_monthly",
            "month",
            "service_code, account_key, plan_code, metric_code",  # nulls last, as PostgreSQL does
        ),
        "reconciliation": (
            "fct_reconciliation",
            "coalesce(period_end - 1, period_start)",
            "reconciliation_key",
        ),
    }
    for path in result.files[1:]:
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
        f"select distinct epoch_us(billed_at) from '{result.files[1]}'"
    ).fetchall()
    assert billed_at == [(1772514000123456,)]


def test_the_same_data_give_the_same_bytes(february: World, tmp_path: Path) -> None:
    first, second = export(february, tmp_path / "one"), export(february, tmp_path / "two")
    assert [path.read_bytes() for path in first.files] == [
        path.read_bytes() for path in second.files
    ]
    with zipfile.ZipFile(first.files[0]) as archive:
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
    assert summary_rows(sheet, "Sum of Lines less rated, CAD")[0][1:3] == (0.01, "CHECK")
    assert summary_rows(sheet, "nexadesk")[1][7] == 0.01


def test_an_invoice_that_gets_paid_does_not_change_the_hash(
    february: World, tmp_path: Path
) -> None:
    before = export(february, tmp_path / "one")
    february.run("update marts.fct_billed_lines set odoo_payment_state = 'not_paid'")
    after = export(february, tmp_path / "two")
    assert after.lines_sha256 == before.lines_sha256
    assert after.files[0].read_bytes() != before.files[0].read_bytes()


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
    assert summary_rows(sheet, "Sum of Lines less rated, CAD")[0][1:3] == (0, "OK")
    assert summary_rows(sheet, "Lines in another currency than CAD")[0][1:3] == (1, "CHECK")


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("drop table marts.fct_reconciliation", r"marts\.fct_reconciliation does not exist"),
        ("drop table marts.fct_rated_lines", r"fct_rated_lines.*`fusion-billing doctor`"),
        (
            "alter table marts.fct_margin_monthly drop column cogs",
            r"marts\.fct_margin_monthly has no column cogs",
        ),
        ("truncate marts.fct_billed_lines", r"no rows for 2026-02.*run --date 2026-03-03"),
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


def test_a_database_that_does_not_answer_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(FinanceExportError, match="fusion-billing doctor") as raised:
        export_month("postgresql://nobody@127.0.0.1:1/none", FEBRUARY, tmp_path, code_version="x")
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
    lines = export(february, tmp_path).files[1]
    found = duckdb.sql(f"select quantity_used from '{lines}' where amount = 39.60").fetchall()
    assert found == [(value,)]


def test_a_folder_that_cannot_be_written_is_a_typed_error(february: World, tmp_path: Path) -> None:
    (tmp_path / "2026-02").write_text("a file in the way")
    with pytest.raises(FinanceExportError, match="could not be written"):
        export(february, tmp_path)
