-- First version. Usage: what is rated, in the month that holds its period's last day, so that every
-- month is complete a grace after it ended. Base fees: in the month of their invoice.
-- A cost that no single account caused has no account_key.

with

rated as (
    select * from {{ ref('fct_rated_lines') }}
),

base_fees as (
    select * from {{ ref('int_base_fees_monthly') }}
),

cogs as (
    select * from {{ ref('fct_cogs_monthly') }}
),

rates as (
    select * from {{ ref('int_currency_rates_daily') }}
),

revenue as (
    select
        date_trunc('month', period_end - 1)::date as month,
        service_code,
        account_key,
        currency,
        period_end - 1 as rate_day,
        amount as usage_revenue,
        0 as base_revenue
    from rated

    union all

    select
        month,
        service_code,
        account_key,
        currency,
        invoice_date as rate_day,
        0 as usage_revenue,
        amount as base_revenue
    from base_fees
),

unioned as (
    select
        revenue.month,
        revenue.service_code,
        revenue.account_key,
        {{ in_company_currency('revenue.usage_revenue', 'revenue.currency', 'rates.rate') }}
            as usage_revenue,
        {{ in_company_currency('revenue.base_revenue', 'revenue.currency', 'rates.rate') }}
            as base_revenue,
        0 as cogs
    from revenue
    left join rates
        on
            revenue.currency = rates.currency
            and revenue.rate_day >= rates.valid_from
            and (rates.valid_to is null or revenue.rate_day < rates.valid_to)

    union all

    select
        month,
        service_code,
        account_key,
        0 as usage_revenue,
        0 as base_revenue,
        amount_company as cogs
    from cogs
),

summed as (
    select
        month,
        service_code,
        account_key,
        -- Revenue without a rate must not drop out of the sum: null, which the equations refuse.
        case
            when count(usage_revenue) = count(*)
                then {{ round_money('sum(usage_revenue)', company_currency()) }}
        end as usage_revenue,
        case
            when count(base_revenue) = count(*)
                then {{ round_money('sum(base_revenue)', company_currency()) }}
        end as base_revenue,
        {{ round_money('sum(cogs)', company_currency()) }} as cogs
    from unioned
    group by 1, 2, 3
),

final as (
    select
        month || ':' || coalesce(account_key, service_code || ':', ':') as margin_key,
        month,
        service_code,
        account_key,
        usage_revenue,
        base_revenue,
        usage_revenue + base_revenue as revenue,
        cogs,
        usage_revenue + base_revenue - cogs as margin,
        round(
            100 * (usage_revenue + base_revenue - cogs) / nullif(usage_revenue + base_revenue, 0),
            2
        ) as margin_pct,
        {{ company_currency() }}::text as currency
    from summed
)

select * from final
