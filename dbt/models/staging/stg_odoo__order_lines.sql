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
        {{ odoo_number('product_uom_qty') }} as quantity_ordered,
        {{ odoo_number('qty_delivered') }} as quantity,
        {{ odoo_number('price_unit') }} as unit_price,
        coalesce({{ odoo_number('discount') }}, 0) as discount,
        -- What Odoo invoices of a delivered-policy line. Its own price_subtotal follows the ordered
        -- quantity, which is 0 on a usage line.
        round(
            {{ odoo_number('qty_delivered') }} * {{ odoo_number('price_unit') }}
            * (1 - coalesce({{ odoo_number('discount') }}, 0) / 100),
            2
        ) as subtotal,
        {{ odoo_number('qty_invoiced') }} as quantity_invoiced
    from source
    where deleted_at is null
)

select * from final
