-- Day groups in the grain that pricing needs, and independent of subscriptions, periods and prices:
-- these may change without a counter being read again. Each aggregation needs its own fold over
-- days: sums add up, a maximum is a maximum of maxima, the last reading is the last day's; what
-- needs single counters is in int_usage_events.

with

{% set step = rollup_step('int_usage_daily') %}

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

{{ usage_measured('int_usage_daily', step) }},

-- The greatest of (window_end, received_at, transaction_id) carries its quantity with it: an
-- ordered aggregate would put every counter in order, for the few metrics that ask for the last.
folded as (
    select
        service_code,
        external_subscription_id,
        code as metric_code,
        local_day,
        dimensions,
        fate,
        arrived_run,
        aggregation,
        count(*) as counters,
        coalesce(sum(quantity), 0) as quantity_sum,
        max(quantity) as quantity_max,
        max(window_end) as last_window_end,
        max(
            array[
                to_char(window_end at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.US'),
                to_char(received_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.US'),
                transaction_id,
                quantity::text
            ] collate "C"
        ) filter (where aggregation = 'last') as latest,
        coalesce(sum(precise_total_amount_cents), 0) as cents_sum,
        min(window_start) as first_window_start,
        max(received_at) as received_at_last
    from measured
    group by 1, 2, 3, 4, 5, 6, 7, 8
),

final as (
    select
        service_code,
        external_subscription_id,
        metric_code,
        local_day,
        dimensions,
        fate,
        arrived_run,
        aggregation,
        counters,
        quantity_sum,
        quantity_max,
        latest[4]::numeric as quantity_last,
        last_window_end,
        array_to_string(latest[1:3], ' ') collate "C" as last_order,
        counters as events,
        cents_sum,
        first_window_start,
        received_at_last
    from folded
)

select * from final
