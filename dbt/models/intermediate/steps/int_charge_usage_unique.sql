-- Unique counts: who is there at the period's end. Prorated: the share of the nominal period's days
-- on which each member was there.

with

members as (
    select * from {{ ref('int_charge_members') }}
),

charge_periods as (
    select * from {{ ref('int_charge_periods') }}
    where aggregation = 'unique'
),

counted as (
    select
        subscription_key,
        period_start,
        odoo_charge_id,
        group_key,
        sum(change) as members,
        sum(days)::numeric as days
    from members
    group by 1, 2, 3, 4
),

final as (
    select
        counted.subscription_key,
        counted.period_start,
        counted.odoo_charge_id,
        counted.group_key,
        case
            when charge_periods.is_prorated
                then {{ ceil_quantity('counted.days / charge_periods.nominal_days', 5) }}
            else counted.members
        end as units,
        counted.members::numeric as full_units,
        -- Lago shows the members as the number of events.
        counted.members as events
    from counted
    inner join charge_periods
        on
            counted.subscription_key = charge_periods.subscription_key
            and counted.period_start = charge_periods.period_start
            and counted.odoo_charge_id = charge_periods.odoo_charge_id
)

select * from final
