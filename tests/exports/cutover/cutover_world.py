"""A service with months that agree, to take from them what a gate needs."""

from __future__ import annotations

import datetime as dt
from typing import Any

import sqlalchemy as sa
from marts import Row, insert, start_afresh
from sqlalchemy.engine import Engine

from exports.cutover.moving import advance, back, status
from ingest.keys import add_service
from warehouse.settings import Settings
from warehouse.tables import billed_line, billing_run, odoo_push

TODAY = dt.date(2025, 11, 20)
AUGUST, SEPTEMBER, OCTOBER, DECEMBER = (dt.date(2025, month, 1) for month in (8, 9, 10, 12))
CLOUD = "nexacloud"
TABLES = """
create table marts.rpt_parity (
    service_code text, month date, phase text, phase_since date, lines bigint, compared bigint,
    matched bigint, explained bigint, unexplained bigint, not_compared bigint,
    base_fees_in_shadow bigint, unexplained_cents bigint, by_reason jsonb);
create table marts.fct_usage_conservation (
    service_code text, metric_code text, month date, bucket text, counters bigint,
    quantity numeric, counters_difference bigint, quantity_difference numeric);
create table marts.fct_billed_lines (line_key text);
create table intermediate.int_subscription_periods (
    subscription_key text, service_code text, period_start date, period_end date, plan_code text);
create table intermediate.int_period_closings (
    subscription_key text, period_start date, closed_by_run bigint);
create view staging.stg_app_billing__invoices as select version, loaded_at from raw.app_invoice;
create table marts.rpt_finance_build (
    rating_build_id text, app_documents bigint, app_document_versions bigint,
    app_documents_loaded_at timestamptz, cost_drivers_md5 text, odoo_read_at timestamptz);
insert into marts.rpt_rating_build (build_id) values ('rating');
"""
# As rpt_finance_build says it of what there is at first.
BUILT = """
insert into marts.rpt_finance_build
values ('rating', 0, 0, '-infinity', md5(''), '-infinity')
"""


class Cutover:
    """NexaCloud with September and October in `phase`: ten lines a month, all of them matched."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.settings = Settings(_env_file=None)
        start_afresh(engine)
        add_service(engine, CLOUD, "NexaCloud")
        with engine.begin() as connection:
            emptied = "raw.usage_counter, raw.app_invoice, ops.odoo_mirror, ops.cost_driver"
            connection.execute(sa.text(f"truncate {emptied} cascade"))
            connection.execute(sa.text(TABLES))
            connection.execute(sa.text(BUILT))

    def run(self, statement: str, **values: object) -> None:
        with self.engine.begin() as connection:
            connection.execute(sa.text(statement), values)

    def agree(self, phase: str, *months: dt.date, since: dt.date | None = None) -> None:
        for month in months or (SEPTEMBER, OCTOBER):
            with self.engine.begin() as connection:
                parity = {"lines": 10, "compared": 10, "matched": 9, "explained": 1}
                none_of = ("unexplained", "not_compared", "unexplained_cents")
                nothing = dict.fromkeys((*none_of, "base_fees_in_shadow"), 0)
                where = {"service_code": CLOUD, "month": month}
                stay = {"phase": phase, "phase_since": since, "by_reason": '{"price": 1}'}
                insert(connection, "marts.rpt_parity", [{**where, **stay, **parity, **nothing}])
                usage = {"metric_code": "hours", "bucket": "billed", "counters": 30}
                zero = {"quantity": 30, "counters_difference": 0, "quantity_difference": 0}
                insert(connection, "marts.fct_usage_conservation", [{**where, **usage, **zero}])

    def bill(self, *lines: Row, state: str | None = None, order: int = 100) -> None:
        """Ledger lines, in the marts too, and what became of them in Odoo."""
        with self.engine.begin() as connection:
            run_id = connection.execute(
                sa.insert(billing_run).returning(billing_run.c.run_id),
                {"run_date": OCTOBER, "build_id": "b", "high_water_xid": "1", "lines": 1,
                 "catalog_sha256": "", "code_version": "", "adjustments": 0, "amount": 0,
                 "lines_sha256": ""},
            ).scalar_one()  # fmt: skip
            connection.execute(
                sa.insert(billed_line), [{**line, "run_id": run_id} for line in lines]
            )
            keys = [{"line_key": line["line_key"]} for line in lines]
            insert(connection, "marts.fct_billed_lines", keys)
            if state:
                connection.execute(
                    sa.insert(odoo_push),
                    [{**key, "state": state, "odoo_order_id": order} for key in keys],
                )

    def waits_for_a_lock(self) -> bool:
        """Whether anybody in this database waits for an advisory lock."""
        query = sa.text("""
            select exists (
                select from pg_locks
                inner join pg_database on pg_locks.database = pg_database.oid
                where
                    pg_database.datname = current_database()
                    and pg_locks.locktype = 'advisory' and not pg_locks.granted
            )
        """)
        with self.engine.connect() as connection:
            return bool(connection.execute(query).scalar_one())

    def reasons(self, service: str = CLOUD, **options: Any) -> list[str]:
        (found,) = status(self.engine, self.settings, today=TODAY, service_code=service, **options)
        return list(found.reasons)

    def advance(self, **options: Any) -> Any:
        given = {"today": TODAY, "by": "ada", **options}
        return advance(self.engine, self.settings, CLOUD, **given)

    def decided(self, phase: str, *, since: dt.date | None, at: dt.datetime) -> None:
        """A decision that was made at `at`."""
        self.run(
            "insert into ops.cutover (service_code, phase, effective_from, changed_by, changed_at)"
            " values (:service, :phase, :since, 'ada', :at)",
            service=CLOUD,
            phase=phase,
            since=since,
            at=at,
        )

    def back(self, **options: Any) -> Any:
        given = {"today": TODAY, "by": "ada", "note": "prices are wrong", **options}
        return back(self.engine, CLOUD, **given)
