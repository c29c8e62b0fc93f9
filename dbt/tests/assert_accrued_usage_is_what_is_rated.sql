-- Spread over months, usage revenue is what is rated: per service, account, plan, metric and
-- currency, to the cent.
with

accrued as (
    select
        {{ key_of(['service_code', 'account_key', 'plan_code', 'metric_code', 'currency']) }}
            as revenue_key,
        sum(amount) as amount
    from {{ ref('int_revenue_accrued') }}
    group by 1
),

rated as (
    select
        {{ key_of(['service_code', 'account_key', 'plan_code', 'metric_code', 'currency']) }}
            as revenue_key,
        amount
    from {{ ref('int_revenue_rated') }}
)

select
    coalesce(rated.revenue_key, accrued.revenue_key) as revenue_key,
    rated.amount as rated,
    accrued.amount as accrued
from rated
full join accrued
    on rated.revenue_key = accrued.revenue_key
where coalesce(rated.amount, 0) <> coalesce(accrued.amount, 0)
