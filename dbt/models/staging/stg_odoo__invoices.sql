with

source as (
    select * from {{ source('raw', 'odoo_invoice') }}
),

final as (
    select
        id as odoo_invoice_id,
        {{ odoo_text('name') }} as invoice_name,
        {{ odoo_text('move_type') }} as move_type,
        {{ odoo_text('state') }} as invoice_state,
        {{ odoo_text('payment_state') }} as payment_state,
        {{ odoo_id('reversed_entry_id') }} as odoo_reversed_invoice_id,
        {{ odoo_id('partner_id') }} as odoo_partner_id,
        {{ odoo_id('reversed_entry_id') }} as reversed_invoice_id,
        {{ odoo_date('invoice_date') }} as invoice_date,
        {{ odoo_id('currency_id') }} as odoo_currency_id,
        {{ odoo_number('amount_untaxed') }} as amount_untaxed,
        {{ odoo_number('amount_tax') }} as amount_tax,
        {{ odoo_number('amount_total') }} as amount_total
    from source
    where deleted_at is null
)

select * from final
