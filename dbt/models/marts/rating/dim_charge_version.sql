with

charges as (
    select * from {{ ref('int_charges_priced') }}
),

charge_tiers as (
    select * from {{ ref('stg_odoo__charge_tiers') }}
),

tiers as (
    select
        odoo_charge_id,
        jsonb_agg(
            jsonb_build_object(
                'tier', tier,
                'from_value', from_value::text,
                'to_value', to_value::text,
                'unit_price', unit_price::text,
                'flat_amount', flat_amount::text,
                'rate', rate::text
            )
            order by tier
        ) as tiers
    from charge_tiers
    group by odoo_charge_id
),

final as (
    select
        charges.odoo_charge_id,
        charges.charge_key,
        charges.charge_group,
        charges.charge_code,
        charges.variant,
        charges.plan_code,
        charges.metric_code,
        charges.valid_from,
        charges.valid_to,
        charges.charge_name,
        charges.unit,
        charges.charge_model,
        charges.unit_price,
        charges.package_size,
        charges.free_units,
        charges.rate,
        charges.fixed_amount,
        charges.free_events,
        charges.free_amount,
        charges.transaction_min,
        charges.transaction_max,
        charges.quantity_included,
        charges.min_amount,
        tiers.tiers,
        charges.filter_values,
        charges.pricing_group_keys,
        charges.prorated,
        charges.currency,
        charges.odoo_product_id
    from charges
    left join tiers
        on charges.odoo_charge_id = tiers.odoo_charge_id
)

select * from final
