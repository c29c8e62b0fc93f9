-- What stands in Odoo for the ledger's lines of one subscription, charge and period.

with

billed as (
    select * from {{ ref('stg_ops__billed_lines') }}
),

order_lines as (
    select * from {{ ref('stg_odoo__order_lines') }}
),

pushed as (
    select * from {{ ref('stg_ops__pushed_lines') }}
),

invoiced as (
    select * from {{ ref('int_order_lines_invoiced') }}
),

final as (
    select
        billed.subscription_key,
        billed.charge_key,
        billed.period_start,
        sum(order_lines.quantity) as quantity,
        sum(order_lines.subtotal) as amount,
        case when count(invoiced.tax) = count(*) then sum(invoiced.tax) end as tax_amount,
        count(*) filter (where order_lines.odoo_line_id is null) as missing_lines,
        count(*) filter (where order_lines.subtotal <> billed.amount) as changed_lines,
        min(nullif(concat_ws(': ', pushed.push_problem, pushed.push_reason), '')) as push_reason
    from billed
    left join order_lines
        on billed.line_key = order_lines.line_key
    left join invoiced
        on order_lines.odoo_line_id = invoiced.odoo_line_id
    left join pushed
        on billed.line_key = pushed.line_key
    group by 1, 2, 3
)

select * from final
