-- Every provider cost of a month and service stands in the margin, to the cent.
with

costs as (
    select
        month,
        coalesce(service_code, '') as service_code,
        sum(amount_company) as cogs
    from {{ ref('fct_cogs_monthly') }}
    group by 1, 2
),

margins as (
    select
        month,
        coalesce(service_code, '') as service_code,
        sum(cogs) as cogs
    from {{ ref('fct_margin_monthly') }}
    group by 1, 2
)

select
    coalesce(costs.month, margins.month) as month,
    coalesce(costs.service_code, margins.service_code) as service_code,
    costs.cogs,
    margins.cogs as cogs_in_margin
from costs
full join margins
    on
        costs.month = margins.month
        and costs.service_code = margins.service_code
where coalesce(costs.cogs, 0) <> coalesce(margins.cogs, 0)
