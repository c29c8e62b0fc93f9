with

source as (
    select * from {{ source('raw', 'odoo_currency') }}
),

final as (
    select
        id as odoo_currency_id,
        {{ odoo_text('name') }} as currency
    from source
    where deleted_at is null
)

select * from final
