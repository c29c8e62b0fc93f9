-- The single counters of metrics that cannot be folded into days: unique members and their removal,
-- a level over time, and transactions that are priced one by one.

with

{% set step = rollup_step('int_usage_events') %}

counters as not materialized (
    select * from {{ ref('stg_usage__counters') }}
),

batches as not materialized (
    select * from {{ ref('stg_usage__batches') }}
),

metrics as not materialized (
    select * from {{ ref('int_metrics_defined') }}
),

runs as (
    select * from {{ ref('stg_ops__billing_runs') }}
),

{{ batches_taken('int_usage_events', step) }},

chosen as not materialized (
    select
        counters.*,
        taken_batches.seen_line
    from counters
    inner join taken_batches
        on counters.batch_id = taken_batches.batch_id
    inner join metrics
        on
            counters.code = metrics.metric_code
            and metrics.needs_events
    {{ joined_with_touched(step) }}
    where {{ in_touched_days(step) }}
),

{{ usage_measured(step) }},

final as (
    select
        measured.service_code,
        measured.external_subscription_id,
        measured.code as metric_code,
        measured.local_day,
        coalesce(measured.dimensions, '{}') as dimensions,
        measured.fate,
        {{ arrived_run('measured.seen_line') }} as arrived_run,
        measured.transaction_id,
        measured.window_start,
        measured.window_end,
        measured.quantity,
        measured.member,
        case
            when
                coalesce(
                    measured.properties ->> 'operation_type', measured.properties ->> 'operation'
                ) = 'remove'
                then 'remove'
            else 'add'
        end as operation,
        measured.precise_total_amount_cents as cents,
        measured.received_at
    from measured
    left join run_lines as own_runs
        on measured.service_code = own_runs.service_code
    left join run_lines as all_runs
        on all_runs.service_code is null
    -- The days lie together, for who reads those since one (of_the_touched).
    order by measured.local_day, measured.service_code, measured.external_subscription_id
)

select * from final
