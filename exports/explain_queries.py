"""The queries behind `explain`, one a part; `:key` is a line's, the rest its charge and period."""

from __future__ import annotations

import sqlalchemy as sa

LINES = sa.text("""
    select
        lines.*, runs.run_date, runs.run_at, runs.build_id,
        runs.high_water_xid::text as high_water_xid, runs.catalog_sha256, runs.code_version
    from ops.billed_line as lines
    inner join ops.billing_run as runs on lines.run_id = runs.run_id
    where lines.rated_line_key = coalesce(
        (select rated_line_key from ops.billed_line where line_key = :key), :key
    )
    order by lines.adjustment_no
""")

RATED = sa.text("select * from marts.fct_rated_lines where line_key = :key")

PRICE = sa.text("""
    select * from marts.dim_charge_version
    where
        charge_key = regexp_replace(:charge_key, '/true_up$', '')
        and :period_start >= coalesce(valid_from, '-infinity')
        and :period_start <= coalesce(valid_to, 'infinity')
""")

TIERS = sa.text("""
    with lines as (
        select
            rated_line_key, charge_key, group_key, tier, quantity_used, quantity_included,
            quantity_billed, unit_price, flat_amount, amount, currency, adjustment_no,
            true as is_billed
        from ops.billed_line
        where subscription_key = :subscription_key and period_start = :period_start

        union all

        select
            line_key, charge_key, group_key, tier, quantity_used, quantity_included,
            quantity_billed, unit_price, flat_amount, amount, currency, 0, false
        from marts.fct_rated_lines
        where
            subscription_key = :subscription_key
            and period_start = :period_start
            and line_key not in (select rated_line_key from ops.billed_line)
    )

    select
        rated_line_key as line_key,
        max(group_key) as group_key,
        max(tier) as tier,
        sum(quantity_used) as quantity_used,
        sum(quantity_included) as quantity_included,
        sum(quantity_billed) as quantity_billed,
        (array_agg(unit_price order by adjustment_no desc))[1] as unit_price,
        sum(flat_amount) as flat_amount,
        sum(amount) as amount,
        currency,
        bool_or(is_billed) as is_billed
    from lines
    where charge_key = :charge_group or starts_with(charge_key, :charge_group || '/')
    group by rated_line_key, currency
    order by max(charge_key) collate "C", max(group_key) collate "C", max(tier)
""")

_PLACED = """
    with days as (
        select placed.*, metrics.field_name, metrics.dimension_keys
        from intermediate.int_usage_placed as placed
        left join intermediate.int_metrics_defined as metrics
            on placed.metric_code = metrics.metric_code
        where
            placed.subscription_key = :subscription_key
            and placed.charge_key = :charge_key
            and placed.period_start = :period_start
            and coalesce(placed.group_key, '') = :group_key
    )
"""

DAYS = sa.text(
    _PLACED
    + """
    select
        local_day,
        verdict_reason as verdict,
        is_late,
        sum(counters)::bigint as counters,
        case max(aggregation)
            when 'max' then max(quantity_max)
            when 'last' then (array_agg(quantity_last order by last_window_end desc))[1]
            else sum(quantity_sum)
        end as quantity
    from days
    group by local_day, verdict_reason, is_late
    order by local_day, verdict_reason, is_late
"""
)

# The counters of those day groups, by the properties that tell charges apart. What came in after
# the build is not in the line.
COUNTERS = sa.text(
    _PLACED  # noqa: S608 - constants
    + """,

    day_groups as (
        select distinct
            service_code, external_subscription_id, metric_code, local_day, dimensions,
            fate = 'superseded' as is_superseded, field_name, dimension_keys
        from days
    ),

    landed as (
        select
            counters.*,
            counters.kind <> 'event' and counters.revision < max(counters.revision) over (
                partition by counters.service_code, counters.external_subscription_id,
                    counters.code, counters.window_start, counters.window_end, counters.properties
            ) as is_superseded
        from staging.stg_usage__counters as counters
        inner join staging.stg_usage__batches as batches
            on counters.batch_id = batches.batch_id
        inner join staging.stg_usage__snapshot as snapshot
            on batches.xid < snapshot.high_water_xid
        where (
            counters.service_code, counters.external_subscription_id, counters.code,
            counters.local_day
        ) in (
            select service_code, external_subscription_id, metric_code, local_day from day_groups
        )
    )

    select
        landed.transaction_id,
        landed.local_day,
        landed.window_start,
        landed.window_end,
        landed.kind,
        coalesce(landed.value::text, landed.properties ->> day_groups.field_name) as value,
        landed.revision,
        landed.properties,
        landed.is_superseded,
        landed.received_at
    from landed
    inner join day_groups
        on landed.local_day = day_groups.local_day
        and landed.is_superseded = day_groups.is_superseded
        and day_groups.dimensions = (
            select coalesce(jsonb_object_agg(keys.key, landed.properties ->> keys.key), '{}')
            from unnest(day_groups.dimension_keys) as keys (key)
            where landed.properties ->> keys.key is not null
        )
    order by landed.window_start, landed.received_at, landed.transaction_id collate "C"
    limit :counters
"""
)

PUSHED = sa.text("""
    select state, problem, reason, odoo_order_id, odoo_line_id, subtotal, tax, pushed_at
    from ops.odoo_push
    where line_key = :key
""")

INVOICED = sa.text("""
    select odoo_line_id, odoo_subtotal, odoo_tax, odoo_invoice_id, odoo_invoice_name,
        odoo_invoice_state, odoo_payment_state
    from marts.fct_billed_lines
    where line_key = :key
""")

# Neighbours in the order of keys: mistyped ends stand beside what was meant, by the index alone.
NEAREST = sa.text("""
    (select line_key from ops.billed_line where line_key >= :key order by line_key limit 50)
    union
    (select line_key from ops.billed_line where line_key < :key order by line_key desc limit 50)
    union
    (select line_key from ops.billed_line
        where subscription_key = :subscription order by line_key limit 50)
""")
