"""The ledger and what finance asks of it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any

import sqlalchemy as sa
import typer
from sqlalchemy.engine import Engine

from cli.options import (
    DryRunOption,
    FormatOption,
    ServiceOption,
    parse_date,
    parse_month,
    require_service,
    today,
    url_of,
    warehouse,
)
from cli.output import Format, out, show
from exports.billing_run import BillingRunError, bill
from warehouse.dbt_project import dbt_target, run_dbt
from warehouse.locks import session_lock
from warehouse.settings import settings
from warehouse.version import code_version


class Reason(StrEnum):
    """Why app, platform and Odoo differ, in the order of docs/reconciliation.md."""

    UNLINKED_ACCOUNT = "unlinked_account"
    MISSING_IN_ODOO = "missing_in_odoo"
    MANUAL_CHANGE = "manual_change"
    CURRENCY = "currency"
    CREDIT_NOTE = "credit_note"
    LATE_USAGE = "late_usage"
    PERIOD_BOUNDARY = "period_boundary"
    MISSING_IN_APP = "missing_in_app"
    MISSING_IN_PLATFORM = "missing_in_platform"
    DUPLICATE = "duplicate"
    PRORATION = "proration"
    DISCOUNT = "discount"
    TIER_OR_QUOTA = "tier_or_quota"
    QUANTITY = "quantity"
    PRICE = "price"
    ROUNDING = "rounding"
    TAX = "tax"
    UNEXPLAINED = "unexplained"


_RECONCILIATION = sa.text("""
    select found.service_code, found.account_key, found.subscription_key, found.charge_key,
        found.metric_code, coalesce(found.metric_code, found.item_type) as item, found.item_type,
        found.phase, found.period_start, found.period_end, found.currency, found.app_amount,
        found.platform_amount, found.odoo_amount, found.delta, found.status, found.reason,
        found.detail, history.age_days,
        cast(history.first_seen_at at time zone 'UTC' at time zone :zone as date) as first_seen
    from marts.fct_reconciliation as found
    left join marts.fct_reconciliation_history as history
        on found.reconciliation_key = history.reconciliation_key and history.is_standing
    where
        (cast(:service as text) is null or found.service_code = :service)
        and (cast(:month as date) is null or date_trunc('month', found.period_start) = :month)
        and (cast(:reason as text) is null or found.reason = :reason)
        and found.status = 'difference'
    order by found.service_code, found.period_start, found.subscription_key,
        found.item_type desc, found.charge_key
""")


# What a line of text has room for; JSON has all.
_IN_TABLE = (
    "reason",
    "period_start",
    "subscription_key",
    "item",
    "phase",
    "app_amount",
    "platform_amount",
    "odoo_amount",
    "first_seen",
    "detail",
)
# Its tests would stop at an unexplained difference, which `reconcile` is to show. A snapshot is
# made by `dbt build` alone.
_NO_TESTS = ("--exclude-resource-type", "test", "--exclude-resource-type", "unit_test")


def register(app: typer.Typer) -> None:
    app.command("run")(run)
    app.command("reconcile")(reconcile)
    app.command("close")(close)
    app.command("explain")(explain)
    app.command("replay")(replay)


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
    reason: Annotated[
        Reason | None, typer.Option("--reason", metavar="R", help="Only this reason, e.g. price.")
    ] = None,
    build: Annotated[
        bool, typer.Option("--build/--no-build", help="Bring finance's marts up to date first.")
    ] = True,
    format_: FormatOption = Format.TABLE,
) -> None:
    """Differences between app, platform and Odoo, each with its reason; 1 if one has none.
    Odoo is as of the last `odoo mirror`."""
    parameters = {
        "service": service,
        "month": parse_month(month) if month else None,
        "reason": reason,
        "zone": settings().company_timezone,
    }
    with warehouse() as engine:
        require_service(engine, service)
        if build:
            _dbt(engine, "build", "--select", "fqn:*", "--exclude", "+tag:rating", *_NO_TESTS)
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
    """Finance's month: checks, workbook, page, Parquet, hash. Refused, with reasons, unless all
    holds."""
    first = parse_month(month)
    current = settings()
    # Arrow, DuckDB and XlsxWriter take a second to import; `run` does without them.
    from exports.finance.close import close_month

    with warehouse() as engine:
        closed = close_month(
            engine,
            first,
            current.exports_folder,
            manifest=dbt_target(current) / "manifest.json",
            settings=current,
            code_version=code_version(),
        )
    show(closed, format_, title=f"Closed {month}")


def explain(
    line_key: Annotated[str, typer.Argument(metavar="LINE_KEY", help="As Odoo stores it.")],
    counters: Annotated[
        int, typer.Option("--counters", metavar="N", min=0, help="How many counters to list.")
    ] = 20,
    format_: FormatOption = Format.TABLE,
) -> None:
    """The line, its tiers, quantity, price, counters, and what became of it in Odoo."""
    from exports.explain import explain as explained

    with warehouse() as engine:
        found = explained(engine, line_key, counters=counters)
    if format_ is Format.JSON:
        show(found, format_)
        return
    out.print(f"{found.line_key}\n{found.arithmetic}\n")
    show(_filled(found.line), format_, title="Line")
    show(_filled(found.run or {"billed": "not yet"}), format_, title="Billing run")
    show(found.price or {"catalogue": "no such charge any more"}, format_, title="Price")
    show(found.adjustments, format_, title="Ledger lines of this rated line")
    show(found.tiers, format_, title="All lines of this charge and period")
    show(found.days, format_, title="Counters by day")
    title = f"First {len(found.counters)} of {found.counters_total} counters"
    show(found.counters, format_, title=title)
    show(_filled(found.odoo), format_, title="Odoo")


def _filled(record: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in record.items() if value not in (None, "")}


def replay(
    month: Annotated[str, typer.Option("--month", metavar="YYYY-MM", help="The month to replay.")],
    service: ServiceOption = None,
    format_: FormatOption = Format.TABLE,
) -> None:
    """Rates everything from raw again, beside the marts, and compares the ledger with it, byte for
    byte; 1 if anything differs."""
    first = parse_month(month)
    from exports.replay import replay as replayed

    with warehouse() as engine:
        result = replayed(
            engine, settings(), database_url=url_of(engine), month=first, service_code=service
        )
    if format_ is Format.JSON:
        show(result, format_)
    else:
        parts = ("runs", "differences")
        summary = {name: value for name, value in vars(result).items() if name not in parts}
        show(_filled(summary), format_, title=f"Replay of {month}")
        show([vars(check) for check in result.runs], format_, title="Billing runs")
        show([vars(one) for one in result.differences], format_, title="Differences")
    raise typer.Exit(0 if result.identical else 1)
