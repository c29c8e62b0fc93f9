-- Every row of the daily roll-up with its period, its charge and its one verdict. Land first, judge
-- later: whatever an app sent is here, and whatever is not rated says why.

with

daily as (
    {{ of_the_touched(ref('int_usage_daily'), 'day_from') }}
),

touched as (
    select * from {{ ref('int_subscriptions_touched') }}
),

segments as (
    select * from {{ ref('int_subscription_segments') }}
),

periods as (
    select * from {{ ref('int_subscription_periods') }}
),

pauses as (
    select * from {{ ref('int_subscription_pauses') }}
),

closings as (
    select * from {{ ref('int_period_closings') }}
),

charges_matched as (
    select * from {{ ref('int_charges_matched') }}
),

subscriptions as (
    select
        subscription_key,
        service_code,
        external_subscription_id,
        min(segment_start) as first_day,
        max(coalesce(segment_end, 'infinity')) as last_day,
        bool_or(is_linked) as is_linked
    from segments
    group by 1, 2, 3
),

known as (
    select
        daily.*,
        subscriptions.subscription_key,
        subscriptions.first_day,
        subscriptions.last_day,
        segments.account_key,
        segments.odoo_order_id,
        segments.plan_code,
        segments.trial_end,
        -- Outside its segments a subscription is linked where any of them is.
        coalesce(segments.is_linked, subscriptions.is_linked) as is_linked,
        segments.subscription_key is not null as is_served
    from daily
    inner join touched
        on
            daily.service_code = touched.service_code
            and daily.external_subscription_id = touched.external_subscription_id
            and daily.local_day >= touched.day_from
    left join subscriptions
        on
            daily.service_code = subscriptions.service_code
            and daily.external_subscription_id = subscriptions.external_subscription_id
    left join segments
        on
            subscriptions.subscription_key = segments.subscription_key
            and daily.local_day >= segments.segment_start
            and daily.local_day <= coalesce(segments.segment_end, 'infinity')
),

in_period as (
    select
        known.*,
        periods.period_start,
        periods.period_end,
        closings.closed_by_run,
        pauses.subscription_key is not null as is_paused
    from known
    left join periods
        on
            known.subscription_key = periods.subscription_key
            and known.local_day >= periods.period_start
            and known.local_day < periods.period_end
    left join closings
        on
            periods.subscription_key = closings.subscription_key
            and periods.period_start = closings.period_start
    left join pauses
        on
            known.subscription_key = pauses.subscription_key
            and known.local_day >= pauses.paused_from
            and known.local_day <= coalesce(pauses.paused_until, 'infinity')
),

-- The version that is valid on the period's first day prices all of it.
priced as (
    select
        in_period.*,
        charges_matched.charge_key,
        charges_matched.odoo_charge_id,
        charges_matched.group_key,
        charges_matched.plan_code is not null as is_charged
    from in_period
    left join charges_matched
        on
            in_period.plan_code = charges_matched.plan_code
            and in_period.metric_code = charges_matched.metric_code
            and in_period.dimensions = charges_matched.dimensions
            and in_period.period_start >= charges_matched.valid_from
            and in_period.period_start < charges_matched.valid_before
),

judged as (
    select
        *,
        case
            when fate = 'superseded' then 'superseded: higher revision'
            when external_subscription_id = '' then 'unattributed: no subscription id'
            when subscription_key is null then 'unattributed: unknown subscription'
            when not is_linked then 'unattributed: no account link'
            when local_day < first_day then 'unattributed: before the subscription'
            when local_day > last_day then 'unattributed: after the subscription'
            when not is_served then 'unattributed: between two orders'
            -- More than a year ahead of what came in last, or a plan without a known interval.
            when period_start is null then 'unattributed: no billing period'
            when is_paused then 'unattributed: subscription paused'
            when aggregation is null then 'unpriced: unknown metric'
            when not is_charged then 'unpriced: no charge in the plan'
            when charge_key is null then 'unpriced: no variant for these properties'
            when fate = 'unreadable' then 'unpriced: unreadable value'
            when local_day <= trial_end then 'free: trial'
            else 'rated'
        end as judgement
    from priced
),

final as (
    select
        service_code,
        external_subscription_id,
        metric_code,
        local_day,
        dimensions,
        fate,
        arrived_run,
        subscription_key,
        account_key,
        odoo_order_id,
        plan_code,
        period_start,
        period_end,
        charge_key,
        odoo_charge_id,
        group_key,
        aggregation,
        split_part(judgement, ':', 1) as verdict,
        judgement as verdict_reason,
        coalesce(arrived_run >= closed_by_run, false) as is_late,
        counters,
        quantity_sum,
        quantity_max,
        quantity_last,
        last_window_end,
        last_order,
        events,
        cents_sum
    from judged
    -- As int_usage_daily: the joins lost its order.
    order by local_day, service_code, external_subscription_id
)

select * from final
