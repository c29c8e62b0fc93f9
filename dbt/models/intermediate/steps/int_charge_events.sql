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

placed as (
    {{ of_the_touched(ref('int_usage_placed'), 'rated_from') }}
),

charge_periods as (
    select * from {{ ref('int_charge_periods') }}
),

event_metrics as (
    select distinct metric_code
    from events
),

-- A day's counters of the same properties go one way, whichever run was the first to see them.
days as (
    select distinct
        placed.subscription_key,
        placed.period_start,
        placed.odoo_charge_id,
        placed.group_key,
        placed.service_code,
        placed.external_subscription_id,
        placed.metric_code,
        placed.local_day,
        placed.dimensions
    from placed
    inner join event_metrics
        on placed.metric_code = event_metrics.metric_code
    inner join charge_periods
        on
            placed.subscription_key = charge_periods.subscription_key
            and placed.period_start = charge_periods.period_start
            and placed.odoo_charge_id = charge_periods.odoo_charge_id
    where {{ counts_in_its_period('placed', 'charge_periods') }}
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
