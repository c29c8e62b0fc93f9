-- What the accounts bear of a cost, and what nobody can bear, is that cost to the last digit, in
-- the provider's currency and in the company's.
with

costs as (
    select * from {{ ref('int_costs_converted') }}
),

cogs as (
    select * from {{ ref('fct_cogs_daily') }}
),

allocated as (
    select
        cost_key,
        sum(quantity) as quantity,
        sum(amount) as amount,
        sum(amount_company) as amount_company
    from cogs
    group by 1
)

select
    coalesce(costs.cost_key, allocated.cost_key) as cost_key,
    costs.amount,
    allocated.amount as allocated_amount,
    costs.amount_company,
    allocated.amount_company as allocated_amount_company
from costs
full outer join allocated
    on costs.cost_key = allocated.cost_key
where
    (costs.cost_key, costs.quantity, costs.amount, costs.amount_company)
    is distinct from
    (allocated.cost_key, allocated.quantity, allocated.amount, allocated.amount_company)
