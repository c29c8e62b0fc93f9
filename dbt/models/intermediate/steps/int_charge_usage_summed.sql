-- Sums, counts, maxima and last values come out of days; recurring sums add what was carried into
-- the period. A prorated sum weighs each day's change by the days from it to the period's end.

with

used as (
    select * from {{ ref('int_usage_folded') }}
),

carried as (
    select * from {{ ref('int_usage_carried') }}
),

charge_periods as (
    select * from {{ ref('int_charge_periods') }}
    where aggregation in ('sum', 'count', 'max', 'last')
),

carried_in as (
    select
        carried.subscription_key,
        carried.period_start,
        carried.odoo_charge_id,
        carried.group_key,
        carried.quantity,
        carried.quantity * (charge_periods.period_end - charge_periods.used_from) as quantity_days,
        null::numeric as quantity_max,
        null::numeric as quantity_last,
        carried.events,
        carried.cents
    from carried
    inner join charge_periods
        on
            carried.subscription_key = charge_periods.subscription_key
            and carried.period_start = charge_periods.period_start
            and carried.odoo_charge_id = charge_periods.odoo_charge_id
),

unioned as (
    select
        subscription_key,
        period_start,
        odoo_charge_id,
        group_key,
        quantity,
        quantity_days,
        quantity_max,
        quantity_last,
        events,
        cents
    from used

    union all

    select * from carried_in
),

folded as (
    select
        subscription_key,
        period_start,
        odoo_charge_id,
        group_key,
        sum(quantity) as quantity,
        sum(quantity_days) as quantity_days,
        max(quantity_max) as quantity_max,
        max(quantity_last) as quantity_last,
        sum(events) as events,
        sum(cents) as cents
    from unioned
    group by 1, 2, 3, 4
),

aggregated as (
    select
        folded.*,
        charge_periods.is_prorated,
        charge_periods.nominal_days,
        case charge_periods.aggregation
            when 'max' then coalesce(folded.quantity_max, 0)
            -- As Lago: a last value below nothing is nothing.
            when 'last' then greatest(folded.quantity_last, 0)
            else folded.quantity
        end as aggregate
    from folded
    inner join charge_periods
        on
            folded.subscription_key = charge_periods.subscription_key
            and folded.period_start = charge_periods.period_start
            and folded.odoo_charge_id = charge_periods.odoo_charge_id
),

final as (
    select
        subscription_key,
        period_start,
        odoo_charge_id,
        group_key,
        case
            when is_prorated then {{ ceil_quantity('quantity_days / nominal_days', 5) }}
            else aggregate
        end as units,
        aggregate as full_units,
        events,
        cents
    from aggregated
)

select * from final
