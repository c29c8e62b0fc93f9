"""The drop folder with the files of the demo's world: whatever lies there is loaded once."""

from __future__ import annotations

import shutil
from dataclasses import asdict
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from ingest.app_billing.files import AppBillingFileError
from ingest.costs.files import CostFileError, load_costs
from ingest.drop_folder import load_drop_folder
from ingest.keys import add_service
from sandbox.app_invoices import write_lago_invoices, write_stripe_invoices
from sandbox.provider_costs import write_costs
from sandbox.world import make_world
from warehouse.services import UnknownServiceError
from warehouse.tables import app_billing_line, app_invoice, provider_cost


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """costs/*, lago/<service>/*, stripe/<service>/*, as the apps and fusion_api leave them."""
    world = make_world(date(2026, 11, 21))
    drop = tmp_path_factory.mktemp("drop")
    unsorted = tmp_path_factory.mktemp("unsorted")
    write_costs(world, drop / "costs")
    paths = [("lago", path) for path in write_lago_invoices(world, unsorted)]
    paths += [("stripe", path) for path in write_stripe_invoices(world, unsorted)]
    for source, path in paths:
        service = path.name.split("-")[1]
        (drop / source / service).mkdir(parents=True, exist_ok=True)
        path.rename(drop / source / service / path.name)
    return drop


@pytest.fixture(scope="module", autouse=True)
def _services(engine: Engine) -> None:
    for code in ("nexacloud", "nexadesk", "nexamaps"):
        add_service(engine, code, code)


@pytest.fixture
def drop(files: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(files, tmp_path / "drop"))


def _rows(engine: Engine) -> list[list[object]]:
    with engine.connect() as connection:
        return [
            [
                tuple(row)
                for row in connection.execute(sa.select(table).order_by(*table.primary_key))
            ]
            for table in (provider_cost, app_billing_line, app_invoice)
        ]


def test_a_folder_loads_once_however_often(engine: Engine, drop: Path) -> None:
    first = load_drop_folder(engine, drop)
    # The CSV and the Parquet file hold the same rows: the second finds them there.
    assert first.costs["files"] == 2
    assert first.costs["new"] > 1000
    assert first.costs["changed"] == 0
    assert first.app_billing["lines"] > 500
    assert first.app_billing["changed"] == 0
    assert first.app_billing["problems"] == []
    costs, lines, documents = before = _rows(engine)
    assert (len(costs), len(lines)) == (first.costs["new"], first.app_billing["lines"])
    assert len(documents) == first.app_billing["new"]

    with engine.connect() as connection:
        services = connection.execute(
            sa.text("select distinct source, service_code from raw.app_billing_line order by 1, 2")
        ).all()
    assert [tuple(row) for row in services] == [
        ("lago", "nexadesk"),
        ("lago", "nexamaps"),
        ("stripe", "nexacloud"),
    ]

    second = load_drop_folder(engine, drop)
    assert second.costs == {"files": 2, "unchanged_files": 2, "new": 0, "changed": 0}
    assert asdict(second)["app_billing"] == {
        "new": 0,
        "unchanged": first.app_billing["new"],
        "changed": 0,
        "lines": 0,
        "problems": [],
    }
    assert _rows(engine) == before


def test_a_corrected_file_replaces_what_it_says(engine: Engine, drop: Path) -> None:
    load_drop_folder(engine, drop)
    (drop / "costs" / "provider-costs.parquet").unlink()
    path = drop / "costs" / "provider-costs.csv"
    head, first, *rest = path.read_text().splitlines(keepends=True)
    *values, _amount, currency = first.rstrip("\n").split(",")
    path.write_text("".join([head, ",".join([*values, "0.0023", currency]) + "\n", *rest]))
    report = load_drop_folder(engine, drop)
    assert report.costs == {"files": 1, "unchanged_files": 0, "new": 0, "changed": 1}


def _cost_file(folder: Path, name: str, amount: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(
        "provider,sku,day,service_code,external_account_id,quantity,amount,currency\n"
        f"ovh,once,2026-09-01,,,1,{amount},CAD\n"
    )
    return path


def _amount(engine: Engine) -> Decimal:
    with engine.connect() as connection:
        amount: Decimal = connection.execute(
            sa.select(provider_cost.c.amount).where(provider_cost.c.sku == "once")
        ).scalar_one()
    return amount


def test_a_file_that_stays_there_undoes_no_correction(engine: Engine, tmp_path: Path) -> None:
    drop = tmp_path / "drop"
    old = _cost_file(drop / "costs", "z-first.csv", "10")
    load_drop_folder(engine, drop)
    load_costs(engine, _cost_file(tmp_path, "fix.csv", "11"))
    report = load_drop_folder(engine, drop)
    assert report.costs == {"files": 1, "unchanged_files": 1, "new": 0, "changed": 0}
    assert _amount(engine) == 11
    # Dropped later, it counts, though its name comes first; by hand a file always loads.
    _cost_file(drop / "costs", "a-later.csv", "12")
    for _ in range(2):
        load_drop_folder(engine, drop)
        assert _amount(engine) == 12
    assert load_costs(engine, old).changed == 1
    assert _amount(engine) == 10


def test_a_file_that_was_refused_is_no_file_that_was_loaded(engine: Engine, tmp_path: Path) -> None:
    _cost_file(tmp_path / "costs", "refused.csv", "ten")
    for _ in range(2):
        with pytest.raises(CostFileError, match="line 2, column amount"):
            load_drop_folder(engine, tmp_path)


def test_a_folder_that_is_missing_or_empty_is_no_error(engine: Engine, tmp_path: Path) -> None:
    for folder in ("costs", "lago", "stripe/nexacloud"):
        (tmp_path / "half" / folder).mkdir(parents=True)
    for drop in (tmp_path / "none", tmp_path / "half"):
        report = load_drop_folder(engine, drop)
        assert report.costs == {"files": 0, "unchanged_files": 0, "new": 0, "changed": 0}
        nothing = dict.fromkeys(("new", "unchanged", "changed", "lines"), 0)
        assert report.app_billing == {**nothing, "problems": []}


def test_hidden_files_are_not_looked_at(engine: Engine, drop: Path) -> None:
    """What a file manager or git leaves, or an upload that is still under way."""
    for name in ("costs/.DS_Store", "lago/nexadesk/.gitkeep", "costs/.provider-costs.csv.part"):
        (drop / name).write_bytes(b"\0\1")
    assert load_drop_folder(engine, drop).costs["files"] == 2


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("costs/notes.txt", CostFileError),
        ("costs/broken.csv", CostFileError),
        ("lago/nexadesk/notes.json", AppBillingFileError),
        ("stripe/nexacloud/lago.json", AppBillingFileError),
    ],
)
def test_a_file_of_another_kind_is_named(
    engine: Engine, drop: Path, name: str, error: type[Exception]
) -> None:
    content = '{"hello": 1}' if name.endswith(".json") else "hello\n1\n"
    (drop / name).write_text(content)
    with pytest.raises(error, match=Path(name).name.replace(".", r"\.")):
        load_drop_folder(engine, drop)


def test_a_folder_of_no_service_is_named(engine: Engine, drop: Path) -> None:
    (drop / "lago" / "nexadesk").rename(drop / "lago" / "nexadesc")
    with pytest.raises(UnknownServiceError, match=r"'nexadesc'\. Known: nexacloud, nexadesk, "):
        load_drop_folder(engine, drop)
