-- A charge with a minimum is topped up to it, over all of its variants and groups. A part of a
-- period owes the same part of the minimum, and days of a trial owe none.

with

charge_periods as (
    select * from {{ ref('int_charge_periods') }}
),

charges as (
    select * from {{ ref('int_charges_priced') }}
    where
        variant = ''
        and charge_model <> 'minimum_commitment'
        and min_amount > 0
),

charges_rated as (
    select * from {{ ref('int_charges_rated') }}
),

rated as (
    select
        subscription_key,
        charge_group,
        period_start,
        sum(amount) as amount
    from charges_rated
    group by 1, 2, 3
),

owed as (
    select
        charge_periods.subscription_key,
        charge_periods.period_start,
        charge_periods.period_end,
        charge_periods.odoo_order_id,
        charges.charge_group,
        charges.metric_code,
        charges.currency,
        {{ part_of_period(
            'charges.min_amount',
            '(charge_periods.period_end - charge_periods.used_from)',
            'charge_periods.nominal_days'
        ) }} as minimum,
        coalesce(rated.amount, 0) as amount_rated
    from charge_periods
    inner join charges
        on charge_periods.odoo_charge_id = charges.odoo_charge_id
    left join rated
        on
            charge_periods.subscription_key = rated.subscription_key
            and charges.charge_group = rated.charge_group
            and charge_periods.period_start = rated.period_start
),

final as (
    select
        subscription_key,
        period_start,
        period_end,
        odoo_order_id,
        charge_group || '/true_up' as charge_key,
        metric_code,
        currency,
        {{ round_money('minimum', 'currency') }} as minimum,
        greatest(minimum - amount_rated, 0) as amount_precise,
        {{ round_money('greatest(minimum - amount_rated, 0)', 'currency') }} as amount
    from owed
)

select * from final
