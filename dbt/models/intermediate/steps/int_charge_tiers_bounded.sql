-- A tier begins where the one before it ends, whether its card says 11 (after 10) or 10: the same
-- for whole quantities, and the only reading in which tiers sum to the quantity.

with

charge_tiers as (
    select * from {{ ref('stg_odoo__charge_tiers') }}
),

charges as (
    select * from {{ ref('int_charges_priced') }}
),

final as (
    select
        charge_tiers.odoo_charge_id,
        charge_tiers.tier,
        coalesce(
            lag(charge_tiers.to_value) over (
                partition by charge_tiers.odoo_charge_id order by charge_tiers.tier
            ),
            0
        ) as above,
        coalesce(charge_tiers.to_value, 'infinity') as up_to,
        case charges.charge_model
            when 'graduated_percentage' then trim_scale(charge_tiers.rate * 0.01)
            else charge_tiers.unit_price
        end as unit_price,
        charge_tiers.flat_amount
    from charge_tiers
    inner join charges
        on charge_tiers.odoo_charge_id = charges.odoo_charge_id
)

select * from final
