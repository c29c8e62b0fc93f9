-- A subscription is a confirmed order that carries the app's id. Where a renewal made a second
-- order with the same id, the one in progress counts, else the newest.

with

subscriptions as (
    select * from {{ ref('stg_odoo__subscriptions') }}
),

account_links as (
    select * from {{ ref('stg_odoo__account_links') }}
),

partners as (
    select * from {{ ref('stg_odoo__partners') }}
),

plans as (
    select * from {{ ref('stg_odoo__plans') }}
),

confirmed as (
    select
        *,
        row_number() over (
            partition by service_code, external_subscription_id
            order by coalesce(subscription_state = '3_progress', false) desc, odoo_order_id desc
        ) as preference
    from subscriptions
    where
        order_state = 'sale'
        and service_code is not null
        and external_subscription_id is not null
        and start_date is not null
),

final as (
    select
        confirmed.service_code || ':' || confirmed.external_subscription_id as subscription_key,
        confirmed.service_code || ':' || confirmed.external_account_id as account_key,
        confirmed.service_code,
        confirmed.external_subscription_id,
        confirmed.external_account_id,
        confirmed.odoo_order_id,
        confirmed.order_name,
        confirmed.odoo_partner_id,
        partners.partner_name,
        confirmed.plan_code,
        confirmed.billing_time,
        coalesce(plans.billing_period_unit, 'month') as billing_period_unit,
        coalesce(plans.billing_period_value, 1) as billing_period_value,
        confirmed.subscription_state,
        confirmed.start_date,
        confirmed.end_date,
        account_links.odoo_account_link_id is not null as is_linked
    from confirmed
    left join partners
        on confirmed.odoo_partner_id = partners.odoo_partner_id
    left join plans
        on confirmed.odoo_plan_id = plans.odoo_plan_id
    left join account_links
        on
            confirmed.service_code = account_links.service_code
            and confirmed.external_account_id = account_links.external_account_id
            and confirmed.odoo_partner_id = account_links.odoo_partner_id
    where confirmed.preference = 1
)

select * from final
