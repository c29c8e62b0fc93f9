-- The cents of a month, service of the cost, provider and SKU are the rounded sum of its days.
with

daily as (
    select
        date_trunc('month', day)::date as month,
        coalesce(cost_service_code, '') as cost_service_code,
        provider,
        sku,
        case
            when count(amount_company) = count(*)
                then {{ round_money('sum(amount_company)', company_currency()) }}
        end as amount_company
    from {{ ref('fct_cogs_daily') }}
    group by 1, 2, 3, 4
),

monthly as (
    select
        month,
        coalesce(cost_service_code, '') as cost_service_code,
        provider,
        sku,
        sum(amount_company) as amount_company
    from {{ ref('fct_cogs_monthly') }}
    group by 1, 2, 3, 4
)

select
    coalesce(daily.month, monthly.month) as month,
    coalesce(daily.cost_service_code, monthly.cost_service_code) as cost_service_code,
    coalesce(daily.provider, monthly.provider) as provider,
    coalesce(daily.sku, monthly.sku) as sku,
    daily.amount_company,
    monthly.amount_company as amount_company_monthly
from daily
full outer join monthly
    on
        daily.month = monthly.month
        and daily.cost_service_code = monthly.cost_service_code
        and daily.provider = monthly.provider
        and daily.sku = monthly.sku
where daily.amount_company is distinct from monthly.amount_company
