"""The ledger and what finance asks of it."""

from __future__ import annotations

from typing import Annotated

import sqlalchemy as sa
import typer
from sqlalchemy.engine import Engine

from cli.options import (
    DryRunOption,
    FormatOption,
    ServiceOption,
    parse_date,
    parse_month,
    today,
    url_of,
    warehouse,
)
from cli.output import Format, show
from exports.billing_run import BillingRunError, bill
from warehouse.dbt_project import run_dbt
from warehouse.locks import session_lock
from warehouse.settings import settings
from warehouse.version import code_version

_RECONCILIATION = sa.text("""
    select service_code, account_key, subscription_key, charge_key, metric_code, period_start,
        app_amount, platform_amount, odoo_amount, status, reason, detail
    from marts.fct_reconciliation
    where
        (cast(:service as text) is null or service_code = :service)
        and (cast(:month as date) is null or date_trunc('month', period_start) = :month)
        and status = 'difference'
    order by service_code, period_start, subscription_key, charge_key
""")


# What a line of text has room for; JSON has all.
_IN_TABLE = (
    "reason",
    "period_start",
    "subscription_key",
    "metric_code",
    "app_amount",
    "platform_amount",
    "odoo_amount",
    "detail",
)


def register(app: typer.Typer) -> None:
    app.command("run")(run)
    app.command("reconcile")(reconcile)
    app.command("close")(close)


def run(
    date_: Annotated[
        str, typer.Option("--date", metavar="D", help="Bill what had ended by D; default today.")
    ] = "",
    service: ServiceOption = None,
    build: Annotated[bool, typer.Option("--build/--no-build", help="Rate with dbt first.")] = True,
    dry_run: DryRunOption = False,
    accept_corrections: Annotated[
        bool, typer.Option("--accept-corrections", help="Even of many billed lines at once.")
    ] = False,
    format_: FormatOption = Format.TABLE,
) -> None:
    """The billing run: rate all usage, then ledger += desired − ledger. Safe to repeat."""
    run_date = parse_date(date_) if date_ else today()
    current = settings()
    with warehouse() as engine:
        if build:
            _dbt(engine, "build", "--select", "+tag:rating", "--exclude-resource-type", "unit_test")
        result = bill(
            engine,
            current,
            run_date=run_date,
            service_code=service,
            dry_run=dry_run,
            accept_corrections=accept_corrections,
        )
    show(result, format_, title="Would bill" if dry_run else "Billed")


def reconcile(
    service: ServiceOption = None,
    month: Annotated[str, typer.Option("--month", metavar="YYYY-MM", help="Only this month.")] = "",
    build: Annotated[
        bool, typer.Option("--build/--no-build", help="Bring finance's marts up to date first.")
    ] = True,
    format_: FormatOption = Format.TABLE,
) -> None:
    """Differences between app, platform and Odoo, each with its reason; 1 if one has none.
    Odoo is as of the last `odoo mirror`."""
    parameters = {"service": service, "month": parse_month(month) if month else None}
    with warehouse() as engine:
        if build:
            # Its tests would stop at an unexplained difference, which this command is to show.
            _dbt(engine, "run", "--select", "fqn:*", "--exclude", "+tag:rating")
        try:
            with engine.connect() as connection:
                found = connection.execute(_RECONCILIATION, parameters).mappings()
                rows = [dict(row) for row in found]
        except sa.exc.ProgrammingError:
            raise BillingRunError("Nothing is reconciled yet: run it without --no-build.") from None
    shown = rows if format_ is Format.JSON else [{k: row[k] for k in _IN_TABLE} for row in rows]
    show(shown, format_, title="Differences")
    raise typer.Exit(1 if any(row["reason"] == "unexplained" for row in rows) else 0)


def _dbt(engine: Engine, *arguments: str) -> None:
    """One dbt of this machine's commands at a time: two would swap each other's tables away."""
    with session_lock(engine, "dbt") as taken:
        if not taken:
            raise BillingRunError("Another command builds the marts just now: let it finish.")
        run_dbt(url_of(engine), settings(), *arguments)


def close(
    month: Annotated[str, typer.Argument(metavar="MONTH", help="YYYY-MM")],
    format_: FormatOption = Format.TABLE,
) -> None:
    """Finance's month: checks, workbook, Parquet, hash. Refused, with reasons, unless all holds."""
    first = parse_month(month)
    current = settings()
    # Arrow, DuckDB and XlsxWriter take a second to import; `run` does without them.
    from exports.finance.close import close_month

    with warehouse() as engine:
        closed = close_month(
            engine,
            first,
            current.exports_folder,
            company_currency=current.company_currency,
            code_version=code_version(),
        )
    show(closed, format_, title=f"Closed {month}")
