with

margins as (
    select * from {{ ref('fct_margin_monthly') }}
),

summed as (
    select
        month,
        service_code,
        count(distinct account_key) as accounts,
        {{ sum_of_known('usage_revenue') }} as usage_revenue,
        {{ sum_of_known('base_revenue') }} as base_revenue,
        {{ sum_of_known('revenue') }} as revenue,
        {{ sum_of_known('cogs') }} as cogs,
        {{ sum_of_known('margin') }} as margin,
        {{ sum_of_known('invoiced_usage') }} as invoiced_usage,
        {{ sum_of_known('invoiced_base') }} as invoiced_base,
        {{ sum_of_known('invoiced_revenue') }} as invoiced_revenue,
        {{ sum_of_known('invoiced_margin') }} as invoiced_margin,
        min(currency) as currency
    from margins
    group by 1, 2
),

compared as (
    select
        *,
        {{ margin_pct('margin', 'revenue') }} as margin_pct,
        {{ margin_pct('invoiced_margin', 'invoiced_revenue') }} as invoiced_margin_pct,
        coalesce(service_code, '') as service_or_none
    from summed
),

final as (
    select
        {{ key_of(["to_char(compared.month, 'YYYY-MM-DD')", 'compared.service_code']) }}
            as report_key,
        compared.month,
        compared.service_code,
        compared.accounts,
        compared.usage_revenue,
        compared.base_revenue,
        compared.revenue,
        compared.cogs,
        compared.margin,
        compared.margin_pct,
        compared.invoiced_usage,
        compared.invoiced_base,
        compared.invoiced_revenue,
        compared.invoiced_margin,
        compared.invoiced_margin_pct,
        previous.revenue as previous_revenue,
        compared.revenue - previous.revenue as revenue_change,
        previous.cogs as previous_cogs,
        compared.cogs - previous.cogs as cogs_change,
        previous.margin as previous_margin,
        compared.margin - previous.margin as margin_change,
        previous.margin_pct as previous_margin_pct,
        compared.margin_pct - previous.margin_pct as margin_pct_change,
        previous.invoiced_revenue as previous_invoiced_revenue,
        compared.invoiced_revenue - previous.invoiced_revenue as invoiced_revenue_change,
        previous.invoiced_margin as previous_invoiced_margin,
        compared.invoiced_margin - previous.invoiced_margin as invoiced_margin_change,
        previous.invoiced_margin_pct as previous_invoiced_margin_pct,
        compared.invoiced_margin_pct - previous.invoiced_margin_pct as invoiced_margin_pct_change,
        compared.currency
    from compared
    left join compared as previous
        on
            compared.service_or_none = previous.service_or_none
            and previous.month = (compared.month - interval '1 month')::date
)

select * from final
