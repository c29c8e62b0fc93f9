with

source as (
    select * from {{ source('ops', 'billed_line') }}
),

final as (
    select
        line_key,
        rated_line_key,
        adjustment_no,
        run_id,
        reason,
        service_code,
        account_key,
        subscription_key,
        odoo_order_id,
        plan_code,
        metric_code,
        charge_key,
        period_start,
        period_end,
        tier,
        quantity_used,
        quantity_included,
        quantity_billed,
        unit_price,
        amount,
        amount_precise,
        currency,
        billed_at
    from source
)

select * from final
