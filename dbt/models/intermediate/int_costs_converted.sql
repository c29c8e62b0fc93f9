-- Every provider cost once, with the metric it follows, in the provider's currency and in the
-- company's. The same cost told by two sources (a file, then Odoo's model) is one cost.

with

costs as (
    select * from {{ ref('stg_costs__provider_costs') }}
),

drivers as (
    select * from {{ ref('stg_ops__cost_drivers') }}
),

rates as (
    select * from {{ ref('int_currency_rates_daily') }}
),

ranked as (
    select
        *,
        row_number() over (
            partition by provider, sku, day, service_code, account_key
            order by array_position(array['odoo', 'fusion_api', 'api'], source), cost_key
        ) as telling
    from costs
),

-- A SKU's own driver goes before the provider's.
driven as (
    select
        ranked.*,
        coalesce(own.metric_code, every_sku.metric_code) as metric_code
    from ranked
    left join drivers as own
        on
            ranked.provider = own.provider
            and ranked.sku = own.sku
    left join drivers as every_sku
        on
            ranked.provider = every_sku.provider
            and every_sku.sku = '*'
    where ranked.telling = 1
),

-- The last rate known on the day; a weekend's is Friday's.
rated as (
    select
        driven.*,
        rates.valid_from as rate_date,
        case when driven.currency = {{ company_currency() }} then 1 else rates.rate end as rate
    from driven
    left join rates
        on
            driven.currency = rates.currency
            and driven.currency <> {{ company_currency() }}
            and driven.day >= rates.valid_from
            and (rates.valid_to is null or driven.day < rates.valid_to)
),

final as (
    select
        cost_key,
        day,
        service_code,
        account_key,
        provider,
        sku,
        metric_code,
        quantity,
        amount,
        currency,
        rate,
        rate_date,
        coalesce(day - rate_date > 4, false) as is_rate_stale,
        round({{ in_company_currency('amount', 'currency', 'rate') }}, 6) as amount_company
    from rated
)

select * from final
