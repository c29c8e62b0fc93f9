-- Every line of a posted customer invoice or credit note, with the service, account, plan and
-- metric it belongs to, if any. Together they are the invoices' untaxed totals, to the cent: what
-- rounding an invoice as a whole leaves over stands on its largest line, as in Odoo's own books,
-- and what no line accounts for is a line without a service.

with

totals as (
    select * from {{ ref('int_invoice_totals') }}
),

invoice_lines as (
    select * from {{ ref('stg_odoo__invoice_lines') }}
),

order_lines as (
    select * from {{ ref('stg_odoo__order_lines') }}
),

-- Every order, not int_subscriptions_linked: what was invoiced before a renewal was revenue too.
subscriptions as (
    select * from {{ ref('stg_odoo__subscriptions') }}
    where service_code is not null
),

billed as (
    select * from {{ ref('stg_ops__billed_lines') }}
),

lines as (
    select
        totals.*,
        invoice_lines.odoo_invoice_line_id,
        invoice_lines.odoo_line_id,
        invoice_lines.deferred_start,
        invoice_lines.deferred_end,
        totals.sign * invoice_lines.subtotal as amount,
        {{ round_money(
            in_company_currency(
                'totals.sign * invoice_lines.subtotal', 'totals.currency', 'totals.rate'
            ),
            company_currency()
        ) }} as amount_rounded,
        row_number() over (
            partition by totals.odoo_invoice_id
            order by abs(invoice_lines.subtotal) desc, invoice_lines.odoo_invoice_line_id asc
        ) as largest_first
    from invoice_lines
    inner join totals
        on invoice_lines.odoo_invoice_id = totals.odoo_invoice_id
),

balanced as (
    select
        *,
        amount_rounded
        + case
            when largest_first = 1
                then on_lines_company - sum(amount_rounded) over (partition by odoo_invoice_id)
            else 0
        end as amount_company
    from lines
),

attributed as (
    select
        balanced.odoo_invoice_line_id::text as invoiced_key,
        balanced.odoo_invoice_id,
        balanced.odoo_invoice_line_id,
        balanced.month,
        balanced.invoice_date,
        balanced.about_date,
        balanced.deferred_start,
        balanced.deferred_end,
        case when order_lines.line_key is not null then 'usage' else 'base' end as kind,
        coalesce(billed.service_code, subscriptions.service_code) as service_code,
        coalesce(
            billed.account_key,
            subscriptions.service_code || ':' || subscriptions.external_account_id
        ) as account_key,
        coalesce(
            billed.subscription_key,
            subscriptions.service_code || ':' || subscriptions.external_subscription_id
        ) as subscription_key,
        coalesce(billed.plan_code, subscriptions.plan_code) as plan_code,
        billed.metric_code,
        balanced.currency,
        balanced.amount,
        balanced.amount_company
    from balanced
    left join order_lines
        on balanced.odoo_line_id = order_lines.odoo_line_id
    left join billed
        on order_lines.line_key = billed.line_key
    left join subscriptions
        on order_lines.odoo_order_id = subscriptions.odoo_order_id
),

unaccounted as (
    select
        'rest of ' || odoo_invoice_id as invoiced_key,
        odoo_invoice_id,
        null::bigint as odoo_invoice_line_id,
        month,
        invoice_date,
        about_date,
        null::date as deferred_start,
        null::date as deferred_end,
        'base' as kind,
        null as service_code,
        null as account_key,
        null as subscription_key,
        null as plan_code,
        null as metric_code,
        currency,
        untaxed - on_lines as amount,
        untaxed_company - on_lines_company as amount_company
    from totals
    where untaxed <> on_lines
),

final as (
    select * from attributed

    union all

    select * from unaccounted
)

select * from final
