-- What a billing run had seen when it first billed a period: a counter above that line is late.

with

periods as (
    select * from {{ ref('int_subscription_periods') }}
),

runs as (
    select * from {{ ref('stg_ops__billing_runs') }}
),

final as (
    select
        periods.subscription_key,
        periods.period_start,
        min(runs.high_water_xid) as closed_at_xid
    from periods
    inner join runs
        on
            {{ day_start('periods.period_end') }} <= runs.ended_by
            and (runs.service_code is null or periods.service_code = runs.service_code)
    group by 1, 2
)

select * from final
