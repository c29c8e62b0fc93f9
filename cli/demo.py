"""`fusion-billing demo`: the main job, end to end, on a generated world."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import sqlalchemy as sa
import typer
from sqlalchemy.engine import Engine

from cli.demo_report import DemoReport, print_summary, problems, summary
from cli.local import LocalPartError, endpoint, free_port
from cli.options import FormatOption, parse_date, today, url_of
from cli.output import Format, err, out
from exports.billing_run import bill
from exports.usage_lines import push
from ingest.keys import add_service, create_key
from odoo_gateway.bootstrap import bootstrap
from odoo_gateway.client import OdooClient
from odoo_gateway.connect import connect_from
from sandbox.app_invoices import write_lago_invoices, write_stripe_invoices
from sandbox.catalogue import NEXACLOUD, NEXACLUB, NEXADESK, NEXAMAPS
from sandbox.model import INITIAL, LATE, World
from sandbox.odoo.launch import running_double
from sandbox.odoo.recurring import invoice_due
from sandbox.provider_costs import write_costs
from sandbox.seed_odoo import seed
from sandbox.traffic import PostCounts, TrafficError, post_traffic, posts
from sandbox.world import make_world
from warehouse.engine import connected
from warehouse.migrate import migrate
from warehouse.settings import Settings, load_settings

SERVICES = {
    NEXACLOUD: "NexaCloud",
    NEXADESK: "NexaDesk",
    NEXAMAPS: "NexaMaps",
    NEXACLUB: "NexaClub",
}
_MARK = "the demo's world: `fusion-billing demo` replaces it"


class DemoError(Exception):
    """The demo could not run. The message says why and what to do."""


def register(app: typer.Typer) -> None:
    app.command("demo")(demo)


def demo(
    date_: Annotated[
        str, typer.Option("--date", metavar="D", help="The world's today; default: today.")
    ] = "",
    format_: FormatOption = Format.TABLE,
) -> None:
    """The main job for real: counters over HTTP → dbt → ledger → Odoo → reconciliation → files."""
    demo_date = parse_date(date_) if date_ else today()
    if demo_date > today():
        raise DemoError(f"{demo_date} is in the future; take today or an earlier day.")
    settings = load_settings()
    settings.fusion_home.mkdir(parents=True, exist_ok=True)
    report = DemoReport()
    try:
        with connected(settings) as engine:
            result = _run(engine, settings, make_world(demo_date, zone=settings.zone), report)
    except (LocalPartError, TrafficError) as error:
        raise DemoError(str(error)) from error
    found = settings.fusion_home / "demo" / "summary.json"
    found.write_text(json.dumps(result, indent=2) + "\n")
    if format_ is Format.JSON:
        print(json.dumps(result, indent=2))
    else:
        out.print()
        print_summary(result)
        _where_next(settings, found)
    failed = problems(result)
    for problem in failed:
        err.print(f"the demo failed: {problem}")
    raise typer.Exit(1 if failed else 0)


def _run(engine: Engine, settings: Settings, world: World, report: DemoReport) -> dict[str, Any]:
    home = settings.fusion_home / "demo"
    with _step(report, "prepare"):
        _fresh_warehouse(engine)
        shutil.rmtree(home, ignore_errors=True)
        shutil.rmtree(settings.drop_folder, ignore_errors=True)
        home.mkdir(parents=True)
        url = url_of(engine)
        keys = make_services(engine)
        from dagster_project.instance import enter

        enter(url, settings)
        from cli.pipeline import Pipeline
    with (
        sandbox_odoo(settings, home / "odoo.sqlite", world.demo_date),
        endpoint(url, free_port(), home / "endpoint.log") as base,
    ):
        client = connect_from(load_settings())
        with _step(report, "seed Odoo"):
            bootstrap(client)
            seed(client, world)
        with _step(report, "old invoices and costs"):
            write_costs(world, settings.drop_folder / "costs")
            write_old_invoices(world, settings.drop_folder)
        api = f"{base}/api/billing/v1"
        with _step(report, "post counters"):
            report.counters += post_traffic(api, keys, posts(world, phase=INITIAL))
        with Pipeline(home / "dagster.log") as pipeline:
            with _step(report, "build, bill, push"):
                pipeline.daily_billing(world.demo_date)
            with _step(report, "Odoo invoices"):
                _edit_by_hand(client, world)
                invoice_due(client, on=world.demo_date)
            with _step(report, "late counters"):
                report.counters += post_traffic(api, keys, posts(world, phase=LATE))
            with _step(report, "adjust, reconcile, export"):
                pipeline.daily_billing(world.demo_date)
        with _step(report, "run and push again"):
            again = bill(engine, settings, run_date=world.demo_date)
            pushed = push(engine, client, database="demo")
            report.second_run = {"lines": again.lines, "pushed": pushed.created}
        report.files = sorted(
            str(path) for path in settings.exports_folder.rglob("*") if path.is_file()
        )
        return summary(engine, client, world, report)


@contextlib.contextmanager
def _step(report: DemoReport, name: str) -> Iterator[None]:
    started = time.monotonic()
    err.print(f"… {name}")
    yield
    report.seconds[name] = round(time.monotonic() - started, 1)


def _fresh_warehouse(engine: Engine) -> None:
    """Empties a warehouse that holds an earlier demo's world; refuses any other data."""
    with engine.begin() as connection:
        mark = connection.execute(
            sa.text("select obj_description(to_regnamespace('raw'), 'pg_namespace')")
        ).scalar_one()
        landed = connection.execute(sa.text("select to_regclass('raw.usage_counter')")).scalar_one()
        if landed is not None and mark != _MARK:
            rows = connection.execute(
                sa.text("select exists (select from raw.usage_counter)")
            ).scalar_one()
            if rows:
                raise DemoError(
                    "The warehouse holds counters that are not the demo's. Use another DATABASE_URL"
                    " or FUSION_HOME, or `make clean` to throw the local one away."
                )
        for schema in ("marts", "intermediate", "staging", "ops", "raw", "dagster"):
            connection.execute(sa.text(f"drop schema if exists {schema} cascade"))
    migrate(engine)
    with engine.begin() as connection:
        connection.execute(sa.text(f"comment on schema raw is '{_MARK}'"))


def make_services(engine: Engine) -> dict[str, str]:
    """The world's services, each with a key."""
    for code, name in SERVICES.items():
        add_service(engine, code, name)
    return {code: create_key(engine, code) for code in SERVICES}


@contextlib.contextmanager
def sandbox_odoo(settings: Settings, state: Path, day: date) -> Iterator[None]:
    """The double, and the environment that names it; nothing where ODOO_URL names an Odoo."""
    if settings.odoo_url is not None:
        yield
        return
    with running_double(state, today=day) as url:
        os.environ.update({"ODOO_URL": url, "ODOO_DB": "sandbox", "ODOO_API_KEY": "admin"})
        yield


def write_old_invoices(world: World, drop: Path) -> None:
    """What the apps billed, into the drop folder by source and service."""
    for source, paths in (
        ("lago", write_lago_invoices(world, drop / "unsorted")),
        ("stripe", write_stripe_invoices(world, drop / "unsorted")),
    ):
        for path in paths:
            service = path.name.split("-")[1]
            (drop / source / service).mkdir(parents=True, exist_ok=True)
            path.rename(drop / source / service / path.name)
    (drop / "unsorted").rmdir()


def _edit_by_hand(client: OdooClient, world: World) -> None:
    """Somebody halves a pushed line in Odoo: the planted `manual_change`."""
    for case in world.planted_differences():
        if case.kind != "manual_change":
            continue
        lines = client.search_read(
            "sale.order.line",
            [
                ("order_id.x_fc_external_id", "=", case.external_subscription_id),
                ("x_fc_line_key", "like", case.metric_code),
                ("x_fc_period_start", "=", case.month.isoformat()),
            ],
            ["qty_delivered"],
        )
        for line in lines:
            client.write(
                "sale.order.line", [line["id"]], {"qty_delivered": line["qty_delivered"] / 2}
            )


def _where_next(settings: Settings, found: Path) -> None:
    files = sorted(settings.exports_folder.rglob("*.xlsx"))
    out.print()
    for file in files:
        out.print(f"Workbook   {file}")
    out.print(f"Summary    {found}")
    out.print("Next       make up            the same world in the Dagster UI")
    out.print("           fusion-billing reconcile   every difference with its reason")


__all__ = ["DemoError", "PostCounts", "register"]
