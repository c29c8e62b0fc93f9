with

source as (
    select * from {{ source('ops', 'cost_driver') }}
),

final as (
    select
        provider,
        sku,
        metric_code
    from source
)

select * from final
