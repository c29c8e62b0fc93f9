-- The margin holds every accrued and every invoiced amount, once: month by month, to the cent. An
-- amount without an exchange rate is caught by the columns, which refuse null.
with

parts as (
    select
        month,
        amount_company as usage_revenue,
        0 as base_revenue,
        0 as invoiced
    from {{ ref('int_revenue_accrued') }}

    union all

    select
        month,
        0 as usage_revenue,
        amount_company as base_revenue,
        0 as invoiced
    from {{ ref('int_base_fees_accrued') }}

    union all

    select
        month,
        0 as usage_revenue,
        0 as base_revenue,
        amount_company as invoiced
    from {{ ref('int_revenue_invoiced') }}
),

sums as (
    select
        month,
        sum(usage_revenue) as usage_revenue,
        sum(base_revenue) as base_revenue,
        sum(invoiced) as invoiced
    from parts
    group by 1
),

margins as (
    select
        month,
        sum(usage_revenue) as usage_revenue,
        sum(base_revenue) as base_revenue,
        sum(invoiced_revenue) as invoiced
    from {{ ref('fct_margin_monthly') }}
    group by 1
)

select
    coalesce(sums.month, margins.month) as month,
    sums.usage_revenue,
    sums.base_revenue,
    sums.invoiced,
    margins.usage_revenue as usage_in_margin,
    margins.base_revenue as base_in_margin,
    margins.invoiced as invoiced_in_margin
from sums
full join margins
    on sums.month = margins.month
where
    coalesce(sums.usage_revenue, 0) <> coalesce(margins.usage_revenue, 0)
    or coalesce(sums.base_revenue, 0) <> coalesce(margins.base_revenue, 0)
    or coalesce(sums.invoiced, 0) <> coalesce(margins.invoiced, 0)
