-- Periods of a subscription do not overlap: every rated day lies in exactly one, its own.
select
    placed.subscription_key,
    placed.metric_code,
    placed.local_day,
    placed.period_start,
    count(distinct periods.period_start) as periods
from {{ ref('int_usage_placed') }} as placed
left join {{ ref('int_subscription_periods') }} as periods
    on
        placed.subscription_key = periods.subscription_key
        and placed.local_day >= periods.period_start
        and placed.local_day < periods.period_end
where placed.verdict = 'rated'
group by 1, 2, 3, 4
having
    count(distinct periods.period_start) <> 1
    or min(periods.period_start) is distinct from placed.period_start
