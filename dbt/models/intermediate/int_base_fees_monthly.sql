-- First version: Odoo's posted invoice lines that carry no line key, in the month of the invoice.

with

invoice_lines as (
    select * from {{ ref('stg_odoo__invoice_lines') }}
),

invoices as (
    select * from {{ ref('stg_odoo__invoices') }}
    where
        invoice_state = 'posted'
        and move_type in ('out_invoice', 'out_refund')
),

order_lines as (
    select * from {{ ref('stg_odoo__order_lines') }}
    where line_key is null
),

-- Every order, not int_subscriptions_linked: what was invoiced before a renewal was revenue too.
subscriptions as (
    select * from {{ ref('stg_odoo__subscriptions') }}
    where service_code is not null
),

currencies as (
    select * from {{ ref('stg_odoo__currencies') }}
),

final as (
    select
        date_trunc('month', invoices.invoice_date)::date as month,
        subscriptions.service_code,
        subscriptions.service_code || ':' || subscriptions.external_account_id as account_key,
        currencies.currency,
        invoices.invoice_date,
        sum(
            case when invoices.move_type = 'out_refund' then -1 else 1 end * invoice_lines.subtotal
        ) as amount
    from invoice_lines
    inner join invoices
        on invoice_lines.odoo_invoice_id = invoices.odoo_invoice_id
    inner join order_lines
        on invoice_lines.odoo_line_id = order_lines.odoo_line_id
    inner join subscriptions
        on order_lines.odoo_order_id = subscriptions.odoo_order_id
    inner join currencies
        on invoices.odoo_currency_id = currencies.odoo_currency_id
    group by 1, 2, 3, 4, 5
)

select * from final
