with

source as (
    select * from {{ source('raw', 'odoo_product') }}
),

final as (
    select
        id as odoo_product_id,
        {{ odoo_text('name') }} as product_name,
        {{ odoo_text('default_code') }} as default_code,
        {{ odoo_text('invoice_policy') }} as invoice_policy,
        {{ odoo_number('list_price') }} as list_price,
        {{ odoo_flag('recurring_invoice') }} as is_recurring
    from source
    where deleted_at is null
)

select * from final
