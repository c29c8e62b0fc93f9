-- The base fees that Odoo invoiced, per subscription and period: recurring lines that no ledger
-- line made. Odoo bills them ahead, on the first day of their period; a credit note is of the
-- period of the invoice that it reverses.

with

invoice_lines as (
    select * from {{ ref('stg_odoo__invoice_lines') }}
    where odoo_line_id is not null
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

products as (
    select * from {{ ref('stg_odoo__products') }}
    where is_recurring
),

-- Every order, not dim_subscription: a renewal leaves its invoices with the order before.
orders as (
    select * from {{ ref('stg_odoo__subscriptions') }}
    where service_code is not null
),

periods as (
    select * from {{ ref('int_subscription_periods') }}
),

currencies as (
    select * from {{ ref('stg_odoo__currencies') }}
),

dated as (
    select
        invoices.odoo_invoice_id,
        invoices.move_type,
        invoices.odoo_currency_id,
        coalesce(reversals.invoice_date, invoices.invoice_date) as billed_from
    from invoices
    left join invoices as reversals
        on invoices.odoo_reversed_invoice_id = reversals.odoo_invoice_id
),

base_lines as (
    select
        orders.service_code,
        orders.service_code || ':' || orders.external_account_id as account_key,
        orders.service_code || ':' || orders.external_subscription_id as subscription_key,
        dated.billed_from,
        dated.move_type,
        currencies.currency,
        invoice_lines.quantity,
        invoice_lines.subtotal,
        invoice_lines.total - invoice_lines.subtotal as tax,
        case dated.move_type when 'out_refund' then -1 else 1 end as sign
    from invoice_lines
    inner join dated
        on invoice_lines.odoo_invoice_id = dated.odoo_invoice_id
    inner join order_lines
        on invoice_lines.odoo_line_id = order_lines.odoo_line_id
    inner join products
        on order_lines.odoo_product_id = products.odoo_product_id
    inner join orders
        on order_lines.odoo_order_id = orders.odoo_order_id
    left join currencies
        on dated.odoo_currency_id = currencies.odoo_currency_id
),

final as (
    select
        base_lines.service_code,
        base_lines.subscription_key,
        coalesce(periods.period_start, base_lines.billed_from) as period_start,
        min(base_lines.account_key) as account_key,
        min(periods.period_end) as period_end,
        string_agg(distinct base_lines.currency, ' and ' order by base_lines.currency) as currency,
        coalesce(sum(base_lines.quantity) filter (where base_lines.move_type = 'out_invoice'), 0)
            as quantity,
        sum(base_lines.subtotal * base_lines.sign) as amount,
        coalesce(sum(base_lines.subtotal) filter (where base_lines.move_type = 'out_refund'), 0)
            as credited_amount,
        sum(base_lines.tax * base_lines.sign) as tax_amount
    from base_lines
    left join periods
        on
            base_lines.subscription_key = periods.subscription_key
            and base_lines.billed_from >= periods.period_start
            and base_lines.billed_from < periods.period_end
    group by 1, 2, 3
)

select * from final
