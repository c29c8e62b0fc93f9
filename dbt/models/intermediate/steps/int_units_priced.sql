-- Models in which every unit beyond the quota has one price: by the unit, by the package that it
-- opens, or as the app said with each event.

with

fees as (
    select * from {{ ref('int_charges_metered') }}
    where charge_model in ('standard', 'package', 'dynamic')
),

priced as (
    select
        *,
        case charge_model
            when 'standard' then units_billed * unit_price
            -- Begun packages: whole ones, and one more where something is left.
            when 'package'
                then
                    (div(units_billed, package_size) + sign(mod(units_billed, package_size)))
                    * unit_price
            -- The quota takes its share of what the app asked for.
            when 'dynamic'
                then
                    case
                        when units_billed = 0 then 0
                        when units_included = 0 then coalesce(cents_sum, 0) * 0.01
                        else {{ ratio('coalesce(cents_sum, 0) * 0.01 * units_billed', 'units') }}
                    end
        end as amount_precise
    from fees
),

final as (
    select
        fee_key,
        1 as tier,
        units as quantity_used,
        units_included as quantity_included,
        units_billed as quantity_billed,
        case
            when charge_model = 'dynamic'
                then coalesce({{ ratio('amount_precise', 'nullif(units_billed, 0)') }}, 0)
            else unit_price
        end as unit_price,
        case when charge_model = 'package' then package_size end as package_size,
        0::numeric as flat_amount,
        trim_scale(amount_precise) as amount_precise
    from priced
)

select * from final
