with

metrics as (
    select * from {{ ref('stg_odoo__metrics') }}
),

final as (
    select
        metric_code,
        metric_name,
        aggregation,
        field_name,
        recurring,
        rounding_function,
        rounding_precision,
        metric_filters,
        unit,
        odoo_metric_id
    from metrics
)

select * from final
