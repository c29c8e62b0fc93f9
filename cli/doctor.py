"""`fusion-billing doctor`: is everything there, and what to do where it is not."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version

import msgspec
import typer

from cli import doctor_odoo, doctor_warehouse
from cli.findings import Finding, Status, failed, ok, warning
from cli.options import FormatOption
from cli.output import Format, show
from warehouse.dbt_project import DbtBuildError, dbt_target, prepare_manifest
from warehouse.settings import (
    FusionEnv,
    Settings,
    SettingsError,
    env_files,
    load_settings,
    up_env,
)

# parse reads the profile but opens no connection: any URL will do where the database is away.
NO_DATABASE = "postgresql://localhost/postgres"


def register(app: typer.Typer) -> None:
    app.command("doctor")(doctor)


def doctor(format_: FormatOption = Format.TABLE) -> None:
    """Check settings, database, dbt, keys and Odoo, and say what to do; 1 if a check failed."""
    findings = list(_findings())
    show(findings, format_, title="Checks")
    raise typer.Exit(1 if any(found.status is Status.FAILED for found in findings) else 0)


def _findings() -> Iterator[Finding]:
    try:
        settings = load_settings()
    except SettingsError as error:
        yield failed("settings", str(error), "Mend it: nothing else is checked until then.")
        return
    yield ok("settings", f"valid; read from {_sources()}")
    yield environment(settings, up_is_running=up_env().exists())
    yield from doctor_warehouse.findings(settings)
    yield from _dbt(settings)
    yield from doctor_odoo.findings(settings)


def _sources() -> str:
    found = [str(path.resolve()) for path in env_files() if path.is_file()]
    return ", ".join(["the environment", *found])


def environment(settings: Settings, *, up_is_running: bool) -> Finding:
    """FUSION_ENV's rules that the settings alone can break; Odoo's own is checked with Odoo."""
    name = f"FUSION_ENV={settings.fusion_env}"
    if settings.fusion_env is not FusionEnv.PRODUCTION:
        return ok("environment", f"{name}; an Odoo elsewhere must be a neutralized copy")
    if up_is_running:
        return failed(
            "environment",
            f"{name}, and {up_env()} of `fusion-billing up` names the stand-in for Odoo",
            "Stop `fusion-billing up`, or delete the file.",
        )
    if settings.odoo_url and settings.odoo_url.startswith("http://"):
        return warning(
            "environment",
            f"{name}, and ODOO_URL is plain http: the API key travels in the clear",
            "Use https:// unless Odoo is on this machine or behind a tunnel.",
        )
    return ok("environment", name)


def _dbt(settings: Settings) -> Iterator[Finding]:
    try:
        release = version("dbt-core")
    except PackageNotFoundError:
        yield failed("dbt", "dbt-core is not installed", "Run `make install`.")
        return
    yield dbt_version(release)
    try:
        prepare_manifest(settings.database_url or NO_DATABASE, settings)
    except (DbtBuildError, OSError) as error:
        yield failed("dbt project", f"does not parse: {error}", "Read the log, mend the model.")
        return
    nodes = msgspec.json.decode(
        (dbt_target(settings) / "manifest.json").read_bytes(), type=Manifest
    ).nodes
    kinds = [node.resource_type for node in nodes.values()]
    yield ok("dbt project", f"parses: {kinds.count('model')} models, {kinds.count('test')} tests")


class Node(msgspec.Struct):
    resource_type: str


class Manifest(msgspec.Struct):
    """The part of dbt's manifest.json that is counted."""

    nodes: dict[str, Node]


def dbt_version(release: str) -> Finding:
    """dbt 1.11: 1.12 needs a parser that is not on PyPI."""
    major, minor = (int(part) for part in release.split(".")[:2])
    if (major, minor) < (1, 12):
        return ok("dbt", release)
    return failed("dbt", f"{release} is not below 1.12", "Run `make install`: it has 1.11.")
