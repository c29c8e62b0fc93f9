with

charges as (
    select * from {{ ref('int_charges_priced') }}
),

final as (
    select
        charge_key,
        plan_code,
        metric_code,
        charge_name,
        unit,
        charge_model,
        unit_price,
        quantity_included,
        currency,
        odoo_charge_id,
        odoo_product_id
    from charges
)

select * from final
