"""Which phase of its cutover each billed period is under, and where its lines go in Odoo.

One query for all that ask: the push, the close of a month, the gate. dbt's macro phase_of says the
same of every period, billed or not.
"""

from __future__ import annotations

from enum import StrEnum

import sqlalchemy as sa


class Phase(StrEnum):
    """In order: a service moves forward one at a time."""

    SHADOW = "shadow"  # compute only
    DUAL_RUN = "dual_run"  # the old biller bills, Odoo holds drafts to compare
    LIVE = "live"  # Odoo bills
    RETIRED = "retired"  # the same, and the old biller is off

    @property
    def next(self) -> Phase | None:
        return dict(zip(Phase, list(Phase)[1:], strict=False)).get(self)

    @property
    def previous(self) -> Phase | None:
        return dict(zip(list(Phase)[1:], Phase, strict=False)).get(self)


# `routed` has a row per ledger line: its phase, its state in Odoo, and its route: `none` is never
# sent, `draft` goes onto the dual-run draft of its period, `order` onto the subscription's order.
#
# A period is under the newest decision that reaches its first day. Its lines stay together: where
# one stands on a draft, or on the order, the others follow, whatever is decided later; else an
# adjustment would correct on one what was billed on the other. A row of ops.odoo_push with another
# order than the ledger's is one of a draft.
_ROUTED = """
    decided as (
        select
            periods.service_code,
            periods.period_start,
            coalesce(decision.phase, 'shadow') as phase,
            -- Old biller off, though Odoo never began: nobody is to be billed by surprise.
            decision.phase = 'retired' and not exists (
                select from ops.cutover as earlier
                where
                    earlier.service_code = periods.service_code
                    and earlier.phase = 'live'
                    and earlier.change_id < decision.change_id
            ) as is_never_live
        from (select distinct service_code, period_start from ops.billed_line) as periods
        left join lateral (
            select cutover.change_id, cutover.phase
            from ops.cutover
            where
                cutover.service_code = periods.service_code
                and (
                    cutover.effective_from is null
                    or cutover.effective_from <= periods.period_start
                )
            order by cutover.change_id desc
            limit 1
        ) as decision on true
    ),

    standing as (
        select
            billed.subscription_key,
            billed.period_start,
            bool_or(pushed.odoo_order_id <> billed.odoo_order_id) as is_on_draft
        from ops.odoo_push as pushed
        inner join ops.billed_line as billed
            on pushed.line_key = billed.line_key
        where
            pushed.state not in ('planned', 'refused')
            or pushed.odoo_order_id <> billed.odoo_order_id
        group by 1, 2
    ),

    routed as (
        select
            billed.line_key,
            billed.service_code,
            billed.period_start,
            billed.period_end,
            billed.amount,
            decided.phase,
            case
                when decided.phase = 'shadow' or decided.is_never_live then 'none'
                when standing.is_on_draft then 'draft'
                when standing.is_on_draft is null and decided.phase = 'dual_run' then 'draft'
                else 'order'
            end as route,
            coalesce(pushed.state, 'planned') as state,
            pushed.problem
        from ops.billed_line as billed
        inner join decided
            on
                billed.service_code = decided.service_code
                and billed.period_start = decided.period_start
        left join standing
            on
                billed.subscription_key = standing.subscription_key
                and billed.period_start = standing.period_start
        left join ops.odoo_push as pushed
            on billed.line_key = pushed.line_key
    ),

    -- What the push still has to do, and a close waits for.
    unsettled as (
        select *
        from routed
        where
            (route = 'draft' and state <> 'drafted')
            or (route = 'order' and state not in ('verified', 'invoiced'))
    )
"""


def routed(query: str) -> sa.TextClause:
    """The query with the relations `routed` and `unsettled` before it."""
    return sa.text(f"with {_ROUTED} {query}")
