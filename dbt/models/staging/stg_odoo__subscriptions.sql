with

source as (
    select * from {{ source('raw', 'odoo_subscription') }}
),

final as (
    select
        id as odoo_order_id,
        {{ odoo_text('name') }} as order_name,
        {{ odoo_text('state') }} as order_state,
        {{ odoo_text('subscription_state') }} as subscription_state,
        {{ odoo_text('x_fc_service_code') }} as service_code,
        {{ odoo_text('x_fc_external_id') }} as external_subscription_id,
        {{ odoo_text('x_fc_external_account_id') }} as external_account_id,
        {{ odoo_text('x_fc_plan_code') }} as plan_code,
        coalesce({{ odoo_text('x_fc_billing_time') }}, 'calendar') as billing_time,
        {{ odoo_id('company_id') }} as odoo_company_id,
        {{ odoo_id('partner_id') }} as odoo_partner_id,
        {{ odoo_id('plan_id') }} as odoo_plan_id,
        {{ odoo_date('start_date') }} as start_date,
        {{ odoo_date('end_date') }} as end_date,
        {{ odoo_date('next_invoice_date') }} as next_invoice_date,
        {{ odoo_date('x_fc_trial_end') }} as trial_end,
        {{ odoo_text('x_fc_pauses') }} as pauses
    from source
    where deleted_at is null
)

select * from final
