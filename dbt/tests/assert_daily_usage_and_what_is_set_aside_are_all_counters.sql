-- fct_usage_daily shows what is attributed; the rest was set aside. Together they are all counters.
with

daily as (
    select
        metric_code,
        sum(counters) as counters
    from {{ ref('fct_usage_daily') }}
    group by 1
),

judged as (
    select
        metric_code,
        sum(counters) as counters,
        coalesce(
            sum(counters) filter (
                where
                verdict in ('superseded', 'unattributed')
                or verdict_reason in ('unpriced: unknown metric', 'unpriced: unreadable value')
            ),
            0
        ) as set_aside
    from {{ ref('int_usage_placed') }}
    group by 1
)

select
    coalesce(judged.metric_code, daily.metric_code) as metric_code,
    judged.counters,
    judged.set_aside,
    daily.counters as attributed
from judged
full join daily
    on judged.metric_code = daily.metric_code
where coalesce(judged.counters, 0) <> coalesce(judged.set_aside, 0) + coalesce(daily.counters, 0)
