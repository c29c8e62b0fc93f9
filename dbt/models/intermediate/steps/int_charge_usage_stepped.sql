-- Single events in their order, for what is priced one by one: percentages with something free or
-- with limits for a transaction, and prorated tiers, where an event climbs on from the one before
-- it and pays for its share of the period. What is carried in comes first.

with

charge_events as (
    select * from {{ ref('int_charge_events') }}
),

members as (
    select * from {{ ref('int_charge_members') }}
),

carried as (
    select * from {{ ref('int_usage_carried') }}
),

charge_periods as (
    select * from {{ ref('int_charge_periods') }}
    where is_priced_by_event
),

steps as (
    select
        charge_periods.subscription_key,
        charge_periods.period_start,
        charge_periods.odoo_charge_id,
        charge_events.group_key,
        charge_periods.is_prorated,
        charge_periods.nominal_days,
        charge_events.window_start,
        charge_events.received_at,
        charge_events.transaction_id,
        charge_events.quantity,
        charge_events.quantity * (charge_periods.period_end - charge_events.local_day)
            as quantity_days
    from charge_events
    inner join charge_periods
        on
            charge_events.subscription_key = charge_periods.subscription_key
            and charge_events.period_start = charge_periods.period_start
            and charge_events.odoo_charge_id = charge_periods.odoo_charge_id
    where
        charge_periods.aggregation <> 'unique'
        or not charge_periods.is_prorated

    union all

    -- A member pays for its days when it comes; when it goes it makes room, and nothing more.
    select
        charge_periods.subscription_key,
        charge_periods.period_start,
        charge_periods.odoo_charge_id,
        members.group_key,
        charge_periods.is_prorated,
        charge_periods.nominal_days,
        case when not members.is_carried then members.window_start end as window_start,
        members.received_at,
        members.transaction_id,
        members.change as quantity,
        members.days as quantity_days
    from members
    inner join charge_periods
        on
            members.subscription_key = charge_periods.subscription_key
            and members.period_start = charge_periods.period_start
            and members.odoo_charge_id = charge_periods.odoo_charge_id
    where charge_periods.is_prorated

    union all

    select
        charge_periods.subscription_key,
        charge_periods.period_start,
        charge_periods.odoo_charge_id,
        carried.group_key,
        charge_periods.is_prorated,
        charge_periods.nominal_days,
        null as window_start,
        null as received_at,
        null as transaction_id,
        carried.quantity,
        carried.quantity * (charge_periods.period_end - charge_periods.used_from) as quantity_days
    from carried
    inner join charge_periods
        on
            carried.subscription_key = charge_periods.subscription_key
            and carried.period_start = charge_periods.period_start
            and carried.odoo_charge_id = charge_periods.odoo_charge_id
),

final as (
    select
        subscription_key,
        period_start,
        odoo_charge_id,
        group_key,
        array_agg(
            quantity order by window_start nulls first, received_at, transaction_id
        ) as event_values,
        array_agg(
            quantity_days / nominal_days
            order by window_start nulls first, received_at, transaction_id
        ) filter (where is_prorated) as event_prorated_values
    from steps
    group by 1, 2, 3, 4
)

select * from final
