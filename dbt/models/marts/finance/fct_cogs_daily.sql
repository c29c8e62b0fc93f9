with

costs as (
    select * from {{ ref('stg_costs__provider_costs') }}
),

rates as (
    select * from {{ ref('int_currency_rates_daily') }}
),

final as (
    select
        costs.cost_key,
        costs.day,
        costs.service_code,
        costs.account_key,
        costs.provider,
        costs.sku,
        costs.quantity,
        costs.amount,
        costs.currency,
        case when costs.currency = {{ company_currency() }} then 1 else rates.rate end as rate,
        rates.valid_from as rate_date,
        round({{ in_company_currency('costs.amount', 'costs.currency', 'rates.rate') }}, 6)
            as amount_company
    from costs
    left join rates
        on
            costs.currency = rates.currency
            and costs.day >= rates.valid_from
            and (rates.valid_to is null or costs.day < rates.valid_to)
)

select * from final
