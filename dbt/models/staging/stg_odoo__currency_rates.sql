with

source as (
    select * from {{ source('raw', 'odoo_currency_rate') }}
),

final as (
    select
        id as odoo_currency_rate_id,
        {{ odoo_id('currency_id') }} as odoo_currency_id,
        -- Null: of all companies.
        {{ odoo_id('company_id') }} as odoo_company_id,
        {{ odoo_date('name') }} as rate_date,
        -- Units of the currency for one unit of the company's.
        {{ odoo_number('rate') }} as rate
    from source
    where deleted_at is null
)

select * from final
