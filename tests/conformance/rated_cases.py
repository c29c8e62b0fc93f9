"""Cases through the real path: raw rows of mirror and endpoint, one dbt build, the marts."""

from __future__ import annotations

import json
import os
import subprocess
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import dict_row
from raw_records import CODE, CURRENCY, SERVICE, land, name_of, records_of
from readings import Reading
from trials import Case

from warehouse.dbt_project import dbt_environment, dbt_executable, dbt_target
from warehouse.settings import Settings

# The rated lines and all they come from; and what the endpoint reads of customers and prices.
_MODELS = ("+fct_rated_lines", "+dim_account", "+dim_charge", "+dim_metric", "+dim_subscription")
# Without dbt's own tests: one odd vector among many must not hold back all others.
RATE = ("run", "--select", *_MODELS)
RATE_AND_TEST = ("build", "--select", "+tag:rating", "--exclude-resource-type", "unit_test")


class BuildError(Exception):
    """dbt did not finish; its first words on why."""


def settings(folder: Path) -> Settings:
    """Periods in UTC, as Lago's vectors have them; everything that is written goes to `folder`."""
    return Settings(
        _env_file=None,  # type: ignore[call-arg]  # pydantic-settings' own argument
        fusion_home=folder,
        company_timezone="UTC",
        company_currency=CURRENCY,
    )


def rate(
    database_url: str,
    folder: Path,
    cases: Sequence[Case],
    customers: Iterable[tuple[str, str]] = (),
    command: Sequence[str] = RATE,
) -> list[Reading]:
    """Rates all cases together in a fresh, migrated database. `customers` are account links
    (service, external id) to make besides. Raises BuildError where dbt does not finish, or where a
    test that the command runs does not hold."""
    try:
        records = records_of(cases, customers)
        with psycopg.connect(database_url) as connection:
            connection.execute(
                "insert into ops.service (service_code, name) values (%s, 'Conformance')",
                [SERVICE],
            )
            land(connection, records)
    except (psycopg.DataError, psycopg.OperationalError, OverflowError) as error:
        raise BuildError(f"it cannot be stored: {error}") from error
    _build(database_url, folder, command)
    return _readings(database_url, cases)


def _build(database_url: str, folder: Path, command: Sequence[str]) -> None:
    chosen = settings(folder)
    finished = subprocess.run(
        [dbt_executable(), *command],
        env={**os.environ, **dbt_environment(database_url, chosen)},
        capture_output=True,
        text=True,
        check=False,
    )
    if finished.returncode == 0:
        return
    results = dbt_target(chosen) / "run_results.json"
    failed = (
        [
            f"{result['unique_id'].split('.')[2]}: {' '.join(str(result['message']).split())}"
            for result in json.loads(results.read_text())["results"]
            if result["status"] in ("error", "fail")
        ]
        if results.exists()
        else []
    )
    raise BuildError("; ".join(failed) or finished.stdout[-500:])


def _readings(database_url: str, cases: Sequence[Case]) -> list[Reading]:
    with psycopg.connect(database_url, row_factory=dict_row) as connection:
        usage = _by_subscription(connection, "intermediate.int_charge_usage")
        lines = _by_subscription(connection, "marts.fct_rated_lines")
    return [
        Reading(
            plan=name_of(place),
            charge_key=f"{name_of(place)}/{CODE}",
            period_start=case.period_start,
            all_usage=usage[f"{SERVICE}:{name_of(place)}"],
            all_lines=lines[f"{SERVICE}:{name_of(place)}"],
        )
        for place, case in enumerate(cases)
    ]


def _by_subscription(
    connection: psycopg.Connection[dict[str, Any]], table: str
) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in connection.execute(f"select * from {table}"):
        found[row["subscription_key"]].append(row)
    return found
