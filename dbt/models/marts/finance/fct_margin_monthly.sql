-- Revenue on two bases beside the cost of the same month, to the cent and additive: any sum of rows
-- is right. Without a metric: base fees, and cost that no metric drives. Without an account: cost
-- that nobody's usage explains. Without a service: what Odoo invoiced besides the services.

with

usage_accrued as (
    select * from {{ ref('int_revenue_accrued') }}
),

base_accrued as (
    select * from {{ ref('int_base_fees_accrued') }}
),

invoiced as (
    select * from {{ ref('int_revenue_invoiced') }}
),

cogs as (
    select * from {{ ref('fct_cogs_monthly') }}
),

amounts as (
    select
        month,
        service_code,
        account_key,
        plan_code,
        metric_code,
        'usage_revenue' as measure,
        amount_company as amount
    from usage_accrued

    union all

    select
        month,
        service_code,
        account_key,
        plan_code,
        null as metric_code,
        'base_revenue' as measure,
        amount_company as amount
    from base_accrued

    union all

    select
        month,
        service_code,
        account_key,
        plan_code,
        metric_code,
        'invoiced_' || kind as measure,
        amount_company as amount
    from invoiced

    union all

    select
        month,
        service_code,
        account_key,
        plan_code,
        metric_code,
        'cogs' as measure,
        amount_company as amount
    from cogs
),

-- An amount without a rate must not drop out of the sum: null, which a test refuses.
summed as (
    select
        month,
        service_code,
        account_key,
        plan_code,
        metric_code,
        {{ sum_of_measure('usage_revenue') }} as usage_revenue,
        {{ sum_of_measure('base_revenue') }} as base_revenue,
        {{ sum_of_measure('cogs') }} as cogs,
        {{ sum_of_measure('invoiced_usage') }} as invoiced_usage,
        {{ sum_of_measure('invoiced_base') }} as invoiced_base
    from amounts
    group by 1, 2, 3, 4, 5
),

final as (
    select
        {{ key_of([
            "to_char(month, 'YYYY-MM-DD')", 'service_code', 'account_key', 'plan_code',
            'metric_code'
        ]) }} as margin_key,
        month,
        service_code,
        account_key,
        plan_code,
        metric_code,
        usage_revenue,
        base_revenue,
        usage_revenue + base_revenue as revenue,
        cogs,
        usage_revenue + base_revenue - cogs as margin,
        {{ margin_pct('usage_revenue + base_revenue - cogs', 'usage_revenue + base_revenue') }}
            as margin_pct,
        invoiced_usage,
        invoiced_base,
        invoiced_usage + invoiced_base as invoiced_revenue,
        invoiced_usage + invoiced_base - cogs as invoiced_margin,
        {{ margin_pct(
            'invoiced_usage + invoiced_base - cogs', 'invoiced_usage + invoiced_base'
        ) }} as invoiced_margin_pct,
        {{ company_currency() }}::text as currency
    from summed
)

select * from final
