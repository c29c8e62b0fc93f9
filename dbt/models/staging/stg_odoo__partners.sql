with

source as (
    select * from {{ source('raw', 'odoo_partner') }}
),

final as (
    select
        id as odoo_partner_id,
        {{ odoo_text('name') }} as partner_name,
        {{ odoo_text('email') }} as email,
        {{ odoo_text('vat') }} as vat,
        {{ odoo_id('state_id') }} as odoo_state_id,
        {{ odoo_id('country_id') }} as odoo_country_id,
        {{ odoo_flag('active') }} as is_active
    from source
    where deleted_at is null
)

select * from final
