"""Odoo: make its fields and models, read it, put lines onto subscriptions."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.options import DryRunOption, FormatOption, parse_date, warehouse
from cli.output import Format, show
from exports.commands.applying import apply_commands
from exports.push_record import settle_invoiced
from exports.usage_lines import push
from ingest.odoo_mirror import mirror
from odoo_gateway.bootstrap import bootstrap, plan
from odoo_gateway.connect import connect_from
from warehouse.settings import settings

group = typer.Typer(help="Odoo: bootstrap, mirror, push.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    app.add_typer(group, name="odoo")


@group.command("bootstrap")
def odoo_bootstrap(dry_run: DryRunOption = False, format_: FormatOption = Format.TABLE) -> None:
    """Make the x_fc_* fields and models, their views and their menu; no addon to install."""
    client = connect_from(settings())
    steps = plan(client) if dry_run else bootstrap(client)
    show(steps, format_, title="Would make" if dry_run else "Made")


@group.command("mirror")
def odoo_mirror(
    accept_deletions: Annotated[
        bool, typer.Option("--accept-deletions", help="Even of most records of a model.")
    ] = False,
    full: Annotated[
        bool, typer.Option("--full", help="Read everything, not only what was written since.")
    ] = False,
    format_: FormatOption = Format.TABLE,
) -> None:
    """Read into raw.odoo_* what was written in Odoo since the last time.

    After Odoo was restored from a backup, use --full.
    """
    current = settings()
    with warehouse() as engine:
        counts = mirror(
            engine,
            connect_from(current),
            odoo=f"{current.odoo_url}/{current.odoo_db}",
            full=full,
            accept_deletions=accept_deletions,
        )
        settle_invoiced(engine)
    show([{"table": f"raw.odoo_{name}", **vars(count)} for name, count in counts.items()], format_)


@group.command("push")
def odoo_push(
    run: Annotated[
        str, typer.Option("--run", metavar="DATE", help="Only lines of that date's billing runs.")
    ] = "",
    dry_run: DryRunOption = False,
    format_: FormatOption = Format.TABLE,
) -> None:
    """Put the ledger's lines onto subscriptions, by line_key, and read them back."""
    run_date = parse_date(run) if run else None
    current = settings()
    with warehouse() as engine:
        result = push(
            engine,
            connect_from(current),
            database=f"{current.odoo_url}/{current.odoo_db}",
            run_date=run_date,
            dry_run=dry_run,
        )
    show(result, format_, title="Push")
    raise typer.Exit(1 if result.refused or result.differs else 0)


@group.command("apply")
def odoo_apply(
    refused: Annotated[
        bool, typer.Option("--refused", help="Also what Odoo refused: it was mended there.")
    ] = False,
    dry_run: DryRunOption = False,
    format_: FormatOption = Format.TABLE,
) -> None:
    """Make the customers and subscriptions that apps asked for, and end those they ended."""
    current = settings()
    with warehouse() as engine:
        result = apply_commands(
            engine,
            connect_from(current),
            database=f"{current.odoo_url}/{current.odoo_db}",
            zone=current.zone,
            refused=refused,
            dry_run=dry_run,
        )
    if format_ is Format.TABLE:
        show(result.fates, format_, title="Would do" if dry_run else "Commands")
        show(result.counts(), format_, title="Commands by state")
    else:
        show(result, format_)
    unsettled = result.refused or result.ambiguous or result.retrying
    raise typer.Exit(1 if unsettled and not dry_run else 0)
