with

source as (
    select * from {{ source('raw', 'odoo_order_line') }}
),

read as (
    select
        id as odoo_line_id,
        {{ odoo_id('order_id') }} as odoo_order_id,
        {{ odoo_text('state') }} as order_state,
        {{ odoo_flag('x_fc_dual_run') }} as is_draft,
        {{ odoo_id('product_id') }} as odoo_product_id,
        {{ odoo_text('name') }} as description,
        {{ odoo_text('x_fc_line_key') }} as line_key,
        {{ odoo_number('product_uom_qty') }} as quantity_ordered,
        {{ odoo_number('qty_delivered') }} as quantity_delivered,
        {{ odoo_number('price_unit') }} as unit_price,
        coalesce({{ odoo_number('discount') }}, 0) as discount,
        {{ odoo_number('price_subtotal') }} as computed_subtotal,
        -- Odoo subtracts doubles to it: 21.47 - 19.0 is 2.469999999999999.
        round({{ odoo_number('price_tax') }}, 2) as computed_tax,
        {{ odoo_number('qty_invoiced') }} as quantity_invoiced
    from source
    where deleted_at is null
),

final as (
    select
        odoo_line_id,
        odoo_order_id,
        order_state,
        is_draft,
        odoo_product_id,
        description,
        line_key,
        quantity_ordered,
        case when is_draft then quantity_ordered else quantity_delivered end as quantity,
        unit_price,
        discount,
        -- What Odoo invoices of a delivered-policy line: its own subtotal follows the ordered
        -- quantity, which is 0 on a usage line. A line of a dual-run draft orders its quantity,
        -- for Odoo to compute.
        case
            when is_draft then computed_subtotal
            else round(quantity_delivered * unit_price * (1 - discount / 100), 2)
        end as subtotal,
        case when is_draft then computed_tax end as draft_tax,
        quantity_invoiced
    from read
)

select * from final
