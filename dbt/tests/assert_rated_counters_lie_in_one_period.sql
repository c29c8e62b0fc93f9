-- Periods of a subscription do not overlap: every rated counter's day lies in exactly one, its own.
select
    counters.service_code,
    counters.external_subscription_id,
    counters.transaction_id,
    count(periods.period_start) as periods
from {{ ref('int_usage_counters') }} as counters
left join {{ ref('int_subscription_periods') }} as periods
    on
        counters.subscription_key = periods.subscription_key
        and counters.local_day >= periods.period_start
        and counters.local_day < periods.period_end
where counters.verdict = 'rated'
group by 1, 2, 3, counters.period_start
having
    count(periods.period_start) <> 1
    or min(periods.period_start) is distinct from counters.period_start
