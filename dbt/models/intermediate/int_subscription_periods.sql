-- Half-open local days. Every step is counted from the anchor, never from the period before, so
-- that a month-end start clamps and comes back: 31 Jan, 28 Feb, 31 Mar.

with

subscriptions as (
    select * from {{ ref('int_subscriptions_linked') }}
),

counters as (
    select * from {{ ref('stg_usage__counters') }}
),

-- One counter dated 9999 must not give every subscription 95,000 periods: a year beyond what was
-- received last is as far as periods reach.
horizon as (
    select
        coalesce(
            least(max(local_day), max({{ local_day('received_at') }}) + 366), '1970-01-01'
        ) as last_day
    from counters
),

anchored as (
    select
        subscriptions.subscription_key,
        subscriptions.service_code,
        subscriptions.start_date,
        subscriptions.end_date,
        horizon.last_day,
        case
            when subscriptions.billing_time = 'anniversary' then subscriptions.start_date
            when
                subscriptions.billing_period_unit = 'month'
                and subscriptions.billing_period_value = 3
                then date_trunc('quarter', subscriptions.start_date)::date
            else date_trunc(subscriptions.billing_period_unit, subscriptions.start_date)::date
        end as anchor,
        case subscriptions.billing_period_unit
            when 'week' then make_interval(weeks => subscriptions.billing_period_value)
            when 'month' then make_interval(months => subscriptions.billing_period_value)
            when 'year' then make_interval(years => subscriptions.billing_period_value)
        end as step,
        case subscriptions.billing_period_unit
            when 'week' then 7
            when 'month' then 28
            when 'year' then 365
        end * subscriptions.billing_period_value as shortest_days
    from subscriptions
    cross join horizon
    where subscriptions.start_date <= horizon.last_day
),

stepped as (
    select
        anchored.*,
        (anchored.anchor + steps.step_number * anchored.step)::date as nominal_start,
        (anchored.anchor + (steps.step_number + 1) * anchored.step)::date as nominal_end
    from anchored
    cross join
        lateral generate_series(0, (anchored.last_day - anchored.anchor) / anchored.shortest_days)
            as steps (step_number)
),

final as (
    select
        subscription_key,
        service_code,
        greatest(nominal_start, start_date) as period_start,
        -- Odoo's end_date is the last day of service.
        least(nominal_end, end_date + 1) as period_end
    from stepped
    where
        nominal_start <= last_day
        and nominal_end > start_date
        and (end_date is null or greatest(nominal_start, start_date) <= end_date)
)

select * from final
