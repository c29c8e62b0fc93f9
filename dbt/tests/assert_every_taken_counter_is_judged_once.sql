-- What the snapshot took and what has a verdict are the same counters, subscription by subscription
-- and day by day, where fct_usage_conservation compares months.
with

taken as (
    select
        counters.service_code,
        counters.external_subscription_id,
        counters.code as metric_code,
        counters.local_day,
        count(*) as taken,
        0 as judged
    from {{ ref('stg_usage__counters') }} as counters
    inner join {{ ref('stg_usage__batches') }} as batches
        on counters.batch_id = batches.batch_id
    inner join {{ ref('stg_usage__snapshot') }} as snapshot
        on batches.xid < snapshot.high_water_xid
    group by 1, 2, 3, 4
),

judged as (
    select
        service_code,
        external_subscription_id,
        metric_code,
        local_day,
        0 as taken,
        sum(counters) as judged
    from {{ ref('int_usage_placed') }}
    group by 1, 2, 3, 4
),

unioned as (
    select * from taken
    union all
    select * from judged
)

select
    service_code,
    external_subscription_id,
    metric_code,
    local_day,
    sum(taken) as taken,
    sum(judged) as judged
from unioned
group by 1, 2, 3, 4
having sum(taken) <> sum(judged)
