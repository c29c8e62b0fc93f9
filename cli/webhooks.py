"""Lifecycle webhooks: what is under way, what died, and sending."""

from __future__ import annotations

import uuid
from typing import Annotated

import typer

from cli.options import DryRunOption, FormatOption, ServiceOption, today, warehouse
from cli.output import Format, show
from exports.webhooks import queue
from exports.webhooks.delivery import Bounds, deliver, make_sender
from exports.webhooks.outbox import emit
from exports.webhooks.queue import Delivery
from warehouse.settings import settings
from warehouse.webhooks import policy_of

group = typer.Typer(help="Lifecycle webhooks to apps.", no_args_is_help=True)

MostOption = Annotated[int, typer.Option("--most", min=1, help="At most so many, newest first.")]
# What a line of text has room for; JSON has all.
_IN_TABLE = ("event_id", "webhook_type", "url", "state", "last_error")


def register(app: typer.Typer) -> None:
    app.add_typer(group, name="webhook")


@group.command("list")
def webhook_list(
    service: ServiceOption = None, most: MostOption = 100, format_: FormatOption = Format.TABLE
) -> None:
    """Show deliveries, the newest first."""
    with warehouse() as engine:
        _show(queue.deliveries(engine, service=service, most=most), format_, "Deliveries")


@group.command("dead")
def webhook_dead(
    service: ServiceOption = None, most: MostOption = 100, format_: FormatOption = Format.TABLE
) -> None:
    """Show what ten attempts did not deliver; `webhook replay` tries again."""
    with warehouse() as engine:
        found = queue.deliveries(engine, service=service, state="dead", most=most)
        _show(found, format_, "Dead letters")


@group.command("replay")
def webhook_replay(
    events: Annotated[
        list[uuid.UUID] | None,
        typer.Argument(
            metavar="[EVENT_ID]...", help="As `webhook list` shows it; delivered ones are resent."
        ),
    ] = None,
    service: ServiceOption = None,
    dry_run: DryRunOption = False,
    format_: FormatOption = Format.TABLE,
) -> None:
    """Make dead letters due again: all, a service's, or those that are named."""
    with warehouse() as engine:
        count = queue.replay(engine, service=service, events=events or None, dry_run=dry_run)
    show({"due_again": count}, format_, title="Would replay" if dry_run else "Replayed")
    raise typer.Exit(1 if events and not count else 0)


@group.command("deliver")
def webhook_deliver(
    seconds: Annotated[
        float, typer.Option("--seconds", min=0, help="Begin nothing new after so long.")
    ] = Bounds().seconds,
    dry_run: DryRunOption = False,
    format_: FormatOption = Format.TABLE,
) -> None:
    """Write down what happened in Odoo since the last time, and send all that is due."""
    current = settings()
    with warehouse() as engine:
        emitted = emit(engine, today(), current.zone, dry_run=dry_run)
        told = {
            "events": emitted.events,
            "to_endpoints": emitted.deliveries,
            "history_unheard": emitted.history,
        }
        if dry_run:
            due = queue.due(engine) + emitted.deliveries
            show(told | {"due": due}, format_, title="Would send")
            return
        sent = deliver(engine, make_sender(policy_of(current)), Bounds(seconds=seconds))
    show(told | vars(sent), format_, title="Webhooks")
    raise typer.Exit(1 if sent.dead else 0)


def _show(found: list[Delivery], format_: Format, title: str) -> None:
    if format_ is Format.TABLE:
        show([{name: vars(one)[name] for name in _IN_TABLE} for one in found], format_, title=title)
    else:
        show(found, format_)
