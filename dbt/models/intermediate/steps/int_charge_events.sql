-- The single counters of what cannot be folded by days, with the period, charge and group that
-- count them.

with

stored_events as (
    {{ of_the_touched(ref('int_usage_events'), 'rated_from') }}
),

events as (
    select * from stored_events
    where fate = 'counted'
),

counted as (
    select * from {{ ref('int_usage_counted') }}
),

event_metrics as (
    select distinct metric_code
    from events
),

-- A day's counters of the same properties go one way, whichever run was the first to see them.
days as (
    select distinct
        counted.subscription_key,
        counted.period_start,
        counted.odoo_charge_id,
        counted.group_key,
        counted.service_code,
        counted.external_subscription_id,
        counted.metric_code,
        counted.local_day,
        counted.dimensions
    from counted
    inner join event_metrics
        on counted.metric_code = event_metrics.metric_code
),

final as (
    select
        days.subscription_key,
        days.period_start,
        days.odoo_charge_id,
        days.group_key,
        events.metric_code,
        events.local_day,
        events.transaction_id,
        events.window_start,
        events.received_at,
        events.quantity,
        events.member,
        events.operation
    from events
    inner join days
        on
            events.service_code = days.service_code
            and events.external_subscription_id = days.external_subscription_id
            and events.metric_code = days.metric_code
            and events.local_day = days.local_day
            and events.dimensions = days.dimensions
)

select * from final
