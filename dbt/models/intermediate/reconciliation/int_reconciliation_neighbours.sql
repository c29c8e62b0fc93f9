-- Two periods of one item that follow on each other, both of them different, where what the app has
-- too much in one it has too little in the other, in quantity and in amount, or where it billed in
-- one what is ours in the other.

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
        coalesce(other_amount, 0) as other_amount,
        coalesce(app_lines, 0) as app_lines,
        currency,
        lowest_price,
        highest_price,
        flat_amount
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
        later.period_start as later_start,
        earlier.item_type,
        earlier.currency,
        earlier.app_measure as earlier_app_measure,
        later.app_measure as later_app_measure,
        earlier.other_measure as earlier_other_measure,
        later.other_measure as later_other_measure,
        earlier.app_amount as earlier_app_amount,
        later.app_amount as later_app_amount,
        earlier.other_amount as earlier_other_amount,
        later.other_amount as later_other_amount,
        0.01 * greatest(earlier.app_lines, 1) as earlier_tolerance,
        0.01 * greatest(later.app_lines, 1) as later_tolerance,
        least(earlier.lowest_price, later.lowest_price) as lowest_price,
        greatest(earlier.highest_price, later.highest_price) as highest_price,
        greatest(earlier.flat_amount, later.flat_amount, 0) as flat_amount
    from different as earlier
    inner join different as later
        on
            earlier.subscription_key = later.subscription_key
            and earlier.item_type = later.item_type
            and earlier.metric_code is not distinct from later.metric_code
            and earlier.period_end = later.period_start
    where earlier.is_app_compared or later.is_app_compared
),

priced as (
    select
        *,
        {{ round_money('earlier_app_measure * lowest_price', 'currency') }} - earlier_tolerance
            as earlier_least,
        {{ round_money('earlier_app_measure * highest_price + flat_amount', 'currency') }}
        + earlier_tolerance as earlier_most,
        {{ round_money('later_app_measure * lowest_price', 'currency') }} - later_tolerance
            as later_least,
        {{ round_money('later_app_measure * highest_price + flat_amount', 'currency') }}
        + later_tolerance as later_most
    from pairs
),

judged as (
    select
        *,
        -- As much was counted in both, and it costs as much; or, for other tiers make another sum,
        -- each of them is at our prices.
        earlier_app_measure + later_app_measure = earlier_other_measure + later_other_measure
        and (
            abs(
                earlier_app_amount + later_app_amount - earlier_other_amount - later_other_amount
            ) <= earlier_tolerance + later_tolerance
            or (
                item_type = 'charge'
                and earlier_app_amount between earlier_least and earlier_most
                and later_app_amount between later_least and later_most
            )
        ) as is_together,
        -- What is ours of one period is billed as it should be, but under the other.
        earlier_app_measure = later_other_measure
        and earlier_app_measure <> 0
        and abs(earlier_app_amount - later_other_amount) <= 0.01 as is_under_earlier,
        later_app_measure = earlier_other_measure
        and later_app_measure <> 0
        and abs(later_app_amount - earlier_other_amount) <= 0.01 as is_under_later
    from priced
),

-- That explains the period that it stands under, and the one that it is missing from where the app
-- billed nothing else there.
either as (
    select
        earlier_key as reconciliation_key,
        later_start as neighbour_start
    from judged
    where
        is_together
        or is_under_earlier
        or (is_under_later and earlier_app_measure = 0 and earlier_app_amount = 0)
    union all
    select
        later_key as reconciliation_key,
        earlier_start as neighbour_start
    from judged
    where
        is_together
        or is_under_later
        or (is_under_earlier and later_app_measure = 0 and later_app_amount = 0)
),

final as (
    select
        reconciliation_key,
        min(neighbour_start) as neighbour_start
    from either
    group by 1
)

select * from final
