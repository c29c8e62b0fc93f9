"""`fusion-billing`: the commands, and every error as one line."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import typer
import typer.main
from typer.core import TyperGroup

from cli.output import err

# A command's module is imported when it is asked for: all of them together take seconds.
COMMANDS = {
    "demo": "cli.demo",
    "up": "cli.up",
    "doctor": "cli.doctor",
    "migrate": "cli.operate",
    "serve": "cli.operate",
    "service": "cli.keys",
    "key": "cli.keys",
    "odoo": "cli.odoo",
    "catalog": "cli.catalog",
    "import": "cli.importing",
    "costs": "cli.costs",
    "webhook": "cli.webhooks",
    "run": "cli.billing",
    "reconcile": "cli.billing",
    "margins": "cli.margins",
    "close": "cli.billing",
    "explain": "cli.billing",
    "replay": "cli.billing",
    "cutover": "cli.cutover",
    "parity": "cli.cutover",
}

# Errors that are the user's to mend, by module: what was raised comes from one that is imported.
REFUSED = {
    "exports.cutover.decisions": ("CutoverRefusedError",),
    "exports.finance.errors": ("CloseRefusedError",),
}
UNUSABLE = {
    "cli.demo": ("DemoError",),
    "exports.billing_run": ("BillingRunError",),
    "exports.cutover.decisions": ("CutoverError",),
    "exports.catalogue.effect": ("EffectBusyError",),
    "exports.explain": ("UnknownLineError",),
    "exports.finance.errors": ("FinanceExportError",),
    "exports.margins": ("MarginsError",),
    "exports.commands.outcomes": ("ApplyBusyError",),
    "exports.usage_lines": ("NothingRatedError", "NoRunError", "PushBusyError"),
    "ingest.api.server": ("ServeError",),
    "ingest.app_billing.files": ("AppBillingFileError",),
    "ingest.costs.drivers": ("NoMetricsError",),
    "ingest.costs.files": ("CostFileError",),
    "ingest.costs.odoo_model": ("CostModelError",),
    "ingest.keys": ("KeyStoreError",),
    "ingest.odoo_mirror": ("MassDeletionError",),
    "odoo_gateway.errors": ("OdooError",),
    "sandbox.odoo.launch": ("DoubleError",),
    "warehouse.dbt_project": ("DbtBuildError",),
    "warehouse.embedded": ("EmbeddedServerError",),
    "warehouse.engine": ("WarehouseError",),
    "warehouse.services": ("UnknownServiceError",),
    "warehouse.settings": ("SettingsError",),
    "builtins": ("OSError",),
}


class Commands(TyperGroup):
    """The groups of COMMANDS, imported one at a time."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in COMMANDS:
            return None
        group = typer.Typer(callback=_nothing)
        importlib.import_module(COMMANDS[cmd_name]).register(group)
        return typer.main.get_group(group).commands[cmd_name]


app = typer.Typer(
    name="fusion-billing",
    cls=Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)


@app.callback()
def _fusion_billing() -> None:
    """Metering, rating, margins and reconciliation beside Odoo 19."""


def _nothing() -> None:
    """A group with one command is still a group."""


def main() -> None:
    """Exit status 0 done, 1 the answer is no, 2 wrong use or wrong settings."""
    try:
        status = app(standalone_mode=False, prog_name="fusion-billing")
    except typer.TyperException as error:
        sys.exit(_wrong_use(error))
    except _imported(REFUSED) as error:
        err.print(f"refused: {error}")
        sys.exit(1)
    except BrokenPipeError:
        sys.stdout = None  # `| head` has what it wanted
        sys.exit(1)
    except _imported(UNUSABLE) as error:
        err.print(f"error: {_one_line(str(error))}")
        sys.exit(2)
    except _imported({"sqlalchemy.exc": ("OperationalError",)}) as error:
        reason = _one_line(str(getattr(error, "orig", error)))
        err.print(f"error: PostgreSQL went away: {reason}. `fusion-billing doctor` checks.")
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit(status if isinstance(status, int) else 0)


def _wrong_use(error: typer.TyperException) -> int:
    """One line where Typer would draw a box; without arguments, the help is printed already."""
    message = _one_line(getattr(error, "format_message", error.__str__)())
    context = getattr(error, "ctx", None)
    if message:
        path = context.command_path if context else "fusion-billing"
        err.print(f"error: {message.rstrip('.')}. See `{path} --help`.")
    return 2


def _imported(errors: Mapping[str, tuple[str, ...]]) -> tuple[type[Exception], ...]:
    def found() -> Iterator[type[Exception]]:
        for module, names in errors.items():
            if module in sys.modules:
                yield from (getattr(sys.modules[module], name) for name in names)

    return tuple(found())


def _one_line(text: str) -> str:
    return " ".join(text.split())
