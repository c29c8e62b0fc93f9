with

source as (
    select * from {{ source('raw', 'odoo_account_link') }}
),

final as (
    select
        id as odoo_account_link_id,
        {{ odoo_text('x_service_code') }} as service_code,
        {{ odoo_text('x_external_account_id') }} as external_account_id,
        {{ odoo_id('x_partner_id') }} as odoo_partner_id
    from source
    where deleted_at is null
)

select * from final
