-- Each aggregation needs its own fold over days: sums add up, a maximum is a maximum of maxima,
-- the last reading is the last day's, and unique members are in int_usage_members.

with

counters as (
    select * from {{ ref('int_usage_counters') }}
),

attributed as (
    select * from counters
    where
        verdict = 'rated'
        or verdict_reason = 'unpriced: no charge in the plan'
),

final as (
    select
        subscription_key,
        metric_code,
        local_day,
        service_code,
        account_key,
        charge_key,
        period_start,
        aggregation,
        count(*) as counters,
        coalesce(sum(quantity), 0) as quantity_sum,
        max(quantity) as quantity_max,
        (array_agg(quantity order by window_end desc, received_at desc, transaction_id desc))[1]
            as quantity_last,
        max(window_end) as last_window_end,
        count(distinct member) as members,
        count(*) filter (where is_late) as late_counters,
        coalesce(sum(quantity) filter (where is_late), 0) as late_quantity
    from attributed
    group by 1, 2, 3, 4, 5, 6, 7, 8
)

select * from final
