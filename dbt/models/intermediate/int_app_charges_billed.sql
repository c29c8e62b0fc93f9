-- What an app billed for one charge and period, over all of its invoices.

with

lines as (
    select * from {{ ref('stg_app_billing__lines') }}
    where
        item_type = 'charge'
        and invoice_kind = 'invoice'
        and is_billed
),

final as (
    select
        service_code,
        -- A line that names no subscription still stands by its account.
        coalesce(subscription_key, account_key || ':?', service_code || '::?') as subscription_key,
        metric_code,
        period_start,
        min(account_key) as account_key,
        min(currency) as currency,
        count(distinct external_invoice_id) as invoices,
        sum(quantity) as quantity,
        sum(amount) as amount,
        sum(tax_amount) as tax_amount
    from lines
    group by 1, 2, 3, 4
)

select * from final
