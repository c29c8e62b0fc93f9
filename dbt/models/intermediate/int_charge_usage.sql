-- What a charge has to price: one row per charge, group and period that was used, that begins with
-- something carried over, or that bills something at nothing used.

with

charge_periods as (
    select * from {{ ref('int_charge_periods') }}
),

charges as (
    select * from {{ ref('int_charges_priced') }}
),

counted as (
    select * from {{ ref('int_usage_folded') }}
),

summed as (
    select * from {{ ref('int_charge_usage_summed') }}
),

uniques as (
    select * from {{ ref('int_charge_usage_unique') }}
),

weighted as (
    select * from {{ ref('int_charge_usage_weighted') }}
),

stepped as (
    select * from {{ ref('int_charge_usage_stepped') }}
),

folded as (
    select
        subscription_key,
        period_start,
        odoo_charge_id,
        group_key,
        units,
        full_units,
        events,
        cents
    from summed

    union all

    select
        subscription_key,
        period_start,
        odoo_charge_id,
        group_key,
        units,
        full_units,
        events,
        0 as cents
    from uniques

    union all

    select
        subscription_key,
        period_start,
        odoo_charge_id,
        group_key,
        units,
        units as full_units,
        events,
        0 as cents
    from weighted
),

-- Usage may come to nothing, such as the removal of somebody who was not there: it is a row still.
-- To begin with nothing is none.
used as (
    select
        subscription_key,
        period_start,
        odoo_charge_id,
        group_key
    from folded
    where
        units <> 0
        or full_units <> 0

    union

    select
        subscription_key,
        period_start,
        odoo_charge_id,
        group_key
    from counted
),

billed_at_zero as (
    select
        charge_periods.subscription_key,
        charge_periods.period_start,
        charge_periods.odoo_charge_id,
        '' as group_key
    from charge_periods
    left join used
        on
            charge_periods.subscription_key = used.subscription_key
            and charge_periods.period_start = used.period_start
            and charge_periods.odoo_charge_id = used.odoo_charge_id
    where
        charge_periods.is_billed_at_zero
        and used.subscription_key is null
),

to_price as (
    select * from used

    union all

    select * from billed_at_zero
),

final as (
    select
        to_price.subscription_key,
        charge_periods.charge_key,
        to_price.group_key,
        to_price.period_start,
        charge_periods.period_end,
        to_price.odoo_charge_id,
        charge_periods.odoo_order_id,
        charge_periods.plan_code,
        charge_periods.metric_code,
        coalesce({{ rounded_as_metric('folded.units', 'charges') }}, 0) as units,
        coalesce({{ rounded_as_metric('folded.full_units', 'charges') }}, 0) as full_units,
        coalesce(folded.events, 0)::bigint as events_count,
        coalesce(folded.cents, 0) as cents_sum,
        stepped.event_values,
        stepped.event_prorated_values,
        coalesce(counted.counters, 0)::bigint as counters,
        coalesce(counted.late_counters, 0)::bigint as late_counters
    from to_price
    inner join charge_periods
        on
            to_price.subscription_key = charge_periods.subscription_key
            and to_price.period_start = charge_periods.period_start
            and to_price.odoo_charge_id = charge_periods.odoo_charge_id
    inner join charges
        on to_price.odoo_charge_id = charges.odoo_charge_id
    left join folded
        on
            to_price.subscription_key = folded.subscription_key
            and to_price.period_start = folded.period_start
            and to_price.odoo_charge_id = folded.odoo_charge_id
            and to_price.group_key = folded.group_key
    left join stepped
        on
            to_price.subscription_key = stepped.subscription_key
            and to_price.period_start = stepped.period_start
            and to_price.odoo_charge_id = stepped.odoo_charge_id
            and to_price.group_key = stepped.group_key
    left join counted
        on
            to_price.subscription_key = counted.subscription_key
            and to_price.period_start = counted.period_start
            and to_price.odoo_charge_id = counted.odoo_charge_id
            and to_price.group_key = counted.group_key
)

select * from final
