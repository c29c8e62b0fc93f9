-- The orders of a subscription one after another: of all confirmed orders with the same id, the
-- one that serves a day is the one that began last.

with

subscriptions as (
    select * from {{ ref('stg_odoo__subscriptions') }}
),

plans as (
    select * from {{ ref('stg_odoo__plans') }}
),

confirmed as (
    select
        subscriptions.*,
        subscriptions.service_code || ':' || subscriptions.external_subscription_id
            as subscription_key,
        coalesce(plans.billing_period_unit, 'month') as billing_period_unit,
        coalesce(plans.billing_period_value, 1) as billing_period_value,
        coalesce(subscriptions.subscription_state = '3_progress', false) as is_in_progress,
        coalesce(subscriptions.end_date >= subscriptions.start_date, true) as is_served
    from subscriptions
    left join plans
        on subscriptions.odoo_plan_id = plans.odoo_plan_id
    where
        subscriptions.order_state = 'sale'
        -- An upsell adds lines to the order it grew from, whose id it may carry.
        and coalesce(subscriptions.subscription_state, '') <> '7_upsell'
        and subscriptions.service_code is not null
        and subscriptions.external_subscription_id is not null
        and subscriptions.start_date is not null
),

preferred as (
    select
        *,
        -- An order that ended before it began cuts nobody's service short. Where there is no other,
        -- it still makes the subscription known.
        bool_or(is_served) over (partition by subscription_key) as is_ever_served,
        row_number() over (
            partition by subscription_key, start_date
            order by is_served desc, is_in_progress desc, odoo_order_id desc
        ) as preference
    from confirmed
),

served as (
    select
        *,
        lead(start_date) over (partition by subscription_key order by start_date) as next_start
    from preferred
    where
        preference = 1
        and (is_served or not is_ever_served)
),

final as (
    select
        subscription_key,
        odoo_order_id,
        order_name,
        service_code,
        external_subscription_id,
        external_account_id,
        odoo_partner_id,
        plan_code,
        billing_time,
        billing_period_unit,
        billing_period_value,
        subscription_state,
        is_in_progress,
        start_date as first_day,
        -- Odoo's end_date is the last day of service.
        least(end_date, next_start - 1) as last_day,
        trial_end
    from served
)

select * from final
