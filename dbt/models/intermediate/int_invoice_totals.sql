-- Every posted customer invoice and credit note with its untaxed total, what its lines add up to,
-- and both in company currency at the rate of its date. Credit notes are negative.

with

invoices as (
    select * from {{ ref('stg_odoo__invoices') }}
    where
        invoice_state = 'posted'
        and move_type in ('out_invoice', 'out_refund')
),

invoice_lines as (
    select * from {{ ref('stg_odoo__invoice_lines') }}
),

currencies as (
    select * from {{ ref('stg_odoo__currencies') }}
),

rates as (
    select * from {{ ref('int_currency_rates_daily') }}
),

reversed as (
    select * from {{ ref('stg_odoo__invoices') }}
),

signed as (
    select
        *,
        case when move_type = 'out_refund' then -1 else 1 end as sign
    from invoices
),

line_sums as (
    select
        odoo_invoice_id,
        count(*) as lines,
        sum(subtotal) as subtotal
    from invoice_lines
    group by 1
),

compared as (
    select
        signed.*,
        signed.sign * signed.amount_untaxed as untaxed,
        signed.sign * coalesce(line_sums.subtotal, 0) as lines_untaxed,
        -- Where a chart rounds an invoice as a whole, its total is off its lines by up to half a
        -- cent each. More is an edit of a posted line, or a line that is not a product's.
        abs(signed.amount_untaxed - coalesce(line_sums.subtotal, 0))
        <= 0.005 * coalesce(line_sums.lines, 0) as is_rounding
    from signed
    left join line_sums
        on signed.odoo_invoice_id = line_sums.odoo_invoice_id
),

shown as (
    select
        *,
        case when is_rounding then untaxed else lines_untaxed end as on_lines
    from compared
),

final as (
    select
        shown.odoo_invoice_id,
        shown.invoice_name,
        shown.invoice_date,
        {{ month_of('shown.invoice_date') }} as month,
        -- A credit note is about the service that the invoice it reverses was about.
        coalesce(reversed.invoice_date, shown.invoice_date) as about_date,
        shown.sign,
        currencies.currency,
        rates.rate,
        shown.untaxed,
        shown.on_lines,
        {{ round_money(
            in_company_currency('shown.untaxed', 'currencies.currency', 'rates.rate'),
            company_currency()
        ) }} as untaxed_company,
        {{ round_money(
            in_company_currency('shown.on_lines', 'currencies.currency', 'rates.rate'),
            company_currency()
        ) }} as on_lines_company
    from shown
    left join reversed
        on shown.reversed_invoice_id = reversed.odoo_invoice_id
    -- A currency that is not mirrored, or has no rate, leaves the amount unknown, not out.
    left join currencies
        on shown.odoo_currency_id = currencies.odoo_currency_id
    left join rates
        on
            currencies.currency = rates.currency
            and shown.invoice_date >= rates.valid_from
            and (rates.valid_to is null or shown.invoice_date < rates.valid_to)
)

select * from final
