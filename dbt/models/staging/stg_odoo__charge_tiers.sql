with

source as (
    select * from {{ source('raw', 'odoo_charge_tier') }}
),

tiers as (
    select
        {{ odoo_id('x_charge_id') }} as odoo_charge_id,
        coalesce({{ typed_number('x_from') }}, 0) as from_value,
        {{ typed_number('x_to') }} as to_value,
        coalesce({{ typed_number('x_unit_price') }}, 0) as unit_price,
        coalesce({{ typed_number('x_flat_amount') }}, 0) as flat_amount,
        coalesce({{ typed_number('x_rate') }}, 0) as rate,
        {{ unreadable({
            'number': ['x_from', 'x_to', 'x_unit_price', 'x_flat_amount', 'x_rate'],
        }) }} as unreadable
    from source
    where deleted_at is null
),

final as (
    select
        odoo_charge_id,
        (row_number() over (partition by odoo_charge_id order by from_value))::integer as tier,
        from_value,
        to_value,
        unit_price,
        flat_amount,
        rate,
        unreadable
    from tiers
)

select * from final
