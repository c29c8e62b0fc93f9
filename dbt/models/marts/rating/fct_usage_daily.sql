with

daily as (
    select * from {{ ref('int_usage_daily') }}
),

final as (
    select
        subscription_key,
        metric_code,
        local_day,
        service_code,
        account_key,
        aggregation,
        counters,
        case aggregation
            when 'max' then quantity_max
            when 'last' then quantity_last
            when 'unique' then members
            else quantity_sum
        end as quantity
    from daily
)

select * from final
