"""Files: what the apps billed themselves, and provider costs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy.engine import Engine

from cli.options import DryRunOption, FormatOption, warehouse
from cli.output import Format, show
from ingest.app_billing.lago import import_lago
from ingest.app_billing.load import ImportReport
from ingest.app_billing.stripe import import_stripe
from ingest.costs.files import CostFileError, load_costs
from warehouse.services import require_service

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
def lago(
    files: Files,
    service: Service,
    dry_run: DryRunOption = False,
    format_: FormatOption = Format.TABLE,
) -> None:
    """Invoices with fees and credit notes, as Lago's API lists and shows them."""
    with warehouse() as engine:
        _check(engine, service)
        report = import_lago(engine, files, service_code=service, dry_run=dry_run)
    _tell(report, format_, "Lago invoices", dry_run)


@group.command("stripe")
def stripe(
    files: Files,
    service: Service,
    dry_run: DryRunOption = False,
    format_: FormatOption = Format.TABLE,
) -> None:
    """Stripe's invoices with lines, credit notes and refunds, as its API and CLI export them."""
    with warehouse() as engine:
        _check(engine, service)
        report = import_stripe(engine, files, service_code=service, dry_run=dry_run)
    _tell(report, format_, "Stripe invoices", dry_run)


def _check(engine: Engine, service: str) -> None:
    with engine.connect() as connection:
        require_service(connection, service)


def _tell(report: ImportReport, format_: Format, title: str, dry_run: bool) -> None:
    """The report, and the answer: no, where something is to be looked at."""
    show(report, format_, title=f"{title} (nothing was loaded)" if dry_run else title)
    raise typer.Exit(1 if report.problems else 0)


@group.command("costs")
def costs(files: Files, format_: FormatOption = Format.TABLE) -> None:
    """fusion_api's daily provider costs, CSV or Parquet."""
    with warehouse() as engine:
        reports: list[dict[str, object]] = []
        for path in files:
            try:
                reports.append({"file": str(path), **vars(load_costs(engine, path))})
            except CostFileError as error:
                loaded = ", ".join(str(report["file"]) for report in reports)
                raise CostFileError(f"{error}. Loaded before it: {loaded or 'nothing'}") from None
    show(reports, format_, title="Provider costs")
