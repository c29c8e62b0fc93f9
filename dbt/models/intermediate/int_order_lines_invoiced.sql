-- The invoice an order line stands on: the newest that is not cancelled.

with

invoice_lines as (
    select * from {{ ref('stg_odoo__invoice_lines') }}
    where odoo_line_id is not null
),

invoices as (
    select * from {{ ref('stg_odoo__invoices') }}
    where invoice_state <> 'cancel'
),

final as (
    select distinct on (invoice_lines.odoo_line_id)
        invoice_lines.odoo_line_id,
        invoices.odoo_invoice_id,
        invoices.invoice_name,
        invoices.invoice_state,
        invoices.payment_state
    from invoice_lines
    inner join invoices
        on invoice_lines.odoo_invoice_id = invoices.odoo_invoice_id
    order by invoice_lines.odoo_line_id, invoices.odoo_invoice_id desc
)

select * from final
