-- What is rated, whichever day it falls on: what the accrued revenue has to add up to.

with

lines as (
    select * from {{ ref('fct_rated_lines') }}
),

final as (
    select
        service_code,
        account_key,
        plan_code,
        metric_code,
        currency,
        sum(amount) as amount
    from lines
    group by 1, 2, 3, 4, 5
)

select * from final
