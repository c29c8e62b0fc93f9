"""The catalogue: reviewable YAML into Odoo, and what applies today."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.options import DryRunOption, FormatOption, parse_date, today, url_of, warehouse
from cli.output import Format, err, out, show
from exports.catalogue.applying import apply, read_odoo
from exports.catalogue.changes import Change, propose
from exports.catalogue.effect import Effects, effects
from exports.catalogue.reading import read_catalogue
from exports.catalogue.records import UnreadableCatalogueError
from exports.catalogue.showing import as_file, in_force, read_mirror, rows_of, to_yaml
from odoo_gateway.connect import connect_from
from warehouse.reviewed_files import ReviewedFileError
from warehouse.settings import settings

group = typer.Typer(help="Metrics and charges: apply a file, show.", no_args_is_help=True)


class ShowFormat(StrEnum):
    TABLE = "table"
    JSON = "json"
    YAML = "yaml"


def register(app: typer.Typer) -> None:
    app.add_typer(group, name="catalog")


@group.command("apply")
def catalog_apply(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help="YAML of metrics and charges.", exists=True, dir_okay=False
        ),
    ],
    dry_run: DryRunOption = False,
    effect: Annotated[
        bool,
        typer.Option(
            "--effect/--no-effect",
            help="With --dry-run: rate all usage with both catalogues and compare.",
        ),
    ] = True,
    format_: FormatOption = Format.TABLE,
) -> None:
    """Bring Odoo's catalogue to what FILE says. A charge with a new valid_from becomes a new
    version, and the one before it ends the day before."""
    current_settings = settings()
    client = connect_from(current_settings)
    try:
        catalogue = read_catalogue(file, currency=current_settings.company_currency)
        current = read_odoo(client)
        proposal = propose(catalogue, current)
    except (ReviewedFileError, UnreadableCatalogueError) as error:
        raise _wrong(error) from None
    found: Effects | None = None
    if dry_run and effect and proposal.changes:
        with warehouse() as engine:
            found = effects(
                engine,
                current_settings,
                database_url=url_of(engine),
                current=current,
                proposal=proposal,
                today=today(),
            )
    if not dry_run:
        apply(client, proposal)
    _show_changes(proposal.changes, found, format_, dry_run=dry_run)


@group.command("show")
def catalog_show(
    plan: Annotated[str | None, typer.Option("--plan", metavar="CODE", help="Only this.")] = None,
    date_: Annotated[
        str, typer.Option("--date", metavar="D", help="What prices a period that begins then.")
    ] = "",
    format_: Annotated[
        ShowFormat, typer.Option("--format", help="YAML is a file that `apply` takes.")
    ] = ShowFormat.TABLE,
) -> None:
    """What applies today, as `odoo mirror` last read it."""
    day: date = parse_date(date_) if date_ else today()
    try:
        with warehouse() as engine:
            current = read_mirror(engine)
    except UnreadableCatalogueError as error:
        raise _wrong(error) from None
    versions = in_force(current, day, plan)
    if format_ is ShowFormat.YAML:
        print(to_yaml(as_file(current, versions)), end="")
    elif format_ is ShowFormat.JSON:
        show(as_file(current, versions), Format.JSON)
    else:
        show(rows_of(versions), Format.TABLE, title=f"The catalogue on {day}")


def _wrong(error: Exception) -> typer.Exit:
    """A line for every problem: these errors' text is made so."""
    err.print(str(error))
    return typer.Exit(2)


def _show_changes(changes: Any, found: Effects | None, format_: Format, *, dry_run: bool) -> None:
    if format_ is Format.JSON:
        show({"applied": not dry_run, "changes": changes, "effect": found}, format_)
        return
    show([_row(change) for change in changes], format_, title="Would do" if dry_run else "Done")
    if found is not None:
        show(found.totals, format_, title="Rated lines, all charges")
        show(found.charges, format_, title="Rated lines of charges that change")
    elif changes and not dry_run:
        out.print("Rated from the next `fusion-billing odoo mirror` on.")


def _row(change: Change) -> dict[str, Any]:
    fields = (
        f"{name.removeprefix('x_')}: {before or '-'} → {after or '-'}"
        for name, (before, after) in change.fields.items()
    )
    return {
        "change": change.action,
        "what": change.key,
        "valid_from": change.valid_from,
        "valid_to": change.valid_to,
        "fields": list(fields),
    }
