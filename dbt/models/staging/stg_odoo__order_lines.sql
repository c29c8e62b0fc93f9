with

source as (
    select * from {{ source('raw', 'odoo_order_line') }}
),

final as (
    select
        id as odoo_line_id,
        {{ odoo_id('order_id') }} as odoo_order_id,
        {{ odoo_id('product_id') }} as odoo_product_id,
        {{ odoo_text('name') }} as description,
        {{ odoo_text('x_fc_line_key') }} as line_key,
        {{ odoo_number('qty_delivered') }} as quantity,
        {{ odoo_number('price_unit') }} as unit_price,
        {{ odoo_number('price_subtotal') }} as subtotal,
        {{ odoo_number('price_tax') }} as tax,
        {{ odoo_number('qty_invoiced') }} as quantity_invoiced
    from source
    where deleted_at is null
)

select * from final
