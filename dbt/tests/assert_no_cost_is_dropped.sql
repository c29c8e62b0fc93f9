-- Every cost that came in is in the COGS, itself or as another source told it.
with

costs as (
    select
        *,
        coalesce(service_code, '') as told_service,
        coalesce(account_key, '') as told_account
    from {{ ref('stg_costs__provider_costs') }}
),

cogs as (
    select distinct cost_key
    from {{ ref('fct_cogs_daily') }}
),

counted as (
    select
        costs.provider,
        costs.sku,
        costs.day,
        costs.told_service,
        costs.told_account
    from costs
    inner join cogs
        on costs.cost_key = cogs.cost_key
)

select costs.cost_key
from costs
left join counted
    on
        costs.provider = counted.provider
        and costs.sku = counted.sku
        and costs.day = counted.day
        and costs.told_service = counted.told_service
        and costs.told_account = counted.told_account
group by costs.cost_key
having count(counted.provider) <> 1
