with

source as (
    select * from {{ source('raw', 'app_billing_line') }}
),

final as (
    select
        source || ':' || external_invoice_id || ':' || external_line_id as app_line_key,
        source as app_source,
        external_invoice_id,
        invoice_number,
        service_code,
        service_code || ':' || external_account_id as account_key,
        service_code || ':' || external_subscription_id as subscription_key,
        item_type,
        metric_code,
        {{ local_day('period_from') }} as period_start,
        quantity,
        amount,
        tax_amount,
        currency,
        status,
        issued_on
    from source
)

select * from final
