"""What a proposed catalogue does to the rated lines, by the real models, beside the live ones.

dbt builds twice into schemas of its own: once with the catalogue that Odoo has now, once with the
proposed one. Both read the same counters, subscriptions and periods; nothing that is live is
touched, and the schemas are dropped at the end.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from exports.catalogue.applying import odoo_values
from exports.catalogue.changes import Proposal
from exports.catalogue.model import CHARGE_FIELDS, TIER_FIELDS, Current, Form, Version
from warehouse.dbt_project import run_dbt
from warehouse.locks import session_lock
from warehouse.settings import Settings
from warehouse.tables import ODOO_TABLES

PREFIX = "proposal_"
RAW = f"{PREFIX}raw"
SCHEMAS = (RAW, *(f"{PREFIX}{name}" for name in ("marts", "intermediate", "staging")))
CATALOGUE_TABLES = ("odoo_metric", "odoo_charge", "odoo_charge_tier")
Records = dict[str, list[dict[str, Any]]]


class EffectBusyError(Exception):
    """Another dry run is at work on this warehouse."""


@dataclass(frozen=True)
class Effect:
    """Rated lines before and after of one charge in one sort of period: `open` ones have not
    ended, `ended` ones have, and what changes there becomes corrections. Amounts in major units."""

    periods: str
    charge_key: str
    lines_before: int
    lines_after: int
    amount_before: Decimal
    amount_after: Decimal


@dataclass(frozen=True)
class Total:
    """The same over all charges, changed or not."""

    periods: str
    lines_before: int
    lines_after: int
    amount_before: Decimal
    amount_after: Decimal


@dataclass(frozen=True)
class Effects:
    totals: Sequence[Total]
    charges: Sequence[Effect]


Rated = Mapping[tuple[str, str], tuple[int, Decimal]]


def effects(
    engine: Engine,
    settings: Settings,
    *,
    database_url: str,
    current: Current,
    proposal: Proposal,
    today: date,
) -> Effects:
    """Totals of open and ended periods, and the charges whose lines differ.

    Raises EffectBusyError, or DbtBuildError when the models refuse one of the two catalogues.
    """
    with session_lock(engine, "catalogue:dry_run") as taken:
        if not taken:
            raise EffectBusyError("Another dry run of a catalogue is at work: let it finish.")
        before = _rated(engine, settings, database_url, _records_now(current), today)
        after = _rated(engine, settings, database_url, _records_then(current, proposal), today)
    return _compared(before, after)


def _compared(before: Rated, after: Rated) -> Effects:
    nothing = (0, Decimal(0))
    totals = []
    for periods in ("open", "ended"):
        was, will = (
            [rated[key] for key in rated if key[0] == periods] for rated in (before, after)
        )
        totals.append(
            Total(
                periods,
                lines_before=sum(lines for lines, _amount in was),
                lines_after=sum(lines for lines, _amount in will),
                amount_before=sum((amount for _lines, amount in was), Decimal(0)),
                amount_after=sum((amount for _lines, amount in will), Decimal(0)),
            )
        )
    charges = [
        Effect(periods, charge_key, old[0], new[0], old[1], new[1])
        for periods, charge_key in sorted({*before, *after}, reverse=True)
        for old in [before.get((periods, charge_key), nothing)]
        for new in [after.get((periods, charge_key), nothing)]
        if old != new
    ]
    return Effects(totals, charges)


def _rated(
    engine: Engine, settings: Settings, database_url: str, records: Records, today: date
) -> Rated:
    home = settings.fusion_home / "proposal"
    with _schemas(engine, records):
        run_dbt(
            database_url,
            settings,
            "run",
            "--full-refresh",
            "--select",
            "+fct_rated_lines",
            changes={
                "FUSION_SCHEMA_PREFIX": PREFIX,
                "FUSION_RAW_SCHEMA": RAW,
                "DBT_TARGET_PATH": str(home / "target"),
                "DBT_LOG_PATH": str(home / "logs"),
            },
        )
        with engine.connect() as connection:
            rows = connection.execute(
                sa.text(f"""
                    select
                        case when period_end > :today then 'open' else 'ended' end as periods,
                        charge_key, count(*) as lines, sum(amount) as amount
                    from {PREFIX}marts.fct_rated_lines
                    group by 1, 2
                """),  # noqa: S608 -- a constant of this module
                {"today": today},
            ).all()
    return {(row.periods, row.charge_key): (row.lines, row.amount) for row in rows}


@contextmanager
def _schemas(engine: Engine, records: Records) -> Iterator[None]:
    """raw as it is, but for the catalogue's tables."""
    _drop(engine)
    try:
        with engine.begin() as connection:
            connection.execute(sa.text(f"create schema {RAW}"))
            tables = sa.inspect(connection).get_table_names(schema="raw")
            for table in sorted(set(tables) - set(CATALOGUE_TABLES)):
                connection.execute(
                    sa.text(f"create view {RAW}.{table} as select * from raw.{table}")  # noqa: S608
                )
            for name in ("metric", "charge", "charge_tier"):
                _land(connection, name, records[name])
        yield
    finally:
        _drop(engine)


def _land(connection: Connection, name: str, records: Sequence[Mapping[str, Any]]) -> None:
    table = ODOO_TABLES[name].to_metadata(sa.MetaData(), schema=RAW)
    table.create(connection)
    for record in records:
        connection.execute(
            sa.insert(table).values(
                id=record["id"], write_date=sa.func.clock_timestamp(), record=record
            )
        )


def _drop(engine: Engine) -> None:
    with engine.begin() as connection:
        for schema in SCHEMAS:
            connection.execute(sa.text(f"drop schema if exists {schema} cascade"))


def _records_now(current: Current) -> Records:
    metrics = {code: (number, form) for code, (number, form) in current.metrics.items()}
    return _records(metrics, current.versions, current.products)


def _records_then(current: Current, proposal: Proposal) -> Records:
    """As Odoo would hold it after applying; what is new gets the next numbers."""
    metrics = dict(current.metrics)
    last = max((number for number, _form in metrics.values()), default=0)
    for position, (number, form) in enumerate(proposal.metrics, start=1):
        metrics[str(form["x_code"])] = (number or last + position, form)
    last = max((version.number or 0 for version in proposal.versions), default=0)
    versions = [
        version if version.number else replace(version, number=last + position)
        for position, version in enumerate(proposal.versions, start=1)
    ]
    return _records(metrics, versions, current.products)


def _records(
    metrics: Mapping[str, tuple[int, Form]],
    versions: Sequence[Version],
    products: Mapping[str, int],
) -> Records:
    numbers = {code: number for code, (number, _form) in metrics.items()}
    tiers = [
        {"x_charge_id": version.number, **dict(zip(TIER_FIELDS, tier, strict=True))}
        for version in versions
        for tier in version.tiers
    ]
    return {
        "metric": [{"id": number, **odoo_values(form)} for number, form in metrics.values()],
        "charge": [
            {
                "id": version.number,
                **odoo_values({name: version.form[name] for name in CHARGE_FIELDS}),
                "x_metric_id": numbers.get(version.metric_code or "", False),
                "x_product_id": products.get(version.product_code or "", False),
                "x_valid_from": str(version.valid_from) if version.valid_from else False,
                "x_valid_to": str(version.valid_to) if version.valid_to else False,
            }
            for version in versions
        ],
        "charge_tier": [{"id": position, **tier} for position, tier in enumerate(tiers, start=1)],
    }
