-- Where usage adds up and is not rounded, a charge's lines sum to the counters that were placed on
-- it: what an app sent is what its customer is billed for, over all tiers and groups.

with

rated_lines as (
    select * from {{ ref('fct_rated_lines') }}
    where tier > 0
),

placed as (
    select * from {{ ref('int_usage_placed') }}
    where verdict = 'rated'
),

charges as (
    select * from {{ ref('int_charges_priced') }}
    where
        aggregation in ('sum', 'count')
        and not recurring
        and rounding_function is null
),

lines as (
    select
        subscription_key,
        charge_key,
        period_start,
        sum(quantity_used) as quantity_used
    from rated_lines
    group by 1, 2, 3
),

days as (
    select
        placed.subscription_key,
        placed.charge_key,
        placed.period_start,
        sum(placed.quantity_sum) as quantity_of_days
    from placed
    inner join charges
        on placed.odoo_charge_id = charges.odoo_charge_id
    group by 1, 2, 3
)

select
    days.subscription_key,
    days.charge_key,
    days.period_start,
    days.quantity_of_days,
    lines.quantity_used
from days
left join lines
    on
        days.subscription_key = lines.subscription_key
        and days.charge_key = lines.charge_key
        and days.period_start = lines.period_start
where lines.quantity_used is distinct from days.quantity_of_days
