-- The invoice an order line stands on, the newest that is not cancelled, and the tax of them all.

with

invoice_lines as (
    select * from {{ ref('stg_odoo__invoice_lines') }}
    where odoo_line_id is not null
),

invoices as (
    select * from {{ ref('stg_odoo__invoices') }}
    where invoice_state <> 'cancel'
),

joined as (
    select
        invoice_lines.odoo_line_id,
        invoices.odoo_invoice_id,
        invoices.invoice_name,
        invoices.invoice_state,
        invoices.payment_state,
        sum(
            case when invoices.move_type = 'out_refund' then -1 else 1 end
            * (invoice_lines.total - invoice_lines.subtotal)
        ) over (partition by invoice_lines.odoo_line_id) as tax,
        row_number() over (
            partition by invoice_lines.odoo_line_id
            order by invoices.odoo_invoice_id desc
        ) as newest_first
    from invoice_lines
    inner join invoices
        on invoice_lines.odoo_invoice_id = invoices.odoo_invoice_id
),

final as (
    select
        odoo_line_id,
        odoo_invoice_id,
        invoice_name,
        invoice_state,
        payment_state,
        tax
    from joined
    where newest_first = 1
)

select * from final
