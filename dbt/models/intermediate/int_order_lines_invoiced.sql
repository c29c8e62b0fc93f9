-- The newest document that an order line stands on and that is not cancelled, and what the posted
-- ones come to, credit notes taken off: the newest may be a draft. The tax is that of the posted
-- ones, as the amount is; of drafts only where nothing is posted.

with

invoice_lines as (
    select * from {{ ref('stg_odoo__invoice_lines') }}
    where odoo_line_id is not null
),

invoices as (
    select * from {{ ref('stg_odoo__invoices') }}
    where invoice_state <> 'cancel'
),

totals as (
    select * from {{ ref('int_invoice_totals') }}
),

taxed as (
    select
        invoice_lines.odoo_line_id,
        invoices.odoo_invoice_id,
        invoices.invoice_name,
        invoices.invoice_state,
        invoices.payment_state,
        case when invoices.move_type = 'out_refund' then -1 else 1 end
        * (invoice_lines.total - invoice_lines.subtotal) as tax
    from invoice_lines
    inner join invoices
        on invoice_lines.odoo_invoice_id = invoices.odoo_invoice_id
),

joined as (
    select
        odoo_line_id,
        odoo_invoice_id,
        invoice_name,
        invoice_state,
        payment_state,
        coalesce(
            sum(tax) filter (where invoice_state = 'posted') over of_line,
            sum(tax) over of_line
        ) as tax,
        row_number() over (
            partition by odoo_line_id
            order by odoo_invoice_id desc
        ) as newest_first
    from taxed
    window of_line as (partition by odoo_line_id)
),

posted_lines as (
    select
        invoice_lines.odoo_line_id,
        totals.currency,
        totals.sign * invoice_lines.subtotal as amount,
        {{ round_money(
            in_company_currency(
                'totals.sign * invoice_lines.subtotal', 'totals.currency', 'totals.rate'
            ),
            company_currency()
        ) }} as amount_company
    from invoice_lines
    inner join totals
        on invoice_lines.odoo_invoice_id = totals.odoo_invoice_id
),

-- Of several currencies there is no sum, and none of what has no rate.
posted as (
    select
        odoo_line_id,
        case when count(distinct currency) = 1 then min(currency) end as currency,
        case when count(distinct currency) = 1 then sum(amount) end as amount,
        case when count(amount_company) = count(*) then sum(amount_company) end as amount_company
    from posted_lines
    group by 1
),

final as (
    select
        joined.odoo_line_id,
        joined.odoo_invoice_id,
        joined.invoice_name,
        joined.invoice_state,
        joined.payment_state,
        joined.tax,
        posted.currency as posted_currency,
        posted.amount as posted_amount,
        posted.amount_company as posted_amount_company
    from joined
    left join posted
        on joined.odoo_line_id = posted.odoo_line_id
    where joined.newest_first = 1
)

select * from final
