"""Provider costs through the command: read from Odoo, and shared out by the drivers of a file."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest
from command_line import fusion_billing
from cost_model import OWN_FIELDS, make_model

from odoo_gateway.connect import connect

DRIVERS = """\
drivers:
  - {provider: openai, sku: "*", metric: messages}
"""


@pytest.fixture(scope="module")
def costs_env(env: dict[str, str], odoo_url: str, database_url: str) -> dict[str, str]:
    """An Odoo with one cost in a model that has no accounts, and a mirror with one metric."""
    client = connect(odoo_url, "odoo", "admin", "admin")
    fields = {name: field for name, field in OWN_FIELDS.items() if name != "x_external_account_id"}
    make_model(client, "x_daily_cost", fields)
    values = {
        "x_provider": "openai", "x_sku": "gpt", "x_day": "2026-09-01", "x_currency": "USD",
        "x_service_code": "nexadesk", "x_quantity": 1000, "x_amount": 0.4,
    }  # fmt: skip
    client.create("x_daily_cost", [values])
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "insert into raw.odoo_metric (id, write_date, record) values (1, '2026-09-01T00:00Z',"
            """ '{"x_code": "messages", "x_aggregation": "sum", "x_recurring": false}')"""
        )
    return {
        **env,
        "ODOO_URL": odoo_url,
        "ODOO_API_KEY": "admin",
        "FUSION_API_MODEL": "x_daily_cost",
        "FUSION_API_FIELDS": "external_account_id=",
    }


def test_costs_are_mirrored_and_shared_out_by_a_file(
    costs_env: dict[str, str], tmp_path: Path
) -> None:
    def ask(*words: str) -> object:
        finished = fusion_billing("costs", *words, "--format", "json", env=costs_env)
        assert (finished.status, finished.stderr) == (0, ""), finished
        return finished.json()

    mirrored = {"read": 1, "new": 1, "unchanged": 0, "changed": 0, "deleted": 0, "since": None}
    assert ask("mirror") == mirrored
    undriven = {"provider": "openai", "sku": "gpt", "metric_code": None, "costs": 1,
                "last_day": "2026-09-01"}  # fmt: skip
    assert ask("drivers", "show") == [undriven]
    file = tmp_path / "drivers.yml"
    file.write_text(DRIVERS)
    change = {"change": "add", "provider": "openai", "sku": "*", "metric_code": "messages",
              "before": None}  # fmt: skip
    assert ask("drivers", "apply", str(file), "--dry-run") == {
        "applied": False,
        "changes": [change],
    }
    assert ask("drivers", "show") == [undriven]
    assert ask("drivers", "apply", str(file)) == {"applied": True, "changes": [change]}
    assert ask("drivers", "apply", str(file)) == {"applied": True, "changes": []}
    assert ask("drivers", "show") == [undriven | {"sku": "*", "metric_code": "messages"}]


def test_every_problem_of_a_file_is_a_line(costs_env: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "drivers.yml"
    file.write_text(DRIVERS.replace("messages", "words") + "prices: []\n")
    finished = fusion_billing("costs", "drivers", "apply", str(file), env=costs_env)
    assert (finished.status, finished.stdout) == (2, "")
    assert finished.stderr.splitlines() == [
        "drivers.yml:2: drivers[1].metric: 'words' is not one of messages",
        "drivers.yml:3: prices: is not known here; allowed: drivers",
    ]


def test_a_file_that_is_away_is_named_with_the_next_step(
    env: dict[str, str], tmp_path: Path
) -> None:
    file = tmp_path / "drivers.yml"
    apply = ("costs", "drivers", "apply", str(file))
    away = fusion_billing(*apply, env=env)
    assert (away.status, away.stdout) == (2, "")
    assert "does not exist. See `fusion-billing costs drivers apply --help`." in away.stderr
