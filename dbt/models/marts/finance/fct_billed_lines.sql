with

billed as (
    select * from {{ ref('stg_ops__billed_lines') }}
),

pushed as (
    select * from {{ ref('stg_ops__pushed_lines') }}
),

order_lines as (
    select * from {{ ref('stg_odoo__order_lines') }}
),

invoices as (
    select * from {{ ref('int_order_lines_invoiced') }}
),

decisions as (
    select * from {{ ref('stg_ops__cutover') }}
),

final as (
    select
        billed.line_key,
        billed.rated_line_key,
        billed.adjustment_no,
        billed.run_id,
        billed.reason,
        billed.service_code,
        billed.account_key,
        billed.subscription_key,
        billed.plan_code,
        billed.metric_code,
        billed.charge_key,
        billed.period_start,
        billed.period_end,
        billed.tier,
        billed.quantity_used,
        billed.quantity_included,
        billed.quantity_billed,
        billed.unit_price,
        billed.amount,
        billed.amount_precise,
        billed.currency,
        billed.billed_at,
        {{ phase_of('billed.service_code', 'billed.period_start') }} as phase,
        coalesce(pushed.push_state, 'planned') as push_state,
        pushed.push_problem,
        pushed.push_reason,
        billed.odoo_order_id,
        order_lines.odoo_line_id,
        order_lines.subtotal as odoo_subtotal,
        case
            when invoices.posted_currency = billed.currency then invoices.posted_amount
            when billed.currency = {{ company_currency() }} then invoices.posted_amount_company
        end as odoo_invoiced,
        invoices.tax as odoo_tax,
        invoices.odoo_invoice_id,
        invoices.invoice_name as odoo_invoice_name,
        invoices.invoice_state as odoo_invoice_state,
        invoices.payment_state as odoo_payment_state
    from billed
    left join pushed
        on billed.line_key = pushed.line_key
    left join order_lines
        on billed.line_key = order_lines.line_key
    left join invoices
        on order_lines.odoo_line_id = invoices.odoo_line_id
)

select * from final
