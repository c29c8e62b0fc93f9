with

source as (
    select * from {{ source('ops', 'service') }}
),

final as (
    select
        service_code,
        name as service_name,
        created_at
    from source
)

select * from final
