-- A rate holds until the next one: weekends and holidays carry Friday's.

with

rates as (
    select * from {{ ref('stg_odoo__currency_rates') }}
),

currencies as (
    select * from {{ ref('stg_odoo__currencies') }}
),

final as (
    select
        currencies.currency,
        rates.rate_date as valid_from,
        lead(rates.rate_date) over (
            partition by currencies.currency
            order by rates.rate_date
        ) as valid_to,
        rates.rate
    from rates
    inner join currencies
        on rates.odoo_currency_id = currencies.odoo_currency_id
)

select * from final
