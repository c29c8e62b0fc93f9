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
        {{ typed_number('x_unit_price') }} as unit_price,
        {{ typed_number('x_package_size') }} as package_size,
        coalesce({{ typed_number('x_free_units') }}, 0) as free_units,
        {{ typed_number('x_rate') }} as rate,
        coalesce({{ typed_number('x_fixed_amount') }}, 0) as fixed_amount,
        {{ typed_number('x_free_events') }} as free_events,
        {{ typed_number('x_free_amount') }} as free_amount,
        {{ typed_number('x_transaction_min') }} as transaction_min,
        {{ typed_number('x_transaction_max') }} as transaction_max,
        coalesce({{ typed_number('x_included') }}, 0) as quantity_included,
        -- An empty filter is no filter: the default bucket.
        nullif({{ typed_filter('x_filter') }}, '{}'::jsonb) as filters,
        {{ odoo_codes('x_pricing_group_keys') }} as pricing_group_keys,
        {{ odoo_flag('x_prorated') }} as prorated,
        {{ typed_number('x_min_amount') }} as min_amount,
        {{ odoo_date('x_valid_from') }} as valid_from,
        {{ odoo_date('x_valid_to') }} as valid_to,
        {{ odoo_text('x_currency') }} as currency,
        {{ odoo_id('x_product_id') }} as odoo_product_id,
        {{ unreadable({
            'number': [
                'x_unit_price', 'x_package_size', 'x_free_units', 'x_rate', 'x_fixed_amount',
                'x_free_events', 'x_free_amount', 'x_transaction_min', 'x_transaction_max',
                'x_included', 'x_min_amount',
            ],
            'filter': ['x_filter'],
        }) }} as unreadable
    from source
    where deleted_at is null
)

select * from final
