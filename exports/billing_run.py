"""The billing run: ledger += desired - ledger, for every period that ended and outlived its grace.

The first run of a period writes its lines; any later difference (late usage, a revision, a
corrected price, a cancelled subscription) becomes a signed adjustment that names its period and
reason. Run it twice, and the second run writes nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal, localcontext
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from exports.canonical import lines_sha256
from exports.catalog_version import catalog_sha256
from exports.ledger_differences import Scope, counts, differences
from warehouse.locks import BILLING_RUN, advisory_lock
from warehouse.services import require_service
from warehouse.settings import Settings
from warehouse.tables import billed_line, billing_run
from warehouse.version import code_version


class BillingRunError(Exception):
    """The run wrote nothing. The message names the reason and the next command."""


class MassCorrectionError(BillingRunError):
    """More of what was billed would be corrected at once than a slip or two explains."""


# Late usage is not counted: it is expected, and it only ever concerns what came in.
CORRECTIONS = ("correction", "void")
MANY = 20
LARGEST_SHARE = Decimal("0.05")


@dataclass(frozen=True)
class RunResult:
    """What a run appended. `run_id` is None where there was nothing to append."""

    run_id: int | None
    run_date: date
    lines: int
    adjustments: int
    amount: Decimal  # net, sum over lines, in the lines' currency
    lines_sha256: str
    by_service: dict[str, int]
    by_reason: dict[str, int]  # period, late_usage, correction, void → lines
    lines_desired: int  # rated lines that the run answered for
    counters_rated: int  # the counters behind them


_BUILD = sa.text("""
    select
        finished.build_id,
        finished.snapshot_build_id,
        finished.high_water_xid,
        snapshot.build_id as current_snapshot
    from marts.rpt_rating_build as finished
    cross join staging.stg_usage__snapshot as snapshot
""")


def last_period_end(run_date: date, settings: Settings) -> date:
    """The latest (exclusive) period end that a run of this date bills: the local day that was
    beginning, or had begun, `USAGE_GRACE_HOURS` before the run's date began."""
    begins = datetime.combine(run_date, time(), settings.zone).astimezone(UTC)
    outlived = begins - timedelta(hours=settings.usage_grace_hours)
    return outlived.astimezone(settings.zone).date()


def bill(
    engine: Engine,
    settings: Settings,
    *,
    run_date: date,
    service_code: str | None = None,
    dry_run: bool = False,
    accept_corrections: bool = False,
) -> RunResult:
    """Appends what is missing from the ledger, all of it or none, under one advisory lock.

    Bills periods that ended, grace included, before `run_date` began in company time; a line that
    is in the ledger already is compared whatever the date. Raises BillingRunError where the marts
    are not one finished and tested build; UnknownServiceError; MassCorrectionError, unless told to
    accept them, before many billed lines would be corrected.
    """
    if run_date > datetime.now(settings.zone).date():
        raise BillingRunError(
            f"{run_date} is in the future: its periods have not ended. Use today."
        )
    with engine.begin() as connection:
        advisory_lock(connection, BILLING_RUN)
        if service_code is not None:
            require_service(connection, service_code)
        build = _finished_build(connection)
        scope = Scope(last_period_end(run_date, settings), service_code)
        lines = differences(connection, scope)
        counted = counts(connection, scope)
        catalog = catalog_sha256(connection)
        if _finished_build(connection) != build:
            raise BillingRunError("dbt rebuilt the marts during the run. Run it again.")
        result = RunResult(
            run_id=None,
            run_date=run_date,
            lines=len(lines),
            adjustments=sum(1 for line in lines if line["adjustment_no"] > 0),
            amount=_exact_sum(line["amount"] for line in lines),
            lines_sha256=lines_sha256(lines),
            by_service=dict(sorted(Counter(line["service_code"] for line in lines).items())),
            by_reason=dict(sorted(Counter(line["reason"] for line in lines).items())),
            lines_desired=counted.lines_desired,
            counters_rated=counted.counters_rated,
        )
        if not (dry_run or accept_corrections):
            _require_few_corrections(connection, lines)
        if dry_run or not (lines or _closes_a_date(connection, run_date, service_code)):
            return result
        run_id: int = connection.execute(
            sa.insert(billing_run).returning(billing_run.c.run_id),
            {
                "run_date": run_date,
                "service_code": service_code,
                "build_id": build["build_id"],
                "high_water_xid": str(build["high_water_xid"]),
                "catalog_sha256": catalog,
                "code_version": code_version(),
                "lines": result.lines,
                "adjustments": result.adjustments,
                "amount": result.amount,
                "lines_sha256": result.lines_sha256,
                "lines_desired": counted.lines_desired,
                "counters_rated": counted.counters_rated,
            },
        ).scalar_one()
        if lines:
            connection.execute(
                sa.insert(billed_line), [{**line, "run_id": run_id} for line in lines]
            )
        return replace(result, run_id=run_id)


def _exact_sum(amounts: Iterable[Decimal]) -> Decimal:
    """A counter may have 38 digits; Python's default context would round the sum to 28."""
    with localcontext(prec=1000):
        return sum(amounts, Decimal(0))


def _require_few_corrections(connection: Connection, lines: Sequence[dict[str, Any]]) -> None:
    corrections = [line for line in lines if line["reason"] in CORRECTIONS]
    corrected = {line["rated_line_key"] for line in corrections}
    billed: int = connection.execute(
        sa.select(sa.func.count(sa.distinct(billed_line.c.rated_line_key)))
    ).scalar_one()
    if len(corrected) < MANY or len(corrected) <= billed * LARGEST_SHARE:
        return
    amount = _exact_sum(line["amount"] for line in corrections)
    raise MassCorrectionError(
        f"The run would correct {len(corrected)} of {billed} billed lines by {amount} in all, more"
        " than late usage explains: a price, a plan, a link or an order changed for past periods?"
        " `fusion-billing run --dry-run` shows them, `--accept-corrections` writes them."
    )


def _finished_build(connection: Connection) -> dict[str, Any]:
    try:
        with connection.begin_nested():
            build = connection.execute(_BUILD).mappings().one_or_none()
    except sa.exc.ProgrammingError:
        build = None
    if build is None:
        raise BillingRunError(
            "Nothing is rated yet. `fusion-billing run` without --no-build builds it."
        )
    if not build["build_id"] == build["snapshot_build_id"] == build["current_snapshot"]:
        raise BillingRunError(
            "The last dbt build did not finish, or a test before the ledger failed: nothing is "
            "billed from it. See the failing check in Dagster, or run "
            "`fusion-billing run` to build again."
        )
    return dict(build)


def _closes_a_date(connection: Connection, run_date: date, service_code: str | None) -> bool:
    """Whether this run is the first to reach its date. It is then recorded even without lines:
    usage that comes after it for a period within the quota is late all the same."""
    reached = connection.execute(
        sa.select(sa.func.count())
        .select_from(billing_run)
        .where(
            billing_run.c.run_date >= run_date,
            sa.or_(
                billing_run.c.service_code.is_(None),
                billing_run.c.service_code == service_code,
            ),
        )
    ).scalar_one()
    return bool(reached == 0)
