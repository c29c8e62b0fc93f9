-- Where the app's period is not ours: the usage of the days that are not wholly in both. As much,
-- and no more, the two may count apart without either being wrong. Only what adds up from day to
-- day.

with

apps as (
    select * from {{ ref('int_app_charges_billed') }}
    where
        item_type = 'charge'
        and is_shifted
),

periods as (
    select * from {{ ref('int_subscription_periods') }}
),

daily as (
    select * from {{ ref('fct_usage_daily') }}
    where aggregation in ('sum', 'count')
),

final as (
    select
        apps.subscription_key,
        apps.metric_code,
        apps.period_start,
        sum(abs(daily.quantity)) as quantity
    from apps
    inner join periods
        on
            apps.subscription_key = periods.subscription_key
            and apps.period_start = periods.period_start
    inner join daily
        on
            apps.subscription_key = daily.subscription_key
            and apps.metric_code = daily.metric_code
            and least(apps.app_period_start, periods.period_start) <= daily.local_day
            and greatest(apps.app_period_end, periods.period_end) > daily.local_day
    where
        not (
            daily.local_day >= periods.period_start
            and daily.local_day < periods.period_end
            and {{ day_start('daily.local_day') }} >= apps.period_from
            -- Lago's periods end with their last second.
            and {{ day_start('(daily.local_day + 1)') }} <= apps.period_to + interval '1 second'
        )
    group by 1, 2, 3
)

select * from final
