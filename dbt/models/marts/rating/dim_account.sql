with

account_links as (
    select * from {{ ref('stg_odoo__account_links') }}
),

partners as (
    select * from {{ ref('stg_odoo__partners') }}
),

final as (
    select
        account_links.service_code || ':' || account_links.external_account_id as account_key,
        account_links.service_code,
        account_links.external_account_id,
        account_links.odoo_partner_id,
        partners.partner_name
    from account_links
    left join partners
        on account_links.odoo_partner_id = partners.odoo_partner_id
)

select * from final
