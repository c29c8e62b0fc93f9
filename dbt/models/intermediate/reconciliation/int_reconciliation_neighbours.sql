-- Two periods of one item that follow on each other, both of them different, where what the app has
-- too much in one it has too little in the other, or where it billed in one what is ours in the
-- other.

with

sides as (
    select * from {{ ref('int_reconciliation_sides') }}
),

measured as (
    select
        reconciliation_key,
        subscription_key,
        item_type,
        metric_code,
        period_start,
        period_end,
        is_app_compared,
        coalesce(case item_type when 'charge' then app_quantity else app_amount end, 0)
            as app_measure,
        coalesce(case item_type when 'charge' then other_quantity else other_amount end, 0)
            as other_measure,
        coalesce(app_amount, 0) as app_amount,
        coalesce(other_amount, 0) as other_amount
    from sides
    where
        is_linked
        -- What was not imported, or Odoo need not have billed, is not nothing.
        and is_imported
        and (item_type = 'charge' or is_app_compared)
),

different as (
    select *
    from measured
    where
        app_measure <> other_measure
        and app_amount <> other_amount
),

pairs as (
    select
        earlier.reconciliation_key as earlier_key,
        later.reconciliation_key as later_key,
        earlier.period_start as earlier_start,
        later.period_start as later_start
    from different as earlier
    inner join different as later
        on
            earlier.subscription_key = later.subscription_key
            and earlier.item_type = later.item_type
            and earlier.metric_code is not distinct from later.metric_code
            and earlier.period_end = later.period_start
    where
        (earlier.is_app_compared or later.is_app_compared)
        and (
            earlier.app_measure + later.app_measure = earlier.other_measure + later.other_measure
            or (
                later.app_measure = earlier.other_measure
                and later.app_measure <> 0
                and abs(later.app_amount - earlier.other_amount) <= 0.01
            )
            or (
                earlier.app_measure = later.other_measure
                and earlier.app_measure <> 0
                and abs(earlier.app_amount - later.other_amount) <= 0.01
            )
        )
),

either as (
    select
        earlier_key as reconciliation_key,
        min(later_start) as neighbour_start
    from pairs
    group by 1
    union
    select
        later_key as reconciliation_key,
        min(earlier_start) as neighbour_start
    from pairs
    group by 1
),

final as (
    select
        reconciliation_key,
        min(neighbour_start) as neighbour_start
    from either
    group by 1
)

select * from final
