-- The road of fct_usage_conservation that reads raw alone: what landed, batch after batch, never
-- revised and never told apart by days. Meters add nothing here: their differences are not in a
-- reading, and fct_usage_conservation takes them from all readings.

with

counters as (
    select * from {{ ref('stg_usage__counters') }}
),

batches as (
    select * from {{ ref('stg_usage__batches') }}
),

snapshot as (
    select * from {{ ref('stg_usage__snapshot') }}
),

metrics_known as (
    select * from {{ ref('stg_odoo__metrics') }}
),

metrics as (
    select distinct on (metric_code)
        metric_code,
        aggregation,
        field_name
    from metrics_known
    where aggregation is not null
    order by metric_code, odoo_metric_id
),

new_batches as (
    select
        batches.batch_id,
        snapshot.high_water_xid
    from batches
    inner join snapshot
        on batches.xid < snapshot.high_water_xid
    where batches.xid >= {{ landed_below() }}
),

new_counters as (
    select
        counters.*,
        new_batches.high_water_xid
    from counters
    inner join new_batches
        on counters.batch_id = new_batches.batch_id
    where {{ within_new_batches('counters.batch_id') }}
),

-- By days first: a month is cut from each of them, and not from every counter.
days as (
    select
        new_counters.service_code,
        new_counters.code as metric_code,
        new_counters.local_day,
        metrics.aggregation,
        metrics.field_name,
        new_counters.high_water_xid,
        count(*) as counters,
        coalesce(
            sum(
                case
                    when new_counters.kind = 'delta' then new_counters.value
                    when new_counters.kind = 'cumulative' then 0
                    when metrics.aggregation = 'count' then 1
                    when new_counters.properties ->> metrics.field_name ~ '^-?\d+(\.\d+)?$'
                        then (new_counters.properties ->> metrics.field_name)::numeric
                end
            ) filter (where metrics.aggregation in ('sum', 'count')),
            0
        ) as quantity
    from new_counters
    left join metrics
        on new_counters.code = metrics.metric_code
    group by 1, 2, 3, 4, 5, 6
),

final as (
    select
        service_code,
        metric_code,
        date_trunc('month', local_day)::date as month,
        aggregation,
        field_name,
        high_water_xid,
        sum(counters)::bigint as counters,
        sum(quantity) as quantity,
        max(local_day) as last_day
    from days
    group by 1, 2, 3, 4, 5, 6
)

select * from final
