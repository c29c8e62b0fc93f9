with

source as (
    select * from {{ source('raw', 'odoo_metric') }}
),

final as (
    select
        id as odoo_metric_id,
        {{ odoo_text('x_name') }} as metric_name,
        {{ odoo_text('x_code') }} as metric_code,
        {{ odoo_text('x_aggregation') }} as aggregation,
        coalesce({{ odoo_text('x_field_name') }}, 'value') as field_name,
        {{ odoo_flag('x_recurring') }} as recurring,
        nullif({{ odoo_text('x_rounding_function') }}, '') as rounding_function,
        coalesce({{ typed_digits('x_rounding_precision') }}, 0) as rounding_precision,
        coalesce({{ typed_filter('x_metric_filters') }}, '{}'::jsonb) as metric_filters,
        {{ odoo_text('x_unit') }} as unit,
        {{ unreadable({'digits': ['x_rounding_precision'], 'filter': ['x_metric_filters']}) }}
            as unreadable
    from source
    where deleted_at is null
)

select * from final
