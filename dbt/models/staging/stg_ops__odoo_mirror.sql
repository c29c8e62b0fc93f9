with

source as (
    select * from {{ source('ops', 'odoo_mirror') }}
),

final as (
    select
        table_name,
        read_at
    from source
)

select * from final
