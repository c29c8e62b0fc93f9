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

mirrors as (
    select * from {{ ref('stg_ops__mirror_progress') }}
    where table_name = 'order_line'
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

-- A negative invoice is a credit note in Odoo, and its lines' signs are turned.
posted_lines as (
    select
        invoice_lines.odoo_line_id,
        currencies.currency,
        case invoices.move_type when 'out_refund' then -1 else 1 end * invoice_lines.subtotal
            as amount
    from invoice_lines
    inner join invoices
        on invoice_lines.odoo_invoice_id = invoices.odoo_invoice_id
    left join currencies
        on invoices.odoo_currency_id = currencies.odoo_currency_id
    where invoices.invoice_state = 'posted'
),

posted as (
    select
        odoo_line_id,
        sum(amount) as amount,
        coalesce(sum(amount) filter (where amount > 0), 0) as positive_amount,
        coalesce(sum(amount) filter (where amount < 0), 0) as negative_amount,
        string_agg(distinct currency, ' and ' order by currency) as currency
    from posted_lines
    group by 1
),

-- What was taken back of a line is what runs against its sign, and is still taken back: a line that
-- was credited and invoiced again is invoiced.
credits as (
    select
        billed.line_key,
        case
            when posted.amount = billed.amount then 0
            when billed.amount < 0 then -posted.positive_amount
            else -posted.negative_amount
        end as amount
    from billed
    inner join order_lines
        on billed.line_key = order_lines.line_key
    inner join posted
        on order_lines.odoo_line_id = posted.odoo_line_id
),

-- The push read them back; the mirror has not been there since.
pushed_since as (
    select pushed.line_key
    from pushed
    left join mirrors on true
    where
        pushed.push_state in ('drafted', 'verified', 'invoiced')
        and (mirrors.read_at is null or pushed.pushed_at > mirrors.read_at)
),

final as (
    select
        billed.subscription_key,
        {{ charge_as_a_whole('billed.charge_key', 'billed.plan_code') }} as charge_key,
        billed.period_start,
        sum(order_lines.quantity) as quantity,
        sum(coalesce(posted.amount, order_lines.subtotal)) as amount,
        case
            when count(coalesce(taxed.tax, order_lines.draft_tax)) = count(*)
                then sum(coalesce(taxed.tax, order_lines.draft_tax))
        end as tax_amount,
        string_agg(distinct posted.currency, ' and ' order by posted.currency) as currency,
        coalesce(sum(credits.amount), 0) as credited_amount,
        count(*) filter (where order_lines.odoo_line_id is null) as missing_lines,
        count(*) filter (where order_lines.subtotal <> billed.amount) as changed_lines,
        count(*) filter (
            where
            order_lines.subtotal = billed.amount
            and posted.amount + credits.amount <> billed.amount
        ) as altered_lines,
        coalesce(
            min(nullif(concat_ws(': ', pushed.push_problem, pushed.push_reason), '')),
            case
                when
                    bool_or(order_lines.odoo_line_id is null)
                    and bool_and(
                        order_lines.odoo_line_id is not null
                        or pushed_since.line_key is not null
                    )
                    then 'pushed since Odoo was last mirrored: `fusion-billing odoo mirror`'
            end
        ) as push_reason
    from billed
    left join order_lines
        on billed.line_key = order_lines.line_key
    left join posted
        on order_lines.odoo_line_id = posted.odoo_line_id
    left join credits
        on billed.line_key = credits.line_key
    left join taxed
        on order_lines.odoo_line_id = taxed.odoo_line_id
    left join pushed
        on billed.line_key = pushed.line_key
    left join pushed_since
        on billed.line_key = pushed_since.line_key
    group by 1, 2, 3
)

select * from final
