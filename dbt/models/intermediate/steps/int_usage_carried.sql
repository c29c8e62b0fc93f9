-- What recurring quantities a period begins with: the sum of all usage before it, whatever became
-- of that usage then. Lago's history is the subscription's, of days before its start as well.

with

daily as (
    {{ of_the_touched(ref('int_usage_daily')) }}
),

charge_periods as (
    select * from {{ ref('int_charge_periods') }}
),

charges_matched as (
    select * from {{ ref('int_charges_matched') }}
),

carried_periods as (
    select distinct
        subscription_key,
        service_code,
        external_subscription_id,
        plan_code,
        metric_code,
        period_start,
        used_from
    from charge_periods
    where
        is_carried
        and aggregation in ('sum', 'weighted_sum')
),

carried_usage as (
    select distinct
        service_code,
        external_subscription_id,
        metric_code
    from carried_periods
),

days as (
    select
        daily.service_code,
        daily.external_subscription_id,
        daily.metric_code,
        daily.dimensions,
        daily.local_day,
        sum(daily.quantity_sum) as quantity,
        sum(daily.events) as events,
        sum(daily.cents_sum) as cents
    from daily
    inner join carried_usage
        on
            daily.service_code = carried_usage.service_code
            and daily.external_subscription_id = carried_usage.external_subscription_id
            and daily.metric_code = carried_usage.metric_code
    where daily.fate = 'counted'
    group by 1, 2, 3, 4, 5
),

-- A running total stands from its day until the next one of the same properties.
running as (
    select
        service_code,
        external_subscription_id,
        metric_code,
        dimensions,
        local_day,
        lead(local_day) over history as next_day,
        sum(quantity) over history as quantity,
        sum(events) over history as events,
        sum(cents) over history as cents
    from days
    window
        history as (
            partition by service_code, external_subscription_id, metric_code, dimensions
            order by local_day
        )
),

final as (
    select
        carried_periods.subscription_key,
        carried_periods.period_start,
        charges_matched.odoo_charge_id,
        charges_matched.group_key,
        sum(running.quantity) as quantity,
        sum(running.events) as events,
        sum(running.cents) as cents
    from carried_periods
    inner join running
        on
            carried_periods.service_code = running.service_code
            and carried_periods.external_subscription_id = running.external_subscription_id
            and carried_periods.metric_code = running.metric_code
            and carried_periods.used_from > running.local_day
            and carried_periods.used_from <= coalesce(running.next_day, 'infinity')
    inner join charges_matched
        on
            carried_periods.plan_code = charges_matched.plan_code
            and carried_periods.metric_code = charges_matched.metric_code
            and running.dimensions = charges_matched.dimensions
            and carried_periods.period_start >= charges_matched.valid_from
            and carried_periods.period_start < charges_matched.valid_before
    where charges_matched.odoo_charge_id is not null
    group by 1, 2, 3, 4
)

select * from final
