-- Two roads to the same total. One reads raw as it landed; the other walks back from what was
-- rated and what was set aside (int_usage_bucketed). Quantities that do not add up over counters
-- (maximum, last, unique, a level over time, and whatever is carried from period to period) are
-- conserved as numbers of counters.

with

landed as (
    select * from {{ ref('int_usage_landed') }}
),

-- Read twice down an index of few counters: all of raw would be written down first.
raw_counters as not materialized (
    select * from {{ ref('stg_usage__counters') }}
),

batches as (
    select * from {{ ref('stg_usage__batches') }}
),

snapshot as (
    select * from {{ ref('stg_usage__snapshot') }}
),

metrics as (
    select * from {{ ref('stg_odoo__metrics') }}
),

buckets as (
    select * from {{ ref('int_usage_bucketed') }}
),

adding_metrics as (
    select distinct metric_code
    from metrics
    where
        aggregation in ('sum', 'count')
        and not recurring
),

-- A meter's differences exist only after its readings were put in order.
raw_readings as (
    select
        *,
        transaction_id collate "C" as bytewise_id
    from raw_counters
    where kind = 'cumulative'
),

readings as (
    select raw_readings.*
    from raw_readings
    inner join batches
        on raw_readings.batch_id = batches.batch_id
    inner join snapshot
        on batches.xid < snapshot.high_water_xid
    inner join adding_metrics
        on raw_readings.code = adding_metrics.metric_code
),

revisions as (
    select
        raw_counters.service_code,
        raw_counters.external_subscription_id,
        raw_counters.code,
        raw_counters.window_start,
        raw_counters.window_end,
        raw_counters.properties,
        max(raw_counters.revision) as revision
    from raw_counters
    inner join batches
        on raw_counters.batch_id = batches.batch_id
    inner join snapshot
        on batches.xid < snapshot.high_water_xid
    where raw_counters.revision > 0
    group by 1, 2, 3, 4, 5, 6
),

followed as (
    select
        readings.service_code,
        readings.code as metric_code,
        date_trunc('month', readings.local_day)::date as month,
        readings.value,
        lag(readings.value, 1, 0::numeric) over (
            partition by
                readings.service_code, readings.external_subscription_id, readings.code,
                readings.properties
            order by readings.window_end, readings.window_start, readings.bytewise_id
        ) as previous_value
    from readings
    left join revisions
        on
            readings.service_code = revisions.service_code
            and readings.external_subscription_id = revisions.external_subscription_id
            and readings.code = revisions.code
            and readings.window_start = revisions.window_start
            and readings.window_end = revisions.window_end
            and readings.properties = revisions.properties
    where readings.revision >= coalesce(revisions.revision, readings.revision)
),

metered as (
    select
        service_code,
        metric_code,
        month,
        sum(value - case when value >= previous_value then previous_value else 0 end) as quantity
    from followed
    group by 1, 2, 3
),

landed_totals as (
    select
        service_code,
        metric_code,
        month,
        sum(counters) as counters,
        sum(quantity) as quantity
    from landed
    group by 1, 2, 3
),

raw_totals as (
    select
        landed_totals.service_code,
        landed_totals.metric_code,
        landed_totals.month,
        landed_totals.counters as raw_counters,
        case
            when adding_metrics.metric_code is not null
                then landed_totals.quantity + coalesce(metered.quantity, 0)
            else landed_totals.counters
        end as raw_quantity
    from landed_totals
    left join adding_metrics
        on landed_totals.metric_code = adding_metrics.metric_code
    left join metered
        on
            landed_totals.service_code = metered.service_code
            and landed_totals.metric_code = metered.metric_code
            and landed_totals.month = metered.month
),

bucketed as (
    select
        service_code,
        metric_code,
        month,
        bucket,
        sum(counters) as counters,
        sum(quantity) as quantity
    from buckets
    group by 1, 2, 3, 4
    having sum(counters) <> 0 or sum(quantity) <> 0
),

compared as (
    select
        coalesce(raw_totals.service_code, bucketed.service_code) as service_code,
        coalesce(raw_totals.metric_code, bucketed.metric_code) as metric_code,
        coalesce(raw_totals.month, bucketed.month) as month,
        coalesce(bucketed.bucket, 'lost') as bucket,
        coalesce(bucketed.counters, 0) as counters,
        coalesce(bucketed.quantity, 0) as quantity,
        coalesce(raw_totals.raw_counters, 0) as raw_counters,
        coalesce(raw_totals.raw_quantity, 0) as raw_quantity
    from raw_totals
    full join bucketed
        on
            raw_totals.service_code = bucketed.service_code
            and raw_totals.metric_code = bucketed.metric_code
            and raw_totals.month = bucketed.month
),

final as (
    select
        service_code,
        metric_code,
        month,
        bucket,
        counters::bigint as counters,
        quantity,
        raw_counters::bigint as raw_counters,
        raw_quantity,
        (raw_counters - sum(counters) over (partition by service_code, metric_code, month))::bigint
            as counters_difference,
        raw_quantity - sum(quantity) over (partition by service_code, metric_code, month)
            as quantity_difference
    from compared
)

select * from final
