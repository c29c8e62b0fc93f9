-- A rate holds until the next one: weekends and holidays carry Friday's. In an Odoo of several
-- companies each may have its own: as there, the company's own holds from its first on, before that
-- or where it has none the one that all share, and another company's never.

with

rates as (
    select * from {{ ref('stg_odoo__currency_rates') }}
),

currencies as (
    select * from {{ ref('stg_odoo__currencies') }}
),

orders as (
    select * from {{ ref('stg_odoo__subscriptions') }}
),

shared as (
    select * from rates
    where odoo_company_id is null
),

-- The company that has the orders, most of them in any case.
seller as (
    select odoo_company_id
    from orders
    where odoo_company_id is not null
    group by 1
    order by count(*) desc, odoo_company_id asc
    limit 1
),

-- A branch has no rates but its root's, which nothing mirrored names: the first company's then, as
-- before there are orders.
own as (
    select rates.odoo_company_id
    from rates
    left join seller on true
    where
        rates.odoo_company_id is not null
        and (
            seller.odoo_company_id is null
            or rates.odoo_company_id = seller.odoo_company_id
            or not exists (select 1 from shared)
        )
    order by
        coalesce(rates.odoo_company_id = seller.odoo_company_id, false) desc,
        rates.odoo_company_id asc
    limit 1
),

usable as (
    select
        currencies.currency,
        rates.rate_date,
        rates.odoo_currency_rate_id,
        rates.rate,
        own.odoo_company_id is not null as is_own,
        min(rates.rate_date) filter (where own.odoo_company_id is not null)
            over (partition by currencies.currency) as own_since
    from rates
    inner join currencies
        on rates.odoo_currency_id = currencies.odoo_currency_id
    left join own
        on rates.odoo_company_id = own.odoo_company_id
    where
        rates.odoo_company_id is null
        or own.odoo_company_id is not null
),

-- Odoo keeps one rate a day and company, but not where the company is none.
one_a_day as (
    select distinct on (currency, rate_date)
        currency,
        rate_date,
        rate
    from usable
    where
        is_own
        or own_since is null
        or rate_date < own_since
    order by currency asc, rate_date asc, odoo_currency_rate_id desc
),

final as (
    select
        currency,
        rate_date as valid_from,
        lead(rate_date) over (
            partition by currency
            order by rate_date
        ) as valid_to,
        rate
    from one_a_day
)

select * from final
