-- Every fee's lines. A fee is rounded once; a line's amount is what it adds to the rounded sum of
-- the lines up to it, so that lines sum to the fee to the cent.

with

fees as (
    select * from {{ ref('int_charges_metered') }}
),

lines as (
    select * from {{ ref('int_units_priced') }}
    union all
    select * from {{ ref('int_tiers_priced') }}
    union all
    select * from {{ ref('int_prorated_tiers_priced') }}
    union all
    select * from {{ ref('int_percentages_priced') }}
),

summed as (
    select
        *,
        sum(amount_precise) over (partition by fee_key) < 0 as is_negative,
        sum(amount_precise) over (partition by fee_key) as fee,
        sum(amount_precise) over (partition by fee_key order by tier) as fee_so_far
    from lines
),

final as (
    select
        fees.fee_key || ':' || summed.tier as line_key,
        fees.fee_key,
        fees.subscription_key,
        fees.period_start,
        fees.period_end,
        fees.charge_key,
        fees.charge_group,
        fees.variant,
        fees.group_key,
        summed.tier,
        fees.metric_code,
        fees.odoo_order_id,
        fees.charge_model,
        summed.quantity_used,
        summed.quantity_included,
        summed.quantity_billed,
        summed.unit_price,
        summed.package_size,
        summed.flat_amount,
        fees.units,
        fees.events_count,
        -- Of a package Lago's is by the units beyond the free ones.
        {{ ratio(
            'greatest(summed.fee, 0)',
            "nullif(case when fees.charge_model = 'package' then summed.quantity_billed"
            ~ " else fees.full_units end, 0)"
        ) }} as unit_amount,
        case
            when summed.is_negative then {{ round_money('0', 'fees.currency') }}
            else
                {{ round_money('summed.fee_so_far', 'fees.currency') }}
                - {{ round_money('summed.fee_so_far - summed.amount_precise', 'fees.currency') }}
        end as amount,
        case when summed.is_negative then 0 else summed.amount_precise end as amount_precise,
        fees.currency
    from summed
    inner join fees
        on summed.fee_key = fees.fee_key
)

select * from final
