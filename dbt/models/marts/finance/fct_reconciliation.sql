with

reasoned as (
    select * from {{ ref('int_reconciliation_reasoned') }}
),

final as (
    select
        reconciliation_key,
        item_type,
        service_code,
        account_key,
        subscription_key,
        metric_code,
        charge_key,
        period_start,
        period_end,
        phase,
        currency,
        app_quantity,
        platform_quantity,
        odoo_quantity,
        app_amount,
        app_discount,
        platform_amount,
        odoo_amount,
        app_tax,
        odoo_tax,
        app_currency,
        odoo_currency,
        app_delta,
        odoo_delta,
        delta,
        status,
        reason,
        coalesce(reason <> 'unexplained', true) as is_explained,
        detail
    from reasoned
)

select * from final
