"""The gate to a service's next phase: what a number of closed months in a row must have shown.

Months are finance's: a period counts in the month of its last day. Only the present stay in a phase
counts, that is periods under the newest decision, in months that do not begin before it takes
effect and end after it was made. So a service that goes back, and comes again, begins anew.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from exports.billing_run import last_period_end
from exports.cutover.decisions import Decision, newest
from exports.cutover.month_parity import Acceptable, MonthParity, Stay, reasons
from exports.cutover.phases import Phase, routed
from exports.finance.checks import NEWER, newer_sources
from warehouse.settings import Settings

_PARITY = sa.text("""
    select
        month, lines, matched, explained, unexplained, not_compared, base_fees_in_shadow,
        unexplained_cents, by_reason
    from marts.rpt_parity
    where
        service_code = :service
        and phase = :phase
        and phase_since is not distinct from cast(:since as date)
        and month = any(:months)
""")
_USAGE = sa.text("""
    select
        month,
        coalesce(sum(counters) filter (where bucket = 'unattributed'), 0)::bigint as unattributed,
        max(abs(counters_difference)) as counters_difference,
        max(abs(quantity_difference)) as quantity_difference
    from marts.fct_usage_conservation
    where service_code = :service and month = any(:months)
    group by 1
""")
_IS_METERED = sa.text("""
    select
        exists (select from raw.usage_counter where service_code = :service)
        or exists (
            select from intermediate.int_subscription_periods as periods
            inner join marts.dim_charge as charges
                on periods.plan_code = charges.plan_code
            where periods.service_code = :service
        )
""")
_NOT_BILLED = sa.text("""
    select date_trunc('month', periods.period_end - 1)::date as month, count(*) as periods
    from intermediate.int_subscription_periods as periods
    left join intermediate.int_period_closings as closings
        on
            periods.subscription_key = closings.subscription_key
            and periods.period_start = closings.period_start
    where
        periods.service_code = :service
        and closings.closed_by_run is null
        and date_trunc('month', periods.period_end - 1)::date = any(:months)
    group by 1
""")
_IN_ODOO = routed("""
    select
        date_trunc('month', routed.period_end - 1)::date as month,
        count(unsettled.line_key) as not_in_odoo,
        count(*) filter (where routed.state = 'drafted' and routed.problem is not null)
            as spoiled_drafts,
        count(*) - count(marts.line_key) as not_in_marts
    from routed
    left join unsettled
        on routed.line_key = unsettled.line_key
    left join marts.fct_billed_lines as marts
        on routed.line_key = marts.line_key
    where
        routed.service_code = :service
        and routed.phase = :phase
        and (cast(:since as date) is null or routed.period_start >= :since)
        and date_trunc('month', routed.period_end - 1)::date = any(:months)
    group by 1
""")
_NEWER = sa.text(NEWER.sql)

_COUNTS = ("lines", "matched", "explained", "unexplained", "not_compared", "base_fees_in_shadow")
_NOT_BUILT = (
    "nothing is reconciled yet: `fusion-billing run`, `fusion-billing odoo mirror`, then"
    " `fusion-billing reconcile`"
)


@dataclass(frozen=True)
class Gate:
    """`phase` is that of the newest decision, `since` its first day (None: from all time),
    `decided_on` the day it was made, `today` the phase of a period that begins today. `accepted` is
    what somebody answers for, `reasons` is empty where the gate holds."""

    service_code: str
    phase: Phase
    since: dt.date | None
    decided_on: dt.date | None
    today: Phase
    next_phase: Phase | None
    periods: int
    tolerance: Decimal
    accepted: Acceptable | None
    months: tuple[MonthParity, ...]
    reasons: tuple[str, ...]

    @property
    def holds(self) -> bool:
        return not self.reasons


def gate(
    connection: Connection,
    settings: Settings,
    service_code: str,
    *,
    today: dt.date,
    periods: int | None = None,
    accepted: Acceptable | None = None,
) -> Gate:
    """The gate as the marts say it; shut where they are older than what they are built from."""
    stay = _stay(newest(connection, service_code), settings)
    phase = stay.phase
    wanted = periods or settings.cutover_periods
    months = _months(last_period_end(today, settings), wanted)
    found: tuple[MonthParity, ...] = ()
    against: list[str] = []
    if phase.next:
        try:
            with connection.begin_nested():
                against += _out_of_date(connection)
                found = _parity(connection, service_code, stay, months)
        except sa.exc.ProgrammingError:
            against = [_NOT_BUILT]
        against += [
            f"{month.month:%Y-%m}: {reason}"
            for month in found
            for reason in reasons(month, service_code, stay, settings.cutover_tolerance, accepted)
        ]
    return Gate(
        service_code=service_code,
        phase=phase,
        since=stay.since,
        decided_on=stay.decided_on,
        today=_phase_on(connection, service_code, today),
        next_phase=phase.next,
        periods=wanted,
        tolerance=settings.cutover_tolerance,
        accepted=accepted,
        months=found,
        reasons=tuple(against),
    )


def _stay(decision: Decision | None, settings: Settings) -> Stay:
    if decision is None:
        return Stay(Phase.SHADOW)
    if decision.effective_from is None or decision.changed_at is None:
        return Stay(decision.phase)
    decided_on = decision.changed_at.astimezone(settings.zone).date()
    return Stay(decision.phase, decision.effective_from, decided_on)


def _months(end: dt.date, count: int) -> list[dt.date]:
    """The last `count` months of which every period has ended and outlived its grace by `end`."""
    month = end.replace(day=1)
    found: list[dt.date] = []
    for _ in range(count):
        month = (month - dt.timedelta(days=1)).replace(day=1)
        found.append(month)
    return found[::-1]


def _phase_on(connection: Connection, service_code: str, day: dt.date) -> Phase:
    query = sa.text("""
        select phase from ops.cutover
        where service_code = :service and (effective_from is null or effective_from <= :day)
        order by change_id desc limit 1
    """)
    found = connection.execute(query, {"service": service_code, "day": day}).scalar_one_or_none()
    return Phase(found or Phase.SHADOW)


def _out_of_date(connection: Connection) -> list[str]:
    """What was rated, imported or mirrored since may agree with nothing: a close waits as well."""
    since = newer_sources(connection.execute(_NEWER).one()._asdict())
    if not since:
        return []
    return [f"finance's marts are older than {', '.join(since)}: `fusion-billing reconcile`"]


def _parity(
    connection: Connection,
    service_code: str,
    stay: Stay,
    months: list[dt.date],
) -> tuple[MonthParity, ...]:
    """The months' figures, zero where a month is none of the stay. ProgrammingError where dbt has
    not built the marts."""
    asked = {
        "service": service_code,
        "phase": stay.phase.value,
        "since": stay.since,
        "months": [month for month in months if not stay.against(month)],
    }

    def by_month(query: sa.TextClause) -> dict[dt.date, Any]:
        return {row.month: row for row in connection.execute(query, asked)}

    parity, usage = by_month(_PARITY), by_month(_USAGE)
    not_billed, in_odoo = by_month(_NOT_BILLED), by_month(_IN_ODOO)
    is_metered: bool = connection.execute(_IS_METERED, asked).scalar_one()
    found = []
    for month in months:
        values: dict[str, Any] = {"is_metered": is_metered}
        if month in parity:
            row = parity[month]
            values |= {name: getattr(row, name) for name in _COUNTS}
            values["unexplained_amount"] = Decimal(row.unexplained_cents) / 100
            values["unlinked"] = row.by_reason.get("unlinked_account", 0)
            values["missing_in_app"] = row.by_reason.get("missing_in_app", 0)
        if month in usage:
            row = usage[month]
            values["unattributed_counters"] = row.unattributed
            values["conservation_difference"] = max(
                Decimal(row.counters_difference), row.quantity_difference
            )
        if month in not_billed:
            values["not_billed"] = not_billed[month].periods
        if month in in_odoo:
            row = in_odoo[month]
            places = ("not_in_odoo", "spoiled_drafts", "not_in_marts")
            values |= {name: getattr(row, name) for name in places}
        found.append(MonthParity(month, **values))
    return tuple(found)
