"""Provider costs: read them from Odoo, say what the shared ones follow."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.options import DryRunOption, FormatOption, today, warehouse
from cli.output import Format, err, out, show
from ingest.costs.drivers import apply_drivers, metrics, read_drivers, show_drivers
from ingest.costs.odoo import mirror_costs
from ingest.costs.odoo_model import CostModel
from odoo_gateway.connect import connect_from
from warehouse.reviewed_files import ReviewedFileError
from warehouse.settings import settings

group = typer.Typer(help="Provider costs: mirror, drivers.", no_args_is_help=True)
drivers = typer.Typer(help="What shared costs follow: apply a file, show.", no_args_is_help=True)
group.add_typer(drivers, name="drivers")


def register(app: typer.Typer) -> None:
    app.add_typer(group, name="costs")


@group.command("mirror")
def costs_mirror(
    accept_deletions: Annotated[
        bool, typer.Option("--accept-deletions", help="Even of most of the costs.")
    ] = False,
    full: Annotated[
        bool, typer.Option("--full", help="Read every day, not only the last two months.")
    ] = False,
    format_: FormatOption = Format.TABLE,
) -> None:
    """Read fusion_api's daily costs from FUSION_API_MODEL in Odoo into raw.provider_cost."""
    current = settings()
    with warehouse() as engine:
        report = mirror_costs(
            engine,
            connect_from(current),
            CostModel(current.fusion_api_model, current.cost_fields),
            today=today(),
            full=full,
            accept_deletions=accept_deletions,
        )
    show(report, format_, title="Provider costs")


@drivers.command("apply")
def drivers_apply(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help="YAML of drivers: all of them.", exists=True, dir_okay=False
        ),
    ],
    dry_run: DryRunOption = False,
    format_: FormatOption = Format.TABLE,
) -> None:
    """Make the drivers those of FILE, and no others."""
    with warehouse() as engine:
        try:
            wanted = read_drivers(file, metrics(engine))
        except ReviewedFileError as error:
            for problem in error.problems:
                err.print(str(problem))
            raise typer.Exit(2) from None
        changes = apply_drivers(engine, wanted, dry_run=dry_run)
    if format_ is Format.JSON:
        show({"applied": not dry_run, "changes": changes}, format_)
        return
    show(changes, format_, title="Would do" if dry_run else "Done")
    if changes and not dry_run:
        out.print("Costs of every day are shared out anew by the next dbt build.")


@drivers.command("show")
def drivers_show(format_: FormatOption = Format.TABLE) -> None:
    """The drivers, and first the SKUs of shared costs that have none and stay unallocated."""
    with warehouse() as engine:
        show(show_drivers(engine), format_, title="What shared costs follow")
