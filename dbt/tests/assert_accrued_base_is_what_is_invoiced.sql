-- Spread over its days of service, a base fee or a credit of one is what was invoiced: line by
-- line, to the cent.
with

invoiced as (
    select * from {{ ref('int_revenue_invoiced') }}
    where kind = 'base'
),

accrued as (
    select
        invoiced_key,
        sum(amount_company) as amount_company
    from {{ ref('int_base_fees_accrued') }}
    group by 1
)

select
    coalesce(invoiced.invoiced_key, accrued.invoiced_key) as invoiced_key,
    invoiced.amount_company as invoiced,
    accrued.amount_company as accrued
from invoiced
full join accrued
    on invoiced.invoiced_key = accrued.invoiced_key
where invoiced.amount_company is distinct from accrued.amount_company
