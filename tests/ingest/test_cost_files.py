"""Provider costs land exactly, once, or not at all."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from ingest.costs.files import CostFileError, LoadReport, load_costs
from warehouse.tables import provider_cost, service

HEADER = "provider,sku,day,service_code,external_account_id,quantity,amount,currency"
SERVICES = ("nexacloud", "nexadesk", "nexamaps")
ROWS = (
    "openai,gpt_input,2026-09-01,nexadesk,,1250000.5,0.500001,USD",
    "google_maps,geocoding,2026-09-01,nexamaps,nm-acct-1,31,0.0527,USD",
    "ovh,rack,2026-09-01,nexacloud,,1,41.50,CAD",
)


@pytest.fixture(autouse=True)
def _empty(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(sa.delete(provider_cost))
        connection.execute(sa.delete(service))
        names = [{"service_code": code, "name": code} for code in SERVICES]
        connection.execute(sa.insert(service), names)


def _csv(folder: Path, *lines: str, name: str = "costs.csv") -> Path:
    path = folder / name
    path.write_text("\n".join((HEADER, *lines)) + "\n", encoding="utf-8")
    return path


def _stored(engine: Engine) -> list[sa.Row[tuple[object, ...]]]:
    with engine.connect() as connection:
        return list(connection.execute(sa.select(provider_cost).order_by(provider_cost.c.sku)))


def test_a_csv_lands_digit_for_digit(engine: Engine, tmp_path: Path) -> None:
    report = load_costs(engine, _csv(tmp_path, *ROWS))

    assert report == LoadReport(read=3, new=3, unchanged=0, changed=0)
    geocoding, tokens, rack = _stored(engine)
    assert (geocoding.external_account_id, geocoding.amount) == ("nm-acct-1", Decimal("0.0527"))
    assert tokens.external_account_id is None
    assert (tokens.quantity, tokens.amount) == (Decimal("1250000.5"), Decimal("0.500001"))
    assert (rack.day, rack.currency, str(rack.amount)) == (date(2026, 9, 1), "CAD", "41.50")
    assert rack.cost_key == "ovh/rack/2026-09-01/nexacloud/"
    assert (rack.source, rack.file) == ("fusion_api", "costs.csv")


def test_a_cost_without_service_is_shared_by_all(engine: Engine, tmp_path: Path) -> None:
    line = "cloudflare,bandwidth,2026-09-01,,,120.5,-3.75,USD"
    load_costs(engine, _csv(tmp_path, line))

    (row,) = _stored(engine)
    assert (row.service_code, row.external_account_id) == (None, None)
    assert (row.cost_key, row.amount) == ("cloudflare/bandwidth/2026-09-01//", Decimal("-3.75"))


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("999999999999999.12345678901234567891", "999999999999999.12345678901234567891"),
        ("-0012.50", "-12.50"),
        ("41.50" + 20_000 * "0", "41.50000000000000000000"),
        ("0." + 20_000 * "0", "0.00000000000000000000"),
    ],
)
def test_an_amount_of_as_many_digits_as_one_may_have(
    written: str, kept: str, engine: Engine, tmp_path: Path
) -> None:
    """Zeros at the end, as a wide Parquet decimal has them, are none."""
    load_costs(engine, _csv(tmp_path, f"ovh,rack,2026-09-01,nexacloud,,1,{written},CAD"))
    (row,) = _stored(engine)
    assert format(row.amount, "f") == kept


def test_the_same_file_again_changes_nothing(engine: Engine, tmp_path: Path) -> None:
    path = _csv(tmp_path, *ROWS)
    load_costs(engine, path)
    before = _stored(engine)

    assert load_costs(engine, path) == LoadReport(read=3, new=0, unchanged=3, changed=0)
    assert _stored(engine) == before


def test_a_corrected_amount_replaces_the_old_one(engine: Engine, tmp_path: Path) -> None:
    load_costs(engine, _csv(tmp_path, *ROWS))
    corrected = ROWS[2].replace("41.50", "43.75")

    report = load_costs(engine, _csv(tmp_path, ROWS[0], corrected, name="later.csv"))

    assert report == LoadReport(read=2, new=0, unchanged=1, changed=1)
    rack = _stored(engine)[2]
    assert (rack.amount, rack.file) == (Decimal("43.75"), "later.csv")


def test_parquet_and_csv_are_the_same_cost(engine: Engine, tmp_path: Path) -> None:
    """A Parquet decimal has trailing zeros, 41.500000: equal, so no change."""
    load_costs(engine, _csv(tmp_path, *ROWS))
    values = [line.split(",") for line in ROWS]
    columns: dict[str, pa.Array] = {}
    for index, name in enumerate(HEADER.split(",")):
        texts = [value[index] or None for value in values]
        if name in ("quantity", "amount"):
            numbers = [Decimal(str(text)) for text in texts]
            columns[name] = pa.array(numbers, pa.decimal128(24, 6))
        elif name == "day":
            columns[name] = pa.array([date.fromisoformat(str(text)) for text in texts])
        else:
            columns[name] = pa.array(texts, pa.string())
    path = tmp_path / "costs.parquet"
    pq.write_table(pa.table(columns), path)

    assert load_costs(engine, path) == LoadReport(read=3, new=0, unchanged=3, changed=0)


def test_a_parquet_double_is_refused(engine: Engine, tmp_path: Path) -> None:
    row = dict(zip(HEADER.split(","), ROWS[2].split(","), strict=True))
    columns = {name: pa.array([value]) for name, value in row.items()}
    columns["amount"] = pa.array([41.5], pa.float64())
    path = tmp_path / "costs.parquet"
    pq.write_table(pa.table(columns), path)

    with pytest.raises(CostFileError, match=r"^costs\.parquet, column amount: is DOUBLE, "):
        load_costs(engine, path)


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        (
            "ovh,rack,2026-09-31,nexacloud,,1,41.50,CAD",
            "costs.csv, line 3, column day: '2026-09-31' is not a date such as 2026-09-30",
        ),
        (
            'ovh,rack,2026-09-30,nexacloud,,1,"41,50",CAD',
            "costs.csv, line 3, column amount: '41,50' is not a plain decimal number",
        ),
        (
            "ovh,rack,2026-09-30,nexacloud,,NaN,41.50,CAD",
            "costs.csv, line 3, column quantity: 'NaN' is not a plain decimal number",
        ),
        (
            "ovh,rack,2026-09-30,nexacloud,,1,41.50,cad",
            "costs.csv, line 3, column currency: 'cad' is not an ISO 4217 code such as USD",
        ),
        (
            "ovh,rack,2026-09-30,Nexa Cloud,,1,41.50,CAD",
            "costs.csv, line 3, column service_code: 'Nexa Cloud' is not a service code such as"
            " nexacloud",
        ),
        (
            "ovh,rack,2026-09-30,,acct_1,1,41.50,CAD",
            "costs.csv, line 3, column service_code: '' is empty: an account is one of a service",
        ),
        (
            f"ovh,{'x' * 2000},2026-09-30,nexacloud,,1,41.50,CAD",
            f"costs.csv, line 3, column sku: '{'x' * 2000}' is too long, with provider and account",
        ),
        (
            ",rack,2026-09-30,nexacloud,,1,41.50,CAD",
            "costs.csv, line 3, column provider: '' is empty",
        ),
        (
            "ovh,rack,2026-09-30,nexacloud,,1,41.50,ZZZ",
            "costs.csv, line 3, column currency: 'ZZZ' is not an ISO 4217 code such as USD",
        ),
        (
            "ovh,rack,2026-09-30,nexacluod,,1,41.50,CAD",
            "costs.csv, line 3, column service_code: there is no service 'nexacluod'. Known:"
            " nexacloud, nexadesk, nexamaps; `fusion-billing service add` makes one",
        ),
        (
            f"ovh,rack,2026-09-30,nexacloud,,1,{'9' * 140_001},CAD",
            "costs.csv, line 3, column amount: has more than 15 digits before the point, or 20"
            " after it",
        ),
        (
            "ovh,rack,2026-09-30,nexacloud,,0.123456789012345678901,41.50,CAD",
            "costs.csv, line 3, column quantity: has more than 15 digits before the point, or 20"
            " after it",
        ),
        (
            ROWS[0],
            "costs.csv, line 3: the same provider, sku, day, service and account as costs.csv,"
            " line 2",
        ),
    ],
)
def test_a_bad_row_is_named_and_nothing_is_loaded(
    engine: Engine, tmp_path: Path, line: str, complaint: str
) -> None:
    with pytest.raises(CostFileError) as caught:
        load_costs(engine, _csv(tmp_path, ROWS[0], line, ROWS[1]))

    assert str(caught.value) == complaint
    assert _stored(engine) == []


@pytest.mark.parametrize("day", ["2206-09-01", "1926-09-01"])
def test_a_day_that_nobody_can_know_of_is_refused(day: str, engine: Engine, tmp_path: Path) -> None:
    wrong = ROWS[1].replace("2026-09-01", day)
    with pytest.raises(
        CostFileError, match=rf"^costs\.csv, line 3, column day: '{day}' is not between 1970-01-01"
    ):
        load_costs(engine, _csv(tmp_path, ROWS[0], wrong))
    assert _stored(engine) == []


def test_a_name_of_a_column_that_is_too_long(engine: Engine, tmp_path: Path) -> None:
    path = tmp_path / "costs.csv"
    path.write_text(f"{HEADER},{'x' * 140_001}\n", encoding="utf-8")
    with pytest.raises(CostFileError, match=r"^costs\.csv, line 1: field larger than"):
        load_costs(engine, path)


def test_a_row_with_too_few_columns_is_named(engine: Engine, tmp_path: Path) -> None:
    with pytest.raises(CostFileError, match=r"^costs\.csv: line 3: Expected Number of Columns: 8"):
        load_costs(engine, _csv(tmp_path, ROWS[0], "ovh,rack,2026-09-30", ROWS[1]))
    assert _stored(engine) == []


def test_a_blank_line_does_not_shift_the_line_number(engine: Engine, tmp_path: Path) -> None:
    with pytest.raises(CostFileError, match=r"^costs\.csv, line 4, column day"):
        load_costs(engine, _csv(tmp_path, ROWS[0], "", ROWS[1].replace("2026-09-01", "soon")))


def test_a_file_that_holds_no_costs(engine: Engine, tmp_path: Path) -> None:
    other = tmp_path / "members.csv"
    other.write_text("name,email\nAda,ada@example.org\n", encoding="utf-8")
    with pytest.raises(CostFileError, match=r"^members\.csv: no column provider, sku, day"):
        load_costs(engine, other)
    with pytest.raises(CostFileError, match=r"^costs\.xlsx: neither \.csv nor \.parquet$"):
        load_costs(engine, tmp_path / "costs.xlsx")
    with pytest.raises(CostFileError, match=r"^gone\.csv: no such file$"):
        load_costs(engine, tmp_path / "gone.csv")
    broken = tmp_path / "broken.parquet"
    broken.write_bytes(b"not parquet at all")
    with pytest.raises(CostFileError, match=r"^broken\.parquet: [^\n]+$"):
        load_costs(engine, broken)
    assert _stored(engine) == []
