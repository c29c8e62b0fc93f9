-- Where usage adds up, a line's quantity is that of its days: what an app reads as daily usage is
-- what its customer is billed for.
select
    rated.line_key,
    rated.quantity_used,
    sum(daily.quantity) as quantity_of_days
from {{ ref('fct_rated_lines') }} as rated
inner join {{ ref('dim_metric') }} as metrics
    on rated.metric_code = metrics.metric_code
left join {{ ref('fct_usage_daily') }} as daily
    on
        rated.subscription_key = daily.subscription_key
        and rated.metric_code = daily.metric_code
        and rated.period_start <= daily.local_day
        and rated.period_end > daily.local_day
where metrics.aggregation in ('sum', 'count')
group by 1, 2
having rated.quantity_used is distinct from sum(daily.quantity)
