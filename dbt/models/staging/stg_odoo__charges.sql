with

source as (
    select * from {{ source('raw', 'odoo_charge') }}
),

final as (
    select
        id as odoo_charge_id,
        {{ odoo_text('x_name') }} as charge_name,
        {{ odoo_text('x_code') }} as charge_code,
        {{ odoo_text('x_plan_code') }} as plan_code,
        {{ odoo_id('x_metric_id') }} as odoo_metric_id,
        {{ odoo_text('x_charge_model') }} as charge_model,
        {{ odoo_number('x_unit_price') }} as unit_price,
        coalesce({{ odoo_number('x_included') }}, 0) as quantity_included,
        {{ odoo_text('x_currency') }} as currency,
        {{ odoo_id('x_product_id') }} as odoo_product_id
    from source
    where deleted_at is null
)

select * from final
