-- No fee is lost, and its lines are all of it: they sum to its units, and their amounts to its
-- amount, rounded once. Prorated tiers price the level of units: their quantities sum to the
-- events' prorated values, which neither a metric's rounding nor Lago's five digits touch.
-- And what is priced transaction by transaction knows its transactions: Lago's models of them
-- cannot be priced by their sum.
with

fees as (
    select * from {{ ref('int_charges_metered') }}
),

rated_lines as (
    select * from {{ ref('fct_rated_lines') }}
    where tier > 0
),

summed as (
    select
        fees.fee_key,
        fees.charge_model,
        fees.units,
        fees.charge_model = 'graduated' and fees.prorated as is_by_level,
        fees.charge_model = 'percentage'
        and fees.events_count <> 0
        and fees.event_values is null
        and (
            coalesce(fees.free_events, 0) > 0
            or coalesce(fees.free_amount, 0) > 0
            or fees.transaction_min is not null
            or fees.transaction_max is not null
        ) as lacks_transactions,
        count(rated_lines.line_key) as lines,
        sum(rated_lines.quantity_used) as quantity_used,
        sum(rated_lines.amount) as amount,
        sum(rated_lines.amount_precise) as amount_precise
    from fees
    left join rated_lines
        on
            fees.subscription_key = rated_lines.subscription_key
            and fees.charge_key = rated_lines.charge_key
            and fees.group_key = rated_lines.group_key
            and fees.period_start = rated_lines.period_start
    group by 1, 2, 3, 4, 5
)

select *
from summed
where
    lines = 0
    or lacks_transactions
    or (not is_by_level and quantity_used <> units)
    or abs(amount - amount_precise) > 0.5 * power(10::numeric, -scale(amount))
