-- Two roads to the same total. One reads raw as it landed; the other walks back from what was
-- rated and what was set aside. Quantities of metrics that do not add up over counters (maximum,
-- last, unique) are conserved as numbers of counters.

with

raw_counters as (
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

judged as (
    select * from {{ ref('int_usage_counters') }}
),

daily as (
    select * from {{ ref('int_usage_daily') }}
),

rated as (
    select * from {{ ref('fct_rated_lines') }}
),

charges as (
    select * from {{ ref('int_charges_priced') }}
),

landed as (
    select
        raw_counters.service_code,
        raw_counters.code as metric_code,
        date_trunc('month', raw_counters.local_day)::date as month,
        count(*) as raw_counters,
        sum(
            case
                when
                    metrics.aggregation is null
                    or metrics.aggregation in ('max', 'last', 'unique') then 1
                when raw_counters.kind = 'cumulative' then 0
                when raw_counters.kind = 'delta' then raw_counters.value
                when metrics.aggregation = 'count' then 1
                when raw_counters.properties ->> metrics.field_name ~ '^-?\d+(\.\d+)?$'
                    then (raw_counters.properties ->> metrics.field_name)::numeric
                else 0
            end
        ) as landed_quantity
    from raw_counters
    inner join batches
        on raw_counters.batch_id = batches.batch_id
    inner join snapshot
        on batches.xid < snapshot.high_water_xid
    left join metrics
        on raw_counters.code = metrics.metric_code
    group by 1, 2, 3
),

-- A meter's differences exist only after the readings were put in order.
metered as (
    select
        service_code,
        metric_code,
        date_trunc('month', local_day)::date as month,
        sum(quantity) as metered_quantity
    from judged
    where
        kind = 'cumulative'
        and aggregation in ('sum', 'count')
    group by 1, 2, 3
),

raw_totals as (
    select
        landed.service_code,
        landed.metric_code,
        landed.month,
        landed.raw_counters,
        landed.landed_quantity + coalesce(metered.metered_quantity, 0) as raw_quantity
    from landed
    left join metered
        on
            landed.service_code = metered.service_code
            and landed.metric_code = metered.metric_code
            and landed.month = metered.month
),

set_aside as (
    select
        service_code,
        metric_code,
        date_trunc('month', local_day)::date as month,
        verdict as bucket,
        count(*) as counters,
        sum(
            case
                when aggregation in ('sum', 'count') then coalesce(quantity, 0)
                else 1
            end
        ) as quantity
    from judged
    where verdict <> 'rated'
    group by 1, 2, 3, 4
),

daily_in_time as (
    select
        daily.*,
        rated.quantity_billed,
        -- The whole quota, not what was taken of it: a correction may take less.
        charges.quantity_included,
        rated.unit_price,
        daily.counters - daily.late_counters as counters_in_time,
        daily.quantity_sum - daily.late_quantity as quantity_in_time,
        sum(daily.quantity_sum - daily.late_quantity) over (
            partition by daily.subscription_key, daily.charge_key, daily.period_start
            order by daily.local_day
        ) as quantity_so_far
    from daily
    inner join rated
        on
            daily.subscription_key = rated.subscription_key
            and daily.charge_key = rated.charge_key
            and daily.period_start = rated.period_start
    inner join charges
        on daily.charge_key = charges.charge_key
),

-- The quota is used up first: what a day brings beyond it is billed.
daily_split as (
    select
        *,
        case
            when aggregation in ('sum', 'count')
                then
                    greatest(quantity_so_far - quantity_included, 0)
                    - greatest(quantity_so_far - quantity_in_time - quantity_included, 0)
            when quantity_billed > 0 then counters_in_time
            else 0
        end as beyond_quota
    from daily_in_time
),

buckets as (
    select
        service_code,
        metric_code,
        date_trunc('month', local_day)::date as month,
        case when unit_price = 0 then 'free' else 'billed' end as bucket,
        sum(case when beyond_quota <> 0 then counters_in_time else 0 end) as counters,
        sum(beyond_quota) as quantity
    from daily_split
    group by 1, 2, 3, 4

    union all

    select
        service_code,
        metric_code,
        date_trunc('month', local_day)::date as month,
        'included' as bucket,
        sum(case when beyond_quota <> 0 then 0 else counters_in_time end) as counters,
        sum(
            case
                when aggregation in ('sum', 'count') then quantity_in_time - beyond_quota
                else counters_in_time - beyond_quota
            end
        ) as quantity
    from daily_split
    group by 1, 2, 3

    union all

    select
        service_code,
        metric_code,
        date_trunc('month', local_day)::date as month,
        'late' as bucket,
        sum(late_counters) as counters,
        sum(case when aggregation in ('sum', 'count') then late_quantity else late_counters end)
            as quantity
    from daily_split
    group by 1, 2, 3

    union all

    select
        service_code,
        metric_code,
        month,
        bucket,
        counters,
        quantity
    from set_aside
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
        raw_counters,
        raw_quantity,
        (raw_counters - sum(counters) over (partition by service_code, metric_code, month))::bigint
            as counters_difference,
        raw_quantity - sum(quantity) over (partition by service_code, metric_code, month)
            as quantity_difference
    from compared
)

select * from final
