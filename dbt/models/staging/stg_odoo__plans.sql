with

source as (
    select * from {{ source('raw', 'odoo_plan') }}
),

final as (
    select
        id as odoo_plan_id,
        {{ odoo_text('name') }} as plan_name,
        {{ odoo_number('billing_period_value') }}::int as billing_period_value,
        {{ odoo_text('billing_period_unit') }} as billing_period_unit
    from source
    where deleted_at is null
)

select * from final
