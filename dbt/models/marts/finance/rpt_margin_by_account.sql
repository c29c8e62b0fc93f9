with

margins as (
    select * from {{ ref('fct_margin_monthly') }}
),

accounts as (
    select * from {{ ref('dim_account') }}
),

summed as (
    select
        month,
        service_code,
        account_key,
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
    group by 1, 2, 3
),

final as (
    select
        {{ key_of([
            "to_char(summed.month, 'YYYY-MM-DD')", 'summed.service_code', 'summed.account_key'
        ]) }} as report_key,
        summed.month,
        summed.service_code,
        summed.account_key,
        accounts.partner_name,
        summed.usage_revenue,
        summed.base_revenue,
        summed.revenue,
        summed.cogs,
        summed.margin,
        {{ margin_pct('summed.margin', 'summed.revenue') }} as margin_pct,
        summed.invoiced_usage,
        summed.invoiced_base,
        summed.invoiced_revenue,
        summed.invoiced_margin,
        {{ margin_pct('summed.invoiced_margin', 'summed.invoiced_revenue') }}
            as invoiced_margin_pct,
        summed.currency
    from summed
    left join accounts
        on summed.account_key = accounts.account_key
)

select * from final
