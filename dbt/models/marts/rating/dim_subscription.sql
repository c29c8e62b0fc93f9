with

subscriptions as (
    select * from {{ ref('int_subscriptions_linked') }}
),

final as (
    select
        subscription_key,
        account_key,
        service_code,
        external_subscription_id,
        external_account_id,
        odoo_order_id,
        order_name,
        odoo_partner_id,
        partner_name,
        plan_code,
        billing_time,
        billing_period_unit,
        billing_period_value,
        subscription_state,
        start_date,
        end_date,
        segment_start,
        trial_end,
        is_linked
    from subscriptions
)

select * from final
