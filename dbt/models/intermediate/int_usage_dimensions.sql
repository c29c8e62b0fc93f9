-- The properties that usage occurs with, by metric: few, where day groups are many. A build that
-- rates a few adds what was rolled up since the last one that ended. Raw forgets nothing, and where
-- a metric or a charge tells other properties apart everything is rated anew.

with

daily as (
    select * from {{ ref('int_usage_daily') }}
),

step as (
    select * from {{ ref('int_rating_step') }}
),

final as (
    select distinct
        daily.metric_code,
        daily.dimensions
    from step
    inner join daily
        on
            step.rated_xid < daily.rolled_up_xid
            or not {{ adds_what_is_new() }}
)

select * from final
