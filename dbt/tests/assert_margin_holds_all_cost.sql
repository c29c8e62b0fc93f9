-- Every provider cost stands in one row of the margin; only the rounding of each row to the cent
-- may show, half a cent a row.
with

costs as (
    select
        date_trunc('month', day)::date as month,
        service_code,
        sum(amount_company) as cogs
    from {{ ref('fct_cogs_daily') }}
    group by 1, 2
),

margins as (
    select
        month,
        service_code,
        sum(cogs) as cogs,
        count(*) as margin_rows
    from {{ ref('fct_margin_monthly') }}
    group by 1, 2
)

select
    costs.month,
    costs.service_code,
    costs.cogs,
    margins.cogs as cogs_in_margin
from costs
left join margins
    on
        costs.month = margins.month
        and costs.service_code = margins.service_code
where abs(costs.cogs - coalesce(margins.cogs, 0)) > 0.005 * coalesce(margins.margin_rows, 0)
