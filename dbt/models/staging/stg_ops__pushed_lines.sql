with

source as (
    select * from {{ source('ops', 'odoo_push') }}
),

final as (
    select
        line_key,
        state as push_state,
        problem as push_problem,
        reason as push_reason,
        odoo_order_id,
        odoo_line_id,
        subtotal,
        pushed_at
    from source
)

select * from final
