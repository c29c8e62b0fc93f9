-- Minimal, until the allocation of shared costs arrives.

with

cogs as (
    select * from {{ ref('fct_cogs_daily') }}
),

final as (
    select
        {{ key_of([
            "to_char(date_trunc('month', day), 'YYYY-MM-DD')", 'service_code', 'account_key',
            'provider', 'sku'
        ]) }} as cogs_month_key,
        date_trunc('month', day)::date as month,
        service_code,
        account_key,
        null::text as plan_code,
        null::text as metric_code,
        provider,
        sku,
        {{ round_money('sum(amount_company)', company_currency()) }} as amount_company
    from cogs
    group by 2, 3, 4, 5, 6, 7, 8, 1
)

select * from final
