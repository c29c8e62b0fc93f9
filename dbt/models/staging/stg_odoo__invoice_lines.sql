with

source as (
    select * from {{ source('raw', 'odoo_invoice_line') }}
),

final as (
    select
        id as odoo_invoice_line_id,
        {{ odoo_id('move_id') }} as odoo_invoice_id,
        {{ odoo_id('product_id') }} as odoo_product_id,
        (record -> 'sale_line_ids' ->> 0)::bigint as odoo_line_id,
        {{ odoo_text('name') }} as description,
        {{ odoo_number('quantity') }} as quantity,
        {{ odoo_number('price_unit') }} as unit_price,
        {{ odoo_number('price_subtotal') }} as subtotal,
        {{ odoo_number('price_total') }} as total,
        -- The days of service that the line pays for, both inclusive, where Odoo knows them.
        {{ odoo_date('deferred_start_date') }} as deferred_start,
        {{ odoo_date('deferred_end_date') }} as deferred_end
    from source
    where deleted_at is null
)

select * from final
