-- The run that first billed a period. A counter that a later run was the first to see is late.

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
        min(runs.run_id) as closed_by_run
    from periods
    inner join runs
        on
            {{ day_start('periods.period_end') }} <= runs.ended_by
            and (runs.service_code is null or periods.service_code = runs.service_code)
    group by 1, 2
)

select * from final
