-- No fee is lost, and its lines are all of it: they sum to its units, and their amounts to its
-- amount, rounded once. Prorated tiers price the level of units: their quantities sum to the
-- events' prorated values, which neither a metric's rounding nor Lago's five digits touch.

with

fees as (
    select * from {{ ref('int_charges_metered') }}
),

charges_rated as (
    select * from {{ ref('int_charges_rated') }}
),

summed as (
    select
        fees.fee_key,
        fees.charge_model,
        fees.units,
        fees.charge_model = 'graduated' and fees.prorated as is_by_level,
        count(charges_rated.line_key) as lines,
        sum(charges_rated.quantity_used) as quantity_used,
        sum(charges_rated.amount) as amount,
        sum(charges_rated.amount_precise) as amount_precise
    from fees
    left join charges_rated
        on fees.fee_key = charges_rated.fee_key
    group by 1, 2, 3, 4
)

select *
from summed
where
    lines = 0
    or (not is_by_level and quantity_used <> units)
    or abs(amount - amount_precise) > 0.5 * power(10::numeric, -scale(amount))
