-- The platform's side: what is rated of closed periods and what the ledger billed, per
-- subscription, charge and period. `quantity` is what one pays for, `quantity_used` all of it.

with

rated as (
    select * from {{ ref('fct_rated_lines') }}
),

closings as (
    select * from {{ ref('int_period_closings') }}
),

billed as (
    select * from {{ ref('int_charges_billed') }}
),

rated_periods as (
    select
        rated.subscription_key,
        {{ charge_as_a_whole('rated.charge_key', 'rated.plan_code') }} as charge_key,
        rated.period_start,
        min(rated.metric_code) as metric_code,
        min(rated.period_end) as period_end,
        min(rated.currency) as currency,
        sum(rated.quantity_billed) as quantity,
        sum(rated.quantity_used) as quantity_used,
        min(rated.unit_price) filter (where rated.tier > 0) as lowest_price,
        max(rated.unit_price) filter (where rated.tier > 0) as highest_price,
        coalesce(sum(rated.flat_amount), 0) as flat_amount
    from rated
    inner join closings
        on
            rated.subscription_key = closings.subscription_key
            and rated.period_start = closings.period_start
    group by 1, 2, 3
),

final as (
    select
        coalesce(billed.subscription_key, rated_periods.subscription_key) as subscription_key,
        coalesce(billed.charge_key, rated_periods.charge_key) as charge_key,
        coalesce(billed.metric_code, rated_periods.metric_code) as metric_code,
        coalesce(billed.period_start, rated_periods.period_start) as period_start,
        coalesce(billed.period_end, rated_periods.period_end) as period_end,
        billed.service_code,
        billed.account_key,
        coalesce(billed.currency, rated_periods.currency) as currency,
        -- Quantity and amount of the same time: usage that no run has billed yet is in neither. Of
        -- what is used within a quota the ledger tells nothing.
        coalesce(billed.quantity, 0) as quantity,
        case
            when rated_periods.quantity = coalesce(billed.quantity, 0)
                then rated_periods.quantity_used
            else coalesce(billed.quantity_used, 0)
        end as quantity_used,
        coalesce(billed.quantity_in_time, 0) as quantity_in_time,
        coalesce(billed.quantity_used_in_time, 0) as quantity_used_in_time,
        coalesce(billed.amount, 0) as amount,
        coalesce(billed.amount_in_time, 0) as amount_in_time,
        coalesce(billed.has_late_usage, false) as has_late_usage,
        rated_periods.lowest_price,
        rated_periods.highest_price,
        coalesce(rated_periods.flat_amount, 0) as flat_amount,
        billed.subscription_key is not null as is_billed
    from billed
    full join rated_periods
        on
            billed.subscription_key = rated_periods.subscription_key
            and billed.charge_key = rated_periods.charge_key
            and billed.period_start = rated_periods.period_start
)

select * from final
