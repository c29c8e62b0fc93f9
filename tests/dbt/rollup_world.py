"""Counters, batches, metrics, charges and runs, written as the endpoint, the mirror and the billing
run write them, and the roll-ups that dbt makes of them."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import psycopg
from dbt.artifacts.schemas.run import RunExecutionResult
from dbt.cli.main import dbtRunner
from dbt.contracts.graph.manifest import Manifest
from psycopg.rows import dict_row

from warehouse.dbt_project import dbt_environment
from warehouse.settings import Settings

ROLLUPS = ("int_usage_daily", "int_usage_events")

COUNTER = """
insert into raw.usage_counter (
    service_code, external_subscription_id, transaction_id, batch_id, code, kind, window_start,
    window_end, value, revision, properties, precise_total_amount_cents, payload_hash, received_at
) values (
    %(service_code)s, %(external_subscription_id)s, %(transaction_id)s, %(batch_id)s, %(code)s,
    %(kind)s, %(window_start)s, %(window_end)s, %(value)s, %(revision)s, %(properties)s,
    %(cents)s, '\\x00', %(window_end)s::timestamptz + interval '5 min'
)
"""

Row = dict[str, Any]


def counter(code: str, key: str, hour: str, value: object = None, **other: Any) -> Row:
    """A counter of one hour that begins at `hour` (UTC, `2026-09-03T14`), by default a delta."""
    day, _, clock = hour.partition("T")
    return {
        "service_code": "nexadesk",
        "external_subscription_id": "s1",
        "transaction_id": key,
        "code": code,
        "kind": "delta",
        "window_start": f"{day}T{clock}:00Z",
        "window_end": f"{day}T{clock}:59:59Z",
        "value": value,
        "revision": 0,
        "properties": {},
        "cents": None,
        **other,
    }


@dataclass
class RollupWorld:
    """One warehouse; every write commits at once unless it says otherwise."""

    database_url: str
    folder: Path
    connection: psycopg.Connection[Row] = field(init=False)
    manifest: Manifest | None = None

    def __post_init__(self) -> None:
        self.connection = self.connect()
        self.connection.autocommit = True

    def connect(self) -> psycopg.Connection[Row]:
        return psycopg.connect(self.database_url, row_factory=dict_row)

    def land(self, *counters: Row, on: psycopg.Connection[Row] | None = None) -> int:
        """Stores counters as one committed request, in one transaction; the batch's id."""
        connection = on or self.connection
        with connection.transaction():
            batch = connection.execute(
                "insert into raw.ingest_batch (service_code, counters) values ('nexadesk', %s)"
                " returning batch_id",
                (len(counters),),
            ).fetchone()
            assert batch is not None
            for each in counters:
                stored = {**each, "properties": json.dumps(each["properties"])}
                connection.execute(COUNTER, {**stored, "batch_id": batch["batch_id"]})
        return int(batch["batch_id"])

    def metric(self, number: int, code: str, aggregation: str, field_name: str = "value") -> None:
        self._mirror(
            "odoo_metric",
            number,
            {
                "x_code": code,
                "x_name": code,
                "x_aggregation": aggregation,
                "x_field_name": field_name,
            },
        )

    def charge(self, number: int, metric_number: int, **fields: Any) -> None:
        """A charge of the metric; `fields` as Odoo calls them."""
        self._mirror(
            "odoo_charge",
            number,
            {
                "x_code": f"charge_{number}",
                "x_plan_code": "desk",
                "x_metric_id": metric_number,
                "x_charge_model": "standard",
                "x_unit_price": "1",
                "x_currency": "CAD",
                **fields,
            },
        )

    def _mirror(self, table: str, number: int, record: Row) -> None:
        self.connection.execute(
            f"insert into raw.{table} (id, write_date, record) values (%s, '2026-09-01', %s)"
            " on conflict (id) do update set record = excluded.record",
            (number, json.dumps(record)),
        )

    def delete_charge(self, number: int) -> None:
        self.connection.execute("delete from raw.odoo_charge where id = %s", (number,))

    def record_run(self, high_water_xid: int | None = None, service: str | None = None) -> int:
        """A billing run of the newest build, or one that had seen less; its id."""
        run = self.connection.execute(
            """
            insert into ops.billing_run (
                run_date, service_code, build_id, high_water_xid, catalog_sha256, code_version,
                lines, adjustments, amount, lines_sha256
            )
            select '2026-10-02', %(service)s, build_id,
                coalesce(%(high_water)s::text, high_water_xid::text)::xid8, '', '', 0, 0, 0, ''
            from staging.stg_usage__snapshot
            returning run_id
            """,
            {"service": service, "high_water": high_water_xid},
        ).fetchone()
        assert run is not None
        return int(run["run_id"])

    def high_water(self) -> int:
        (row,) = self.rows("select high_water_xid from staging.stg_usage__snapshot")
        return int(row["high_water_xid"])

    def build(self, *arguments: str) -> str | None:
        """Builds the roll-ups and what they read; what dbt says went wrong, or None. In this
        process, and parsed once: a test makes many builds, and starting dbt takes the most time."""
        settings = Settings(fusion_home=self.folder)
        with mock.patch.dict(os.environ, dbt_environment(self.database_url, settings)):
            if self.manifest is None:
                parsed = dbtRunner().invoke(["--quiet", "parse"]).result
                assert isinstance(parsed, Manifest)
                self.manifest = parsed
            done = dbtRunner(self.manifest).invoke(
                ["--quiet", "run", *arguments, "--select", *(f"+{rollup}" for rollup in ROLLUPS)]
            )
        if done.exception is not None:
            raise done.exception
        assert isinstance(done.result, RunExecutionResult)
        said = [str(result.message) for result in done.result.results if result.status == "error"]
        return None if done.success else "; ".join(said)

    def built(self, *arguments: str) -> None:
        assert self.build(*arguments) is None

    def rows(self, query: str, parameters: tuple[object, ...] = ()) -> list[Row]:
        return self.connection.execute(query, parameters).fetchall()

    def days(self, code: str) -> list[tuple[object, ...]]:
        """(day of the month, fate, counters, quantity) of a metric, in that order."""
        found = self.rows(
            "select extract(day from local_day)::int as day, fate, counters::int as counters,"
            " trim_scale(quantity_sum)::text as quantity from intermediate.int_usage_daily"
            " where metric_code = %s order by local_day, fate, arrived_run, dimensions::text",
            (code,),
        )
        return [(row["day"], row["fate"], row["counters"], row["quantity"]) for row in found]

    def contents(self) -> dict[str, list[str]]:
        """Every row of both roll-ups as text, in order."""
        return {
            rollup: [
                row["line"]
                for row in self.rows(
                    "select (to_jsonb(rolled) - 'rolled_up_xid')::text as line"
                    f" from intermediate.{rollup} as rolled order by 1"
                )
            ]
            for rollup in ROLLUPS
        }

    def progress(self, rollup: str) -> int:
        (row,) = self.rows(
            "select high_water_xid::text from ops.rollup_progress where rollup = %s", (rollup,)
        )
        return int(row["high_water_xid"])
