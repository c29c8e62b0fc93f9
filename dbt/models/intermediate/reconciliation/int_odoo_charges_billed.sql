-- What stands in Odoo for the ledger's lines of one subscription, charge and period: on posted
-- invoices less credit notes where there are any, else on the order, quotation or confirmed.

with

billed as (
    select * from {{ ref('stg_ops__billed_lines') }}
),

order_lines as (
    select * from {{ ref('stg_odoo__order_lines') }}
    where line_key is not null
),

pushed as (
    select * from {{ ref('stg_ops__pushed_lines') }}
),

invoice_lines as (
    select * from {{ ref('stg_odoo__invoice_lines') }}
    where odoo_line_id is not null
),

invoices as (
    select * from {{ ref('stg_odoo__invoices') }}
    where move_type in ('out_invoice', 'out_refund')
),

currencies as (
    select * from {{ ref('stg_odoo__currencies') }}
),

taxed as (
    select * from {{ ref('int_order_lines_invoiced') }}
),

posted as (
    select
        invoice_lines.odoo_line_id,
        sum(invoice_lines.subtotal) filter (where invoices.move_type = 'out_invoice') as invoiced,
        coalesce(sum(invoice_lines.subtotal) filter (where invoices.move_type = 'out_refund'), 0)
            as credited,
        string_agg(distinct currencies.currency, ' and ' order by currencies.currency) as currency
    from invoice_lines
    inner join invoices
        on invoice_lines.odoo_invoice_id = invoices.odoo_invoice_id
    left join currencies
        on invoices.odoo_currency_id = currencies.odoo_currency_id
    where invoices.invoice_state = 'posted'
    group by 1
),

-- A line of a quotation has its quantity ordered, one of a subscription has it delivered.
standing as (
    select
        line_key,
        odoo_line_id,
        case when quantity = 0 then quantity_ordered else quantity end as quantity,
        case
            when quantity = 0 then round(quantity_ordered * unit_price * (1 - discount / 100), 2)
            else subtotal
        end as subtotal
    from order_lines
),

final as (
    select
        billed.subscription_key,
        {{ charge_as_a_whole('billed.charge_key', 'billed.plan_code') }} as charge_key,
        billed.period_start,
        sum(standing.quantity) as quantity,
        sum(coalesce(posted.invoiced, standing.subtotal) - coalesce(posted.credited, 0)) as amount,
        case when count(taxed.tax) = count(*) then sum(taxed.tax) end as tax_amount,
        string_agg(distinct posted.currency, ' and ' order by posted.currency) as currency,
        coalesce(sum(posted.credited), 0) as credited_amount,
        count(*) filter (where standing.odoo_line_id is null) as missing_lines,
        count(*) filter (where standing.subtotal <> billed.amount) as changed_lines,
        count(*) filter (
            where standing.subtotal = billed.amount and posted.invoiced <> billed.amount
        ) as altered_lines,
        min(nullif(concat_ws(': ', pushed.push_problem, pushed.push_reason), '')) as push_reason
    from billed
    left join standing
        on billed.line_key = standing.line_key
    left join posted
        on standing.odoo_line_id = posted.odoo_line_id
    left join taxed
        on standing.odoo_line_id = taxed.odoo_line_id
    left join pushed
        on billed.line_key = pushed.line_key
    group by 1, 2, 3
)

select * from final
