"""Files: what the apps billed themselves, and provider costs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.options import FormatOption, warehouse
from cli.output import Format, show
from ingest.app_billing.lago import import_lago
from ingest.app_billing.stripe import import_stripe
from ingest.costs.files import load_costs

group = typer.Typer(help="Load files into the warehouse.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    app.add_typer(group, name="import")


Files = Annotated[
    list[Path], typer.Argument(metavar="FILE…", exists=True, dir_okay=False, readable=True)
]
Service = Annotated[
    str, typer.Option("--service", metavar="CODE", help="Whose invoices these are.")
]


@group.command("lago")
def lago(files: Files, service: Service, format_: FormatOption = Format.TABLE) -> None:
    """Invoices with fees, as Lago's API returns them."""
    with warehouse() as engine:
        report = import_lago(engine, files, service_code=service)
    show(report, format_, title="Lago invoices")
    raise typer.Exit(1 if report.problems else 0)


@group.command("stripe")
def stripe(files: Files, service: Service, format_: FormatOption = Format.TABLE) -> None:
    """Stripe's invoice objects with lines."""
    with warehouse() as engine:
        report = import_stripe(engine, files, service_code=service)
    show(report, format_, title="Stripe invoices")
    raise typer.Exit(1 if report.problems else 0)


@group.command("costs")
def costs(files: Files, format_: FormatOption = Format.TABLE) -> None:
    """fusion_api's daily provider costs, CSV or Parquet."""
    with warehouse() as engine:
        reports = [{"file": str(path), **vars(load_costs(engine, path))} for path in files]
    show(reports, format_, title="Provider costs")
