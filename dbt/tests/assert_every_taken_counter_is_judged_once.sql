-- What the snapshot took and what was judged are the same counters: a join that drops or doubles
-- one shows here by its key, where fct_usage_conservation shows a sum.
with

taken as (
    select
        counters.service_code,
        counters.external_subscription_id,
        counters.transaction_id,
        1 as taken,
        0 as judged
    from {{ ref('stg_usage__counters') }} as counters
    inner join {{ ref('stg_usage__batches') }} as batches
        on counters.batch_id = batches.batch_id
    inner join {{ ref('stg_usage__snapshot') }} as snapshot
        on batches.xid < snapshot.high_water_xid
),

judged as (
    select
        service_code,
        external_subscription_id,
        transaction_id,
        0 as taken,
        1 as judged
    from {{ ref('int_usage_counters') }}
),

unioned as (
    select * from taken
    union all
    select * from judged
)

select
    service_code,
    external_subscription_id,
    transaction_id,
    sum(taken) as taken,
    sum(judged) as judged
from unioned
group by 1, 2, 3
having sum(taken) <> 1 or sum(judged) <> 1
