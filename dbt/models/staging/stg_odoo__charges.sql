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
        coalesce({{ odoo_text('x_variant') }}, '') as variant,
        {{ odoo_id('x_metric_id') }} as odoo_metric_id,
        {{ odoo_text('x_charge_model') }} as charge_model,
        {{ odoo_number('x_unit_price') }} as unit_price,
        {{ odoo_number('x_package_size') }} as package_size,
        coalesce({{ odoo_number('x_free_units') }}, 0) as free_units,
        {{ odoo_number('x_rate') }} as rate,
        coalesce({{ odoo_number('x_fixed_amount') }}, 0) as fixed_amount,
        {{ odoo_number('x_free_events') }} as free_events,
        {{ odoo_number('x_free_amount') }} as free_amount,
        {{ odoo_number('x_transaction_min') }} as transaction_min,
        {{ odoo_number('x_transaction_max') }} as transaction_max,
        coalesce({{ odoo_number('x_included') }}, 0) as quantity_included,
        -- An empty filter is no filter: the default bucket.
        nullif({{ odoo_json('x_filter') }}, '{}'::jsonb) as filters,
        {{ odoo_codes('x_pricing_group_keys') }} as pricing_group_keys,
        {{ odoo_flag('x_prorated') }} as prorated,
        {{ odoo_number('x_min_amount') }} as min_amount,
        {{ odoo_date('x_valid_from') }} as valid_from,
        {{ odoo_date('x_valid_to') }} as valid_to,
        {{ odoo_text('x_currency') }} as currency,
        {{ odoo_id('x_product_id') }} as odoo_product_id
    from source
    where deleted_at is null
)

select * from final
