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

metrics as (
    select * from {{ ref('int_metrics_defined') }}
),

runs as (
    select * from {{ ref('stg_ops__billing_runs') }}
),

{{ usage_measured('int_usage_events', step, only_events=true) }},

final as (
    select
        service_code,
        external_subscription_id,
        code as metric_code,
        local_day,
        dimensions,
        fate,
        arrived_run,
        transaction_id,
        window_start,
        window_end,
        quantity,
        member,
        case
            when coalesce(properties ->> 'operation_type', properties ->> 'operation') = 'remove'
                then 'remove'
            else 'add'
        end as operation,
        precise_total_amount_cents as cents,
        received_at
    from measured
)

select * from final
