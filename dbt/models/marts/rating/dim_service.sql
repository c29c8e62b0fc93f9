with

services as (
    select * from {{ ref('stg_ops__services') }}
),

final as (
    select
        service_code,
        service_name,
        created_at
    from services
)

select * from final
