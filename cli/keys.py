"""Source apps and their bearer keys."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from cli.options import FormatOption, login_name, warehouse
from cli.output import Format, out, show
from exports.cutover.decisions import Decision, decide, lock
from exports.cutover.phases import Phase
from ingest.keys import (
    create_key,
    insert_service,
    list_keys,
    list_services,
    revoke_key,
    rotate_key,
)

services = typer.Typer(help="Source apps.", no_args_is_help=True)
keys = typer.Typer(help="Bearer keys of source apps.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    app.add_typer(services, name="service")
    app.add_typer(keys, name="key")


CodeArgument = Annotated[str, typer.Argument(metavar="SERVICE", help="The service's code.")]


@services.command("add")
def service_add(
    code: CodeArgument,
    name: Annotated[str, typer.Option("--name", help="What people say; default: the code.")] = "",
    phase: Annotated[
        Phase,
        typer.Option("--phase", help="live: nobody billed it before, to compare with."),
    ] = Phase.SHADOW,
    format_: FormatOption = Format.TABLE,
) -> None:
    """Add a source app. It starts in shadow: computed, and not a line sent to Odoo."""
    decision = Decision(code, phase, None, login_name(), "from the start")
    # Both or neither: a service left in shadow could not be added as a live one any more.
    with warehouse() as engine, engine.begin() as connection:
        added = insert_service(connection, code, name or code)
        if phase is not Phase.SHADOW:
            lock(connection, code)
            decide(connection, decision)
    show({**vars(added), "phase": phase}, format_)
    if phase is Phase.SHADOW and format_ is Format.TABLE:
        out.print("In shadow nothing goes to Odoo: `fusion-billing cutover status` shows the gate.")


@services.command("list")
def service_list(format_: FormatOption = Format.TABLE) -> None:
    """List source apps."""
    with warehouse() as engine:
        show(list_services(engine), format_, title="Services")


@keys.command("create")
def key_create(
    code: CodeArgument,
    days: Annotated[
        int | None, typer.Option("--days", min=1, help="Expires after so many days.")
    ] = None,
    format_: FormatOption = Format.TABLE,
) -> None:
    """Make a key. It is shown once and stored hashed."""
    expires_at = datetime.now(UTC) + timedelta(days=days) if days else None
    with warehouse() as engine:
        key = create_key(engine, code, expires_at=expires_at)
        show({"service": code, "key": key, "expires_at": expires_at}, format_)


@keys.command("rotate")
def key_rotate(
    code: CodeArgument,
    overlap_hours: Annotated[
        int, typer.Option("--overlap-hours", min=0, help="How long the old keys still work.")
    ] = 24,
    format_: FormatOption = Format.TABLE,
) -> None:
    """Make a new key; the old ones expire after the overlap."""
    with warehouse() as engine:
        key = rotate_key(engine, code, overlap=timedelta(hours=overlap_hours))
        show({"service": code, "key": key, "old_keys_expire_in_hours": overlap_hours}, format_)


@keys.command("revoke")
def key_revoke(
    key_id: Annotated[int, typer.Argument(metavar="KEY_ID", help="As `key list` shows it.")],
    format_: FormatOption = Format.TABLE,
) -> None:
    """Revoke a key; the endpoint refuses it within five seconds."""
    with warehouse() as engine:
        revoke_key(engine, key_id)
    show({"key_id": key_id, "revoked": True}, format_)


@keys.command("list")
def key_list(format_: FormatOption = Format.TABLE) -> None:
    """List keys; the keys themselves are not stored and cannot be shown."""
    with warehouse() as engine:
        show(list_keys(engine), format_, title="Keys")
