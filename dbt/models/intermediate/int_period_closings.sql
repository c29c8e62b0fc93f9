-- The run that first billed a period. A counter that a later run was the first to see is late.

with

periods as (
    select * from {{ ref('int_subscription_periods') }}
),

runs as (
    select * from {{ ref('stg_ops__billing_runs') }}
),

-- Days, not periods: thousands of periods end on one.
ends as (
    select distinct
        service_code,
        period_end
    from periods
),

closed as (
    select
        ends.service_code,
        ends.period_end,
        min(runs.run_id) as closed_by_run
    from ends
    inner join runs
        on
            {{ day_start('ends.period_end') }} <= runs.ended_by
            and (runs.service_code is null or ends.service_code = runs.service_code)
    group by 1, 2
),

final as (
    select
        periods.subscription_key,
        periods.period_start,
        closed.closed_by_run
    from periods
    inner join closed
        on
            periods.service_code = closed.service_code
            and periods.period_end = closed.period_end
)

select * from final
