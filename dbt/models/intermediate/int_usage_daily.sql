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

metrics as not materialized (
    select * from {{ ref('int_metrics_defined') }}
),

runs as (
    select * from {{ ref('stg_ops__billing_runs') }}
),

{{ batches_taken('int_usage_daily', step) }},

-- Nearly all counters are neither revised nor readings of a meter: what they add depends on no
-- other, and they are folded as they are read.
plain as not materialized (
    select
        counters.service_code,
        counters.external_subscription_id,
        counters.code as metric_code,
        counters.local_day,
        taken_batches.seen_line,
        {{ dimensions_of('counters', 'metrics') }} as dimensions,
        {{ quantity_by_itself('counters', 'metrics') }} as quantity,
        counters.precise_total_amount_cents,
        counters.window_end,
        counters.received_at,
        counters.transaction_id,
        metrics.aggregation
    from counters
    inner join taken_batches
        on counters.batch_id = taken_batches.batch_id
    left join metrics
        on counters.code = metrics.metric_code
    {{ joined_with_touched(step) }}
    where
        counters.kind <> 'cumulative'
        and {{ in_touched_days(step) }}
),

-- What few groups have is filtered: a sum of nulls has a state as well, in each process and group.
plain_folded as (
    select
        plain.service_code,
        plain.external_subscription_id,
        plain.metric_code,
        plain.local_day,
        plain.seen_line,
        plain.dimensions,
        count(*) as counters,
        count(plain.quantity) as readable,
        sum(plain.quantity) as quantity_sum,
        max(plain.quantity) as quantity_max,
        sum(plain.precise_total_amount_cents)
        filter (where plain.precise_total_amount_cents is not null) as cents_sum,
        max(plain.window_end) as last_window_end,
        -- The greatest of (window_end, received_at, transaction_id) carries its quantity with it.
        max({{ ordered_reading('plain') }}) filter (where plain.aggregation = 'last') as latest
    from plain
    group by 1, 2, 3, 4, 5, 6
),

-- Where somebody revised a window, or a counter cannot be read, each is looked at again.
unusual_groups as (
    select
        counters.service_code,
        counters.external_subscription_id,
        counters.code as metric_code,
        counters.local_day
    from counters
    inner join taken_batches
        on counters.batch_id = taken_batches.batch_id
    {{ joined_with_touched(step) }}
    where
        counters.revision > 0
        and {{ in_touched_days(step) }}

    union

    select
        service_code,
        external_subscription_id,
        metric_code,
        local_day
    from plain_folded
    where readable < counters
),

plain_days as (
    select
        plain_folded.*,
        metrics.aggregation
    from plain_folded
    left join metrics
        on plain_folded.metric_code = metrics.metric_code
    left join unusual_groups
        on
            plain_folded.service_code = unusual_groups.service_code
            and plain_folded.external_subscription_id = unusual_groups.external_subscription_id
            and plain_folded.metric_code = unusual_groups.metric_code
            and plain_folded.local_day = unusual_groups.local_day
    where unusual_groups.metric_code is null
),

chosen as not materialized (
    select
        counters.*,
        taken_batches.seen_line
    from counters
    inner join taken_batches
        on counters.batch_id = taken_batches.batch_id
    {{ joined_with_touched(step) }}
    where
        counters.kind = 'cumulative'
        and {{ in_touched_days(step) }}

    union all

    select
        counters.*,
        taken_batches.seen_line
    from counters
    inner join taken_batches
        on counters.batch_id = taken_batches.batch_id
    inner join unusual_groups
        on
            counters.service_code = unusual_groups.service_code
            and counters.external_subscription_id = unusual_groups.external_subscription_id
            and counters.code = unusual_groups.metric_code
            and counters.local_day = unusual_groups.local_day
    where
        counters.kind <> 'cumulative'
        and {{ in_touched_days(step) }}
),

{{ usage_measured(step) }},

unioned as (
    select
        plain_days.service_code,
        plain_days.external_subscription_id,
        plain_days.metric_code,
        plain_days.local_day,
        plain_days.seen_line,
        plain_days.aggregation,
        plain_days.dimensions,
        'counted' as fate,
        plain_days.counters,
        plain_days.quantity_sum,
        plain_days.quantity_max,
        plain_days.latest,
        plain_days.cents_sum,
        plain_days.last_window_end
    from plain_days

    union all

    select
        measured.service_code,
        measured.external_subscription_id,
        measured.code as metric_code,
        measured.local_day,
        measured.seen_line,
        measured.aggregation,
        measured.dimensions,
        measured.fate,
        1 as counters,
        measured.quantity as quantity_sum,
        measured.quantity as quantity_max,
        case
            when measured.aggregation = 'last' and measured.quantity is not null
                then {{ ordered_reading('measured') }}
        end as latest,
        measured.precise_total_amount_cents as cents_sum,
        measured.window_end as last_window_end
    from measured
),

arrived as (
    select
        unioned.*,
        {{ arrived_run('unioned.seen_line') }} as arrived_run
    from unioned
    left join run_lines as own_runs
        on unioned.service_code = own_runs.service_code
    left join run_lines as all_runs
        on all_runs.service_code is null
),

folded as (
    select
        service_code,
        external_subscription_id,
        metric_code,
        local_day,
        dimensions,
        fate,
        arrived_run,
        aggregation,
        sum(counters)::bigint as counters,
        coalesce(sum(quantity_sum), 0) as quantity_sum,
        max(quantity_max) as quantity_max,
        max(last_window_end) as last_window_end,
        max(latest) as latest,
        coalesce(sum(cents_sum), 0) as cents_sum
    from arrived
    group by 1, 2, 3, 4, 5, 6, 7, 8
),

final as (
    select
        service_code,
        external_subscription_id,
        metric_code,
        local_day,
        coalesce(dimensions, '{}') as dimensions,
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
        {{ transaction_of_this_build() }}::bigint as rolled_up_xid
    from folded
    -- The days lie together, for who reads those since one (of_the_touched).
    order by local_day, service_code, external_subscription_id
)

select * from final
