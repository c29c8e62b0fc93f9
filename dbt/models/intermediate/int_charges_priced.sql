with

charges as (
    select * from {{ ref('stg_odoo__charges') }}
),

metrics as (
    select * from {{ ref('stg_odoo__metrics') }}
),

final as (
    select
        charges.plan_code || '/' || charges.charge_code as charge_key,
        charges.plan_code,
        charges.charge_code,
        charges.charge_name,
        metrics.metric_code,
        metrics.metric_name,
        metrics.aggregation,
        metrics.unit,
        charges.charge_model,
        charges.unit_price,
        charges.quantity_included,
        charges.currency,
        charges.odoo_charge_id,
        charges.odoo_product_id
    from charges
    inner join metrics
        on charges.odoo_metric_id = metrics.odoo_metric_id
)

select * from final
