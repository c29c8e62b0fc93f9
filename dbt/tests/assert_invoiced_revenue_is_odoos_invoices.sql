-- The invoiced revenue of a month is, to the cent, the untaxed total of the customer invoices that
-- Odoo has posted with a date in it, less the credit notes, whatever service they belong to.
with

rates as (
    select * from {{ ref('int_currency_rates_daily') }}
),

invoices as (
    select
        invoices.*,
        currencies.currency
    from {{ ref('stg_odoo__invoices') }} as invoices
    left join {{ ref('stg_odoo__currencies') }} as currencies
        on invoices.odoo_currency_id = currencies.odoo_currency_id
    where
        invoices.invoice_state = 'posted'
        and invoices.move_type in ('out_invoice', 'out_refund')
),

in_odoo as (
    select
        date_trunc('month', invoices.invoice_date)::date as month,
        sum(
            case when invoices.move_type = 'out_refund' then -1 else 1 end
            * {{ round_money(
                in_company_currency('invoices.amount_untaxed', 'invoices.currency', 'rates.rate'),
                company_currency()
            ) }}
        ) as invoiced
    from invoices
    left join rates
        on
            invoices.currency = rates.currency
            and invoices.invoice_date >= rates.valid_from
            and (rates.valid_to is null or invoices.invoice_date < rates.valid_to)
    group by 1
),

in_margin as (
    select
        month,
        sum(invoiced_revenue) as invoiced
    from {{ ref('fct_margin_monthly') }}
    group by 1
)

select
    coalesce(in_odoo.month, in_margin.month) as month,
    in_odoo.invoiced as invoiced_in_odoo,
    in_margin.invoiced as invoiced_in_margin
from in_odoo
full join in_margin
    on in_odoo.month = in_margin.month
where coalesce(in_odoo.invoiced, 0) <> coalesce(in_margin.invoiced, 0)
