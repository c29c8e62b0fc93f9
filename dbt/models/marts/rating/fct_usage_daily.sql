with

placed as (
    {{ of_the_touched(ref('int_usage_placed'), 'day_from') }}
),

touched as (
    select * from {{ ref('int_subscriptions_touched') }}
),

events as (
    {{ of_the_touched(ref('int_usage_events'), 'day_from') }}
),

metrics as (
    select * from {{ ref('stg_odoo__metrics') }}
),

-- Used by somebody we know, whether or not it has a price.
attributed as (
    select placed.*
    from placed
    inner join touched
        on
            placed.subscription_key = touched.subscription_key
            and placed.local_day >= touched.day_from
    where
        placed.verdict in ('rated', 'free')
        or placed.verdict_reason in (
            'unpriced: no charge in the plan', 'unpriced: no variant for these properties'
        )
),

days as (
    select
        subscription_key,
        metric_code,
        local_day,
        service_code,
        external_subscription_id,
        account_key,
        aggregation,
        sum(counters)::bigint as counters,
        sum(quantity_sum) as quantity_sum,
        max(quantity_max) as quantity_max
    from attributed
    group by 1, 2, 3, 4, 5, 6, 7
),

lasts as (
    select distinct on (subscription_key, metric_code, local_day)
        subscription_key,
        metric_code,
        local_day,
        quantity_last
    from attributed
    where
        aggregation = 'last'
        and fate = 'counted'
    order by subscription_key asc, metric_code asc, local_day asc, last_order desc
),

unique_metrics as (
    select distinct metric_code
    from metrics
    where aggregation = 'unique'
),

members as (
    select
        events.service_code,
        events.external_subscription_id,
        events.metric_code,
        events.local_day,
        count(distinct events.member) as members
    from events
    inner join unique_metrics
        on events.metric_code = unique_metrics.metric_code
    inner join touched
        on
            events.service_code = touched.service_code
            and events.external_subscription_id = touched.external_subscription_id
            and events.local_day >= touched.day_from
    where events.fate = 'counted'
    group by 1, 2, 3, 4
),

final as (
    select
        days.subscription_key,
        days.metric_code,
        days.local_day,
        days.service_code,
        days.account_key,
        days.aggregation,
        days.counters,
        case days.aggregation
            when 'max' then days.quantity_max
            when 'last' then lasts.quantity_last
            when 'unique' then coalesce(members.members, 0)
            else days.quantity_sum
        end as quantity
    from days
    left join lasts
        on
            days.subscription_key = lasts.subscription_key
            and days.metric_code = lasts.metric_code
            and days.local_day = lasts.local_day
    left join members
        on
            days.service_code = members.service_code
            and days.external_subscription_id = members.external_subscription_id
            and days.metric_code = members.metric_code
            and days.local_day = members.local_day
)

select * from final
