with

daily as (
    select * from {{ ref('int_usage_daily') }}
    where charge_key is not null
),

members as (
    select * from {{ ref('int_usage_members') }}
),

periods as (
    select * from {{ ref('int_subscription_periods') }}
),

unique_counts as (
    select
        subscription_key,
        charge_key,
        period_start,
        count(*) as members
    from members
    group by 1, 2, 3
),

folded as (
    select
        subscription_key,
        charge_key,
        period_start,
        aggregation,
        sum(counters) as counters,
        sum(quantity_sum) as quantity_sum,
        max(quantity_max) as quantity_max,
        (array_agg(quantity_last order by last_window_end desc, local_day desc))[1]
            as quantity_last
    from daily
    group by 1, 2, 3, 4
),

final as (
    select
        folded.subscription_key,
        folded.charge_key,
        folded.period_start,
        periods.period_end,
        folded.counters,
        case folded.aggregation
            when 'max' then folded.quantity_max
            when 'last' then folded.quantity_last
            when 'unique' then unique_counts.members
            else folded.quantity_sum
        end as quantity_used
    from folded
    inner join periods
        on
            folded.subscription_key = periods.subscription_key
            and folded.period_start = periods.period_start
    left join unique_counts
        on
            folded.subscription_key = unique_counts.subscription_key
            and folded.charge_key = unique_counts.charge_key
            and folded.period_start = unique_counts.period_start
)

select * from final
