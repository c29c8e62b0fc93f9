"""The billing run: ledger += desired - ledger, for every period that ended and outlived its grace.

The first run of a period writes its lines; any later difference (late usage, a revision, a
corrected price) becomes a signed adjustment that names the period. Run it twice, and the second
run writes nothing.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal, localcontext
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from exports.canonical import lines_sha256
from warehouse.locks import BILLING_RUN, advisory_lock
from warehouse.settings import Settings
from warehouse.tables import billed_line, billing_run, service
from warehouse.version import code_version


class BillingRunError(Exception):
    """The run wrote nothing. The message names the reason and the next command."""


class MassCorrectionError(BillingRunError):
    """More of what was billed would be corrected at once than a slip or two explains."""


# Late usage is not counted: it is expected, and it only ever concerns what came in.
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


_BUILD = sa.text("""
    select
        finished.build_id,
        finished.snapshot_build_id,
        finished.high_water_xid,
        snapshot.build_id as current_snapshot
    from marts.rpt_rating_build as finished
    cross join staging.stg_usage__snapshot as snapshot
""")

# Everything that a line is billed by is compared; quantity_used alone (usage within the quota)
# moves no money and is no difference.
_DIFFERENCES = sa.text("""
    with desired as (
        select
            rated.*,
            subscriptions.odoo_order_id
        from marts.fct_rated_lines as rated
        inner join marts.dim_subscription as subscriptions
            on rated.subscription_key = subscriptions.subscription_key
        where
            (
                rated.period_end <= :last_period_end
                or rated.line_key in (select rated_line_key from ops.billed_line)
            )
            and (cast(:service as text) is null or rated.service_code = :service)
    ),

    ledger as (
        select
            rated_line_key,
            currency,
            max(adjustment_no) as adjustment_no,
            sum(quantity_used) as quantity_used,
            sum(quantity_included) as quantity_included,
            sum(quantity_billed) as quantity_billed,
            sum(amount) as amount,
            sum(amount_precise) as amount_precise,
            (array_agg(unit_price order by adjustment_no desc))[1] as unit_price
        from ops.billed_line
        where cast(:service as text) is null or service_code = :service
        group by rated_line_key, currency
    ),

    ledger_lines as (
        select ledger.*, latest.service_code, latest.account_key, latest.subscription_key,
            latest.odoo_order_id, latest.plan_code, latest.metric_code, latest.charge_key,
            latest.period_start, latest.period_end, latest.tier
        from ledger
        inner join ops.billed_line as latest
            on ledger.rated_line_key = latest.rated_line_key
            and ledger.adjustment_no = latest.adjustment_no
    ),

    -- Over all currencies: the key of a line carries none.
    numbers as (
        select rated_line_key, max(adjustment_no) as last_adjustment_no
        from ops.billed_line
        group by rated_line_key
    ),

    late as (
        select subscription_key, charge_key, period_start, sum(late_counters) as late_counters
        from intermediate.int_usage_daily
        group by 1, 2, 3
    )

    select
        coalesce(desired.line_key, ledger_lines.rated_line_key) as rated_line_key,
        coalesce(numbers.last_adjustment_no, -1) as last_adjustment_no,
        case
            when coalesce(desired.quantity_used, 0) <> coalesce(ledger_lines.quantity_used, 0)
                and late.late_counters > 0 then 'late_usage'
            when numbers.rated_line_key is null then 'period'
            else 'correction'
        end as reason,
        coalesce(desired.service_code, ledger_lines.service_code) as service_code,
        coalesce(desired.account_key, ledger_lines.account_key) as account_key,
        coalesce(desired.subscription_key, ledger_lines.subscription_key) as subscription_key,
        coalesce(desired.odoo_order_id, ledger_lines.odoo_order_id) as odoo_order_id,
        coalesce(desired.plan_code, ledger_lines.plan_code) as plan_code,
        coalesce(desired.metric_code, ledger_lines.metric_code) as metric_code,
        coalesce(desired.charge_key, ledger_lines.charge_key) as charge_key,
        coalesce(desired.period_start, ledger_lines.period_start) as period_start,
        coalesce(desired.period_end, ledger_lines.period_end) as period_end,
        coalesce(desired.tier, ledger_lines.tier) as tier,
        coalesce(desired.quantity_used, 0) - coalesce(ledger_lines.quantity_used, 0)
            as quantity_used,
        coalesce(desired.quantity_included, 0) - coalesce(ledger_lines.quantity_included, 0)
            as quantity_included,
        coalesce(desired.quantity_billed, 0) - coalesce(ledger_lines.quantity_billed, 0)
            as quantity_billed,
        coalesce(desired.unit_price, ledger_lines.unit_price) as unit_price,
        coalesce(desired.amount, 0) - coalesce(ledger_lines.amount, 0) as amount,
        coalesce(desired.amount_precise, 0) - coalesce(ledger_lines.amount_precise, 0)
            as amount_precise,
        coalesce(desired.currency, ledger_lines.currency) as currency
    from desired
    full join ledger_lines
        on desired.line_key = ledger_lines.rated_line_key
        and desired.currency = ledger_lines.currency
    left join numbers
        on coalesce(desired.line_key, ledger_lines.rated_line_key) = numbers.rated_line_key
    left join late
        on desired.subscription_key = late.subscription_key
        and desired.charge_key = late.charge_key
        and desired.period_start = late.period_start
    where
        coalesce(desired.quantity_billed, 0) <> coalesce(ledger_lines.quantity_billed, 0)
        or coalesce(desired.amount, 0) <> coalesce(ledger_lines.amount, 0)
    -- What is taken back in an old currency comes before what is billed in the new one.
    order by 1, desired.line_key is not null
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
    are not one finished and tested build, or the service is unknown; MassCorrectionError, unless
    told to accept them, before many billed lines would be corrected.
    """
    if run_date > datetime.now(settings.zone).date():
        raise BillingRunError(
            f"{run_date} is in the future: its periods have not ended. Use today."
        )
    with engine.begin() as connection:
        advisory_lock(connection, BILLING_RUN)
        _require_service(connection, service_code)
        build = _finished_build(connection)
        parameters = {
            "last_period_end": last_period_end(run_date, settings),
            "service": service_code,
        }
        lines = _numbered(connection.execute(_DIFFERENCES, parameters).mappings().all())
        catalog = _catalog_sha256(connection)
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
    corrected = {line["rated_line_key"] for line in lines if line["reason"] == "correction"}
    billed: int = connection.execute(
        sa.select(sa.func.count(sa.distinct(billed_line.c.rated_line_key)))
    ).scalar_one()
    if len(corrected) < MANY or len(corrected) <= billed * LARGEST_SHARE:
        return
    amount = _exact_sum(line["amount"] for line in lines if line["reason"] == "correction")
    raise MassCorrectionError(
        f"The run would correct {len(corrected)} of {billed} billed lines by {amount} in all, more"
        " than late usage explains: a price, a plan, a link or an order changed for past periods?"
        " `fusion-billing run --dry-run` shows them, `--accept-corrections` writes them."
    )


def _require_service(connection: Connection, service_code: str | None) -> None:
    if service_code is None:
        return
    known = [str(row[0]) for row in connection.execute(sa.select(service.c.service_code))]
    if service_code not in known:
        raise BillingRunError(
            f"There is no service {service_code!r}. Known: {', '.join(sorted(known)) or 'none'}; "
            "`fusion-billing service add` adds one."
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


def _catalog_sha256(connection: Connection) -> str:
    """Hash of every charge that could have priced a line, in a fixed order and form."""
    charges = connection.execute(
        sa.text("""
            select charge_key, metric_code, charge_model, trim_scale(unit_price)::text,
                trim_scale(quantity_included)::text, currency
            from marts.dim_charge order by charge_key collate "C"
        """)
    ).all()
    text = "".join("|".join(str(value) for value in charge) + "\n" for charge in charges)
    return hashlib.sha256(text.encode()).hexdigest()


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


def _numbered(rows: Sequence[Any]) -> list[dict[str, Any]]:
    """Gives each difference its adjustment number and key: the next of its line, 0 the first."""
    numbers: dict[str, int] = {}
    lines = []
    for row in rows:
        line = dict(row)
        rated_key = line["rated_line_key"]
        last: int = line.pop("last_adjustment_no")
        number = numbers.get(rated_key, last) + 1
        numbers[rated_key] = number
        lines.append(
            {
                **line,
                "adjustment_no": number,
                "line_key": rated_key if number == 0 else f"{rated_key}~{number}",
            }
        )
    return lines
