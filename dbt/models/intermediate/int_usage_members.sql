-- Unique counts need the members, not the counts: 3 agents today and 3 tomorrow may be 3 or 6.

with

counters as (
    select * from {{ ref('int_usage_counters') }}
),

final as (
    select distinct
        subscription_key,
        charge_key,
        period_start,
        member
    from counters
    where
        verdict = 'rated'
        and aggregation = 'unique'
)

select * from final
