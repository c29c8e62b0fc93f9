"""Who bills a service: its phase, the gate to the next one, and how well the bills agree."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

import sqlalchemy as sa
import typer

from cli.options import (
    DryRunOption,
    FormatOption,
    login_name,
    parse_date,
    require_service,
    today,
    warehouse,
)
from cli.output import Format, out, show
from exports.cutover.decisions import CutoverError, Decision, history
from exports.cutover.gate import Gate
from exports.cutover.month_parity import Acceptable
from exports.cutover.moving import advance, back, status
from exports.cutover.phases import Phase
from warehouse.settings import settings

group = typer.Typer(
    help="Who bills a service: shadow, dual run, live, retired.", no_args_is_help=True
)
_PARITY = sa.text("""
    select service_code, month, phase, phase_since, lines, compared, matched, explained,
        unexplained, not_compared, base_fees_in_shadow, matched_pct, explained_pct,
        unexplained_cents, by_reason
    from marts.rpt_parity
    where cast(:service as text) is null or service_code = :service
    order by service_code, month, phase_since nulls first, phase
""")
_IN_TABLE = (
    "service_code",
    "month",
    "phase",
    "compared",
    "matched_pct",
    "explained_pct",
    "unexplained_cents",
    "by_reason",
)


def register(app: typer.Typer) -> None:
    app.add_typer(group, name="cutover")
    app.command("parity")(parity)


CodeArgument = Annotated[str, typer.Argument(metavar="SERVICE", help="The service's code.")]
SomeArgument = Annotated[
    str | None, typer.Argument(metavar="[SERVICE]", help="Only this service.", show_default=False)
]
FromOption = Annotated[
    str,
    typer.Option(
        "--from",
        metavar="D",
        help="First day of the first period under it, a year ahead at most; default: next month's.",
    ),
]
PhaseOption = Annotated[
    Phase | None, typer.Option("--to", help="The phase; default: the neighbouring one.")
]
ByOption = Annotated[
    str, typer.Option("--by", metavar="WHO", help="Who decided; default: your login name.")
]
PeriodsOption = Annotated[
    int | None,
    typer.Option(
        "--periods", min=1, max=24, metavar="N", help="Months in a row; default CUTOVER_PERIODS."
    ),
]
MorePeriodsOption = Annotated[
    int | None,
    typer.Option(
        "--periods",
        min=1,
        max=24,
        metavar="N",
        help="Months in a row; CUTOVER_PERIODS, the default, or more.",
    ),
]
AcceptOption = Annotated[
    Acceptable | None,
    typer.Option(
        "--accept", help="Go on though the app never billed these lines; kept with the decision."
    ),
]


@group.command("status")
def cutover_status(
    service: SomeArgument = None,
    periods: PeriodsOption = None,
    format_: FormatOption = Format.TABLE,
) -> None:
    """Each service's phase, since when, and what its gate to the next one lacks; 1 if one that
    was named lacks something."""
    with warehouse() as engine:
        gates = status(engine, settings(), today=today(), service_code=service, periods=periods)
    if format_ is Format.JSON:
        show([{**asdict(each), "holds": each.holds} for each in gates], format_)
    else:
        show([_row(each) for each in gates], format_, title="Cutover")
        if service:
            show([asdict(month) for each in gates for month in each.months], format_)
    raise typer.Exit(1 if service and not all(each.holds for each in gates) else 0)


def _row(found: Gate) -> dict[str, Any]:
    if found.next_phase is None:
        told: Any = "the last phase"
    else:
        told = list(found.reasons) or f"open: {found.periods} months agree"
    return {
        "service": found.service_code,
        "phase": found.phase,
        "since": found.since or ("the beginning" if found.phase != Phase.SHADOW else None),
        "today": found.today,
        "next_phase": found.next_phase,
        "gate": told,
    }


@group.command("advance")
def cutover_advance(
    service: CodeArgument,
    from_: FromOption = "",
    to: PhaseOption = None,
    note: Annotated[str, typer.Option("--note", help="Why; needed on the way back.")] = "",
    by: ByOption = "",
    periods: MorePeriodsOption = None,
    accept: AcceptOption = None,
    dry_run: DryRunOption = False,
    format_: FormatOption = Format.TABLE,
) -> None:
    """Move a service one phase on; refused, with all reasons, unless its gate is open."""
    with warehouse() as engine:
        decision = advance(
            engine,
            settings(),
            service,
            today=today(),
            by=by or login_name(),
            to=to,
            effective_from=parse_date(from_) if from_ else None,
            note=note or None,
            periods=periods,
            accepted=accept,
            dry_run=dry_run,
        )
    _told(decision, format_, dry_run=dry_run)


@group.command("back")
def cutover_back(
    service: CodeArgument,
    note: Annotated[str, typer.Option("--note", help="Why; it is kept.")],
    from_: FromOption = "",
    to: PhaseOption = None,
    by: ByOption = "",
    dry_run: DryRunOption = False,
    format_: FormatOption = Format.TABLE,
) -> None:
    """Move a service back, without a gate. What stands in Odoo stays there."""
    with warehouse() as engine:
        decision = back(
            engine,
            service,
            today=today(),
            by=by or login_name(),
            note=note,
            to=to,
            effective_from=parse_date(from_) if from_ else None,
            dry_run=dry_run,
        )
    _told(decision, format_, dry_run=dry_run)


def _told(decision: Decision, format_: Format, *, dry_run: bool) -> None:
    values = asdict(decision)
    if format_ is Format.TABLE:
        values = {name: each for name, each in values.items() if name != "gate" and each}
    show(values, format_, title="Would decide" if dry_run else "Decided")


@group.command("history")
def cutover_history(service: CodeArgument, format_: FormatOption = Format.TABLE) -> None:
    """Every decision on a service: when, by whom, why, and what the gate said then (JSON)."""
    with warehouse() as engine:
        rows = [asdict(decision) for decision in history(engine, service)]
    if format_ is Format.TABLE:
        names = ("change_id", "phase", "effective_from", "changed_by", "changed_at", "note")
        rows = [{name: row[name] for name in names} for row in rows]
        if not rows:
            out.print(f"{service} is in shadow: nothing was ever decided.")
            return
    show(rows, format_, title=f"Decisions on {service}")


def parity(service: SomeArgument = None, format_: FormatOption = Format.TABLE) -> None:
    """How well app, platform and Odoo agree, by service and month, as last reconciled."""
    with warehouse() as engine:
        require_service(engine, service)
        try:
            with engine.connect() as connection:
                found = connection.execute(_PARITY, {"service": service}).mappings()
                rows = [dict(row) for row in found]
        except sa.exc.ProgrammingError:
            raise CutoverError(
                "Nothing is reconciled yet: `fusion-billing reconcile` does it."
            ) from None
    if format_ is Format.TABLE:
        rows = [
            {name: f"{row[name]:%Y-%m}" if name == "month" else row[name] for name in _IN_TABLE}
            for row in rows
        ]
    show(rows, format_, title="Parity")
