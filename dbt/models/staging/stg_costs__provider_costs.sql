with

source as (
    select * from {{ source('raw', 'provider_cost') }}
),

final as (
    select
        source || ':' || cost_key as cost_key,
        source,
        provider,
        sku,
        day,
        service_code,
        service_code || ':' || external_account_id as account_key,
        quantity,
        amount,
        currency
    from source
)

select * from final
