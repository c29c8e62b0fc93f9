-- Graduated: each tier prices the units that fall into it. Volume: the tier that the quantity
-- reaches prices all of it. The first tier is entered at zero units already, as in Lago.

with

fees as (
    select * from {{ ref('int_charges_metered') }}
    where
        charge_model in ('graduated_percentage', 'volume')
        or (charge_model = 'graduated' and not prorated)
),

tiers as (
    select * from {{ ref('int_charge_tiers_bounded') }}
),

entered as (
    select
        fees.fee_key,
        fees.units,
        fees.units_included,
        tiers.tier,
        tiers.unit_price,
        fees.charge_model = 'volume' or tiers.tier = 1 as is_first,
        case
            when fees.charge_model = 'volume' then fees.units_billed
            else least(fees.units_billed, tiers.up_to) - least(fees.units_billed, tiers.above)
        end as quantity_billed,
        -- Less than nothing used bills nothing at all; just nothing bills the first tier's fee.
        case when fees.units < 0 then 0 else tiers.flat_amount end as flat_amount
    from fees
    inner join tiers
        on fees.odoo_charge_id = tiers.odoo_charge_id
    where
        case
            when fees.charge_model = 'volume'
                -- What is prorated is billed, but the full quantity chooses the tier.
                then
                    (tiers.tier = 1 or fees.full_units_billed > tiers.above)
                    and fees.full_units_billed <= tiers.up_to
            else tiers.tier = 1 or fees.units_billed > tiers.above
        end
),

final as (
    select
        fee_key,
        tier,
        -- Tiers sum to what was used: the quota stands on the first line.
        case
            when is_first then quantity_billed + units_included + least(units, 0)
            else quantity_billed
        end as quantity_used,
        case when is_first then units_included else 0 end as quantity_included,
        quantity_billed,
        unit_price,
        null::numeric as package_size,
        flat_amount,
        trim_scale(quantity_billed * unit_price + flat_amount) as amount_precise
    from entered
)

select * from final
