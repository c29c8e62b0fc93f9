"""Finance asks what a month brought in, what it cost, and what is left."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from cli.options import FormatOption, ServiceOption, parse_month, require_service, warehouse
from cli.output import Format, show
from exports.margins import Basis, By, Compared
from exports.margins import margins as read_margins

# What a line of text has room for; JSON has all.
_IN_TABLE = ("revenue", "cogs", "margin", "margin_pct", "margin_change", "margin_pct_change")


def register(app: typer.Typer) -> None:
    app.command("margins")(margins)


def margins(
    month: Annotated[str, typer.Option("--month", metavar="YYYY-MM", help="Only this month.")] = "",
    service: ServiceOption = None,
    by: Annotated[By, typer.Option("--by", help="What a row is of.")] = By.SERVICE,
    basis: Annotated[
        Basis,
        typer.Option("--basis", help="accrual: when it was used. invoiced: when Odoo billed it."),
    ] = Basis.ACCRUAL,
    format_: FormatOption = Format.TABLE,
) -> None:
    """Revenue, COGS and margin a month, beside the month before. As of the last build;
    `reconcile` brings it up to date."""
    first = parse_month(month) if month else None
    with warehouse() as engine:
        require_service(engine, service)
        found = read_margins(engine, by=by, basis=basis, month=first, service=service)
    rows = [_row(one, by, basis) for one in found]
    if format_ is Format.TABLE:
        dimension = [] if by is By.SERVICE else [by.value]
        shown = ("month", "service_code", *dimension, *_IN_TABLE)
        rows = [{name: row[name] for name in shown} for row in rows]
    show(rows, format_, title=f"Margins by {by}, {basis} basis")


def _row(one: Compared, by: By, basis: Basis) -> dict[str, Any]:
    margin = one.margin
    dimension = {} if by is By.SERVICE else {by.value: margin.dimension}
    return {
        "month": f"{margin.month:%Y-%m}",
        "service_code": margin.service_code,
        **dimension,
        "basis": basis.value,
        "usage_revenue": margin.usage_revenue,
        "base_revenue": margin.base_revenue,
        "revenue": margin.revenue,
        "cogs": margin.cogs,
        "margin": margin.margin,
        "margin_pct": margin.margin_pct,
        "previous_margin": one.before.margin if one.before else None,
        "margin_change": one.margin_change,
        "margin_pct_change": one.margin_pct_change,
        "currency": margin.currency,
    }
