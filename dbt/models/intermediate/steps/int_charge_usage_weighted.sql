-- A level's average over the nominal period: each change weighs the seconds from it to the period's
-- end, what was carried in weighs all of them. Real seconds: March has an hour less where clocks go
-- forward, and a level that stands all month is that level, 23-hour day or not.

with

charge_events as (
    select * from {{ ref('int_charge_events') }}
),

carried as (
    select * from {{ ref('int_usage_carried') }}
),

charge_periods as (
    select * from {{ ref('int_charge_periods') }}
),

weighed_periods as (
    select
        *,
        {{ day_start('used_from') }} as starts_at,
        {{ day_start('period_end') }} as ends_at,
        extract(
            epoch from {{ day_start('nominal_end') }} - {{ day_start('nominal_start') }}
        ) as nominal_seconds
    from charge_periods
    where aggregation = 'weighted_sum'
),

changes as (
    select
        subscription_key,
        period_start,
        odoo_charge_id,
        group_key,
        window_start as changed_at,
        quantity,
        1 as events
    from charge_events

    union all

    select
        subscription_key,
        period_start,
        odoo_charge_id,
        group_key,
        null as changed_at,
        quantity,
        0 as events
    from carried
),

weighed as (
    select
        changes.subscription_key,
        changes.period_start,
        changes.odoo_charge_id,
        changes.group_key,
        weighed_periods.nominal_seconds,
        sum(
            changes.quantity
            * extract(
                epoch
                from weighed_periods.ends_at
                - coalesce(changes.changed_at, weighed_periods.starts_at)
            )
        ) as quantity_seconds,
        sum(changes.quantity) as level,
        sum(changes.events) as events
    from changes
    inner join weighed_periods
        on
            changes.subscription_key = weighed_periods.subscription_key
            and changes.period_start = weighed_periods.period_start
            and changes.odoo_charge_id = weighed_periods.odoo_charge_id
    group by 1, 2, 3, 4, 5
),

-- A division keeps as many digits as its operands show: thirty, of which Lago keeps twenty.
averaged as (
    select
        *,
        round(quantity_seconds, 30) / nominal_seconds as average
    from weighed
),

final as (
    select
        subscription_key,
        period_start,
        odoo_charge_id,
        group_key,
        {{ ceil_quantity('average', 20) }} as units,
        events,
        level
    from averaged
)

select * from final
