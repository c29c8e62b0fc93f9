with

source as (
    select * from {{ source('raw', 'odoo_base_line') }}
),

final as (
    select
        id as odoo_line_id,
        {{ odoo_id('order_id') }} as odoo_order_id,
        {{ odoo_id('product_id') }} as odoo_product_id,
        {{ odoo_number('product_uom_qty') }} as quantity_ordered,
        {{ odoo_number('price_unit') }} as unit_price,
        coalesce({{ odoo_number('discount') }}, 0) as discount
    from source
    where deleted_at is null
)

select * from final
