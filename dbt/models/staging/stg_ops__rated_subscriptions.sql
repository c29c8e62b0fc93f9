with

source as (
    select * from {{ source('ops', 'rated_subscription') }}
),

final as (
    select
        service_code,
        external_subscription_id,
        terms,
        periods_until
    from source
)

select * from final
