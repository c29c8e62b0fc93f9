"""`fusion-billing`: the groups of commands, and every error as one line."""

from __future__ import annotations

import sys

import typer

from cli import billing, demo, importing, keys, odoo, operate, up
from cli.output import err
from exports.billing_run import BillingRunError
from exports.finance.errors import CloseRefusedError, FinanceExportError
from exports.usage_lines import PushBusyError
from ingest.app_billing.files import AppBillingFileError
from ingest.keys import KeyStoreError
from ingest.provider_costs import CostFileError
from odoo_gateway.errors import OdooError
from warehouse.dbt_project import DbtBuildError
from warehouse.embedded import EmbeddedServerError
from warehouse.engine import WarehouseError
from warehouse.settings import SettingsError

app = typer.Typer(
    name="fusion-billing",
    help="Metering, rating, margins and reconciliation beside Odoo 19.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
for group in (demo, up, operate, billing):
    group.register(app)
app.add_typer(keys.services, name="service")
app.add_typer(keys.keys, name="key")
app.add_typer(odoo.app, name="odoo")
app.add_typer(importing.app, name="import")

REFUSED = (CloseRefusedError,)
UNUSABLE = (
    AppBillingFileError,
    BillingRunError,
    CostFileError,
    DbtBuildError,
    EmbeddedServerError,
    FinanceExportError,
    KeyStoreError,
    OdooError,
    PushBusyError,
    SettingsError,
    WarehouseError,
    operate.ServeError,
    demo.DemoError,
)


def main() -> None:
    """Exit status 0 done, 1 the answer is no, 2 wrong use or wrong settings."""
    try:
        app()
    except REFUSED as error:
        err.print(f"refused: {error}")
        sys.exit(1)
    except UNUSABLE as error:
        err.print(f"error: {error}")
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
