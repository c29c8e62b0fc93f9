"""Drivers of shared costs: a file that is reviewed, the table it becomes, what has no driver."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from ingest.costs.drivers import (
    Driver,
    DriverChange,
    NoMetricsError,
    ShownDriver,
    apply_drivers,
    metrics,
    read_drivers,
    show_drivers,
)
from warehouse.reviewed_files import ReviewedFileError
from warehouse.tables import ODOO_TABLES, cost_driver, provider_cost

METRICS = ("agents", "compute_hours", "messages")
OPENAI = Driver("openai", "*", "messages")
RACK = Driver("ovh", "rack", "compute_hours")


@pytest.fixture(autouse=True)
def _empty(engine: Engine) -> None:
    with engine.begin() as connection:
        for table in (cost_driver, provider_cost, ODOO_TABLES["metric"]):
            connection.execute(sa.delete(table))


def write(folder: Path, text: str) -> Path:
    path = folder / "drivers.yml"
    path.write_text(text, encoding="utf-8")
    return path


def problems(folder: Path, text: str) -> list[str]:
    with pytest.raises(ReviewedFileError) as caught:
        read_drivers(write(folder, text), METRICS)
    return [str(problem) for problem in caught.value.problems]


def test_a_file_of_drivers_is_read(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "# Who uses it, pays for it.\n"
        "drivers:\n"
        '  - {provider: openai, sku: "*", metric: messages}\n'
        "  - provider: ovh\n"
        "    sku: rack\n"
        "    metric: compute_hours\n",
    )
    assert read_drivers(path, METRICS) == (OPENAI, RACK)
    assert read_drivers(write(tmp_path, "drivers: []\n"), METRICS) == ()


def test_every_problem_is_named_with_file_line_and_field(tmp_path: Path) -> None:
    found = problems(
        tmp_path,
        "drivers:\n"
        "  - provider: openai\n"
        "    sku: gpt\n"
        "    metric: token\n"
        '  - {provider: "", sku: gpt, metric: messages, price: 1}\n'
        "  - {provider: ovh, metric: agents}\n"
        "  - {provider: openai, sku: gpt, metric: messages}\n"
        "driver: []\n",
    )
    assert found == [
        "drivers.yml:4: drivers[1].metric: 'token' is not one of agents, compute_hours, messages",
        "drivers.yml:5: drivers[2].price: is not known here; allowed: metric, provider, sku",
        "drivers.yml:5: drivers[2].provider: is empty",
        "drivers.yml:6: drivers[3].sku: is missing",
        "drivers.yml:7: drivers[4].sku: openai 'gpt' comes twice",
        "drivers.yml:8: driver: is not known here; allowed: drivers",
    ]


def test_a_file_without_drivers_takes_none_out(tmp_path: Path) -> None:
    """An empty list does; a file that lost its list, or holds another, is refused."""
    missing = (
        "drivers.yml:1: drivers: is missing: a list of provider, sku and metric, or [] for none"
    )
    assert problems(tmp_path, "{}\n") == [missing]
    assert problems(tmp_path, "") == ["drivers.yml:1: YAML: the file is empty; it holds `drivers`"]
    assert problems(tmp_path, "drivers: openai\n") == ["drivers.yml:1: drivers: must be a list"]
    assert problems(tmp_path, "drivers: [\n")[0].startswith("drivers.yml:2: YAML: ")


def test_a_file_that_nests_without_end_is_a_problem(tmp_path: Path) -> None:
    assert problems(tmp_path, "drivers: " + "[" * 3000) == [
        "drivers.yml:1: YAML: nests more deeply than any such file; it holds `drivers`"
    ]


def test_only_what_is_used_on_a_day_can_drive(engine: Engine) -> None:
    """A level that is carried on from day to day says nothing of the day."""
    records = [
        {"x_code": "messages", "x_aggregation": "sum", "x_recurring": False},
        {"x_code": "agents", "x_aggregation": "unique"},
        {"x_code": "seats", "x_aggregation": "sum", "x_recurring": True},
        {"x_code": "ram", "x_aggregation": "weighted_sum", "x_recurring": False},
    ]
    with pytest.raises(NoMetricsError, match="odoo mirror"):
        metrics(engine)
    with engine.begin() as connection:
        for number, record in enumerate(records, start=1):
            connection.execute(
                sa.text(
                    "insert into raw.odoo_metric (id, write_date, record)"
                    " values (:id, '2026-09-01T00:00Z', cast(:record as jsonb))"
                ),
                {"id": number, "record": json.dumps(record)},
            )
    assert metrics(engine) == ["agents", "messages"]


def test_the_file_is_the_whole_truth(engine: Engine) -> None:
    first = apply_drivers(engine, [OPENAI, RACK])
    assert first == [
        DriverChange("add", "openai", "*", "messages", None),
        DriverChange("add", "ovh", "rack", "compute_hours", None),
    ]
    wanted = [Driver("openai", "*", "agents"), Driver("openai", "gpt", "messages")]
    changes = [
        DriverChange("change", "openai", "*", "agents", "messages"),
        DriverChange("add", "openai", "gpt", "messages", None),
        DriverChange("remove", "ovh", "rack", None, "compute_hours"),
    ]
    assert apply_drivers(engine, wanted, dry_run=True) == changes
    assert apply_drivers(engine, [OPENAI, RACK]) == []
    assert apply_drivers(engine, wanted) == changes
    assert apply_drivers(engine, wanted) == []


def test_what_has_no_driver_is_shown_first(engine: Engine) -> None:
    apply_drivers(engine, [OPENAI, Driver("openai", "gpt", "agents"), Driver("aws", "*", "agents")])
    costs = [
        ("openai", "gpt", 1, None), ("openai", "gpt", 2, None), ("openai", "image", 3, None),
        ("openai", "speech", 4, None), ("ovh", "rack", 5, None), ("ovh", "vm", 6, "acct_1"),
    ]  # fmt: skip
    with engine.begin() as connection:
        for provider, sku, day, account in costs:
            connection.execute(
                sa.insert(provider_cost).values(
                    source="odoo", cost_key=f"{provider}{sku}{day}", provider=provider, sku=sku,
                    day=date(2026, 9, day), service_code="nexadesk", external_account_id=account,
                    quantity=1, amount=1, currency="CAD", file="x",
                )
            )  # fmt: skip
    assert show_drivers(engine) == [
        ShownDriver("ovh", "rack", None, 1, date(2026, 9, 5)),
        ShownDriver("aws", "*", "agents", 0, None),
        ShownDriver("openai", "*", "messages", 2, date(2026, 9, 4)),
        ShownDriver("openai", "gpt", "agents", 2, date(2026, 9, 2)),
    ]
